"""The networks of a page: each in the picture of its space, alone or side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from archsearch.page.cells import CellsPicture
from archsearch.page.layers import WIDTH, LayersPicture, TablePicture, is_table
from archsearch.page.recurrent import TreePicture
from archsearch.page.style import MUTED, new_figure, picture, say, short
from archsearch.page.trees import Tree, tree_of
from archsearch.space.base import Graph

_HEADER_LINE = 11.0
_FULL = 3.5 * WIDTH
"""Width of a row of networks, or of one that is wider by itself."""
_POINTS_PER_INCH = 72.0


class Picture(Protocol):
    """A network as it is drawn; sizes in points."""

    @property
    def width(self) -> float:
        """Its width."""
        ...

    @property
    def height(self) -> float:
        """Its height."""
        ...

    def draw(self, axes: Axes) -> None:
        """Draw it into axes from 0 to its width and, downward, to its height."""
        ...


@dataclass(frozen=True)
class Card:
    """A network to draw: its heading, facts below it, and its graph; ``problem`` says why it has no graph.

    ``tree`` is drawn in place of a graph: a cell that is none of the space's.
    """

    title: str
    facts: tuple[str, ...] = ()
    graph: Graph | None = None
    problem: str | None = None
    tree: Tree | None = None


@dataclass(frozen=True)
class _Problem:
    """Why there is no picture."""

    text: str
    width: float = WIDTH
    height: float = 60.0

    def draw(self, axes: Axes) -> None:
        """Write it."""
        axes.text(self.width / 2, self.height / 2, short(self.text, 48), ha="center", va="center", color=MUTED)


def picture_of(card: Card, most_filters: int) -> Picture:
    """The picture of a card, by the kind of its graph."""
    if card.tree is not None:
        return TreePicture(card.tree)
    if card.graph is None:
        return _Problem(card.problem or "no picture")
    if is_table(card.graph):
        return TablePicture(card.graph.nodes)
    kinds = {node.kind for node in card.graph.nodes}
    if "combination" not in kinds:
        return LayersPicture(card.graph, most_filters)
    return CellsPicture(card.graph) if "operation" in kinds else TreePicture(tree_of(card.graph))


@picture
def network(card: Card, most_filters: int | None = None) -> Figure:
    """One network without its heading; ``most_filters`` is the count that is drawn full, the network's own if None."""
    drawn = picture_of(card, most_filters or largest_filters([card]))
    figure = new_figure(drawn.width / _POINTS_PER_INCH, drawn.height / _POINTS_PER_INCH, constrained=False)
    _draw(figure.add_axes((0, 0, 1, 1)), drawn)
    return figure


def _draw(axes: Axes, drawn: Picture) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, drawn.width)
    axes.set_ylim(drawn.height, 0)
    drawn.draw(axes)


@picture
def networks(cards: Sequence[Card]) -> Figure:
    """Networks side by side under their headings, as many a row as there is room for."""
    if not cards:
        return say(new_figure(8.6, 1.6), "There is no network to draw yet.")
    most = largest_filters(cards)
    drawn = [picture_of(card, most) for card in cards]
    column = max(each.width for each in drawn)
    columns = min(len(cards), max(1, int(_FULL // column)))
    header = 22 + _HEADER_LINE * max(len(card.facts) for card in cards)
    rows = [range(start, min(start + columns, len(cards))) for start in range(0, len(cards), columns)]
    heights = [header + max(drawn[place].height for place in row) + 12 for row in rows]
    width, height = columns * column, sum(heights)
    figure = new_figure(width / _POINTS_PER_INCH, height / _POINTS_PER_INCH, constrained=False)
    for number, row in enumerate(rows):
        below = height - sum(heights[:number]) - header
        for place in row:
            left = (place - row.start) * column
            _head(figure, cards[place], (left, below + header), (width, height))
            own = drawn[place]
            corner = (left / width, (below - own.height) / height)
            _draw(figure.add_axes((*corner, own.width / width, own.height / height)), own)
    return figure


def _head(figure: Figure, card: Card, corner: tuple[float, float], whole: tuple[float, float]) -> None:
    (left, top), (width, height) = corner, whole
    place = (left + 12) / width
    figure.text(place, (top - 16) / height, short(card.title, 40), fontsize=9, fontweight="bold")
    for line, fact in enumerate(card.facts, start=1):
        figure.text(place, (top - 16 - line * _HEADER_LINE) / height, short(fact, 48), fontsize=7.5, color=MUTED)


def largest_filters(cards: Sequence[Card]) -> int:
    """The largest number of filters in any layer of any card; 1 where there are none."""
    nodes = [node for card in cards if card.graph for node in card.graph.nodes]
    return max((int(node.detail.get("filters", 1)) for node in nodes), default=1)

"""From a record to the page and its pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from archsearch.engine.leaderboard import seconds_saved
from archsearch.engine.record import SearchRecord
from archsearch.page import curves, learned, networks, newest
from archsearch.page.confirming import draw_confirming
from archsearch.page.facts import Facts
from archsearch.page.html import environment, write_whole
from archsearch.page.layers import WIDTH, is_table
from archsearch.page.manifest import manifest_yaml
from archsearch.page.networks import Card
from archsearch.page.numbers import number
from archsearch.page.story import story
from archsearch.page.strategies import breeds
from archsearch.page.style import png, svg
from archsearch.page.tradeoffs import draw_tradeoffs
from archsearch.page.trees import lstm
from archsearch.space import GenotypeError, Space, build
from archsearch.space.base import Architecture

PAGE = "report.html"
PICTURES = "pictures"
_DRAWN = 5


def render(record: SearchRecord) -> str:
    """The whole page as HTML; it loads nothing, and equal records give equal pages."""
    return _render(_Report(record))


def write_report(record: SearchRecord, folder: Path) -> Path:
    """Write ``report.html`` and ``pictures/*.png`` into ``folder``, each file whole or not at all.

    Returns:
        The path of the page.

    Raises:
        OSError: the folder cannot be written.
    """
    report = _Report(record)
    page = _render(report)
    pictures = folder / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    for name, figure in (*report.figures(), ("networks", networks.networks(report.cards))):
        write_whole(pictures / f"{name}.png", png(figure))
    write_whole(folder / PAGE, page.encode("utf-8", "replace"))
    return folder / PAGE


@dataclass(frozen=True)
class DrawnCard:
    """A network of the page: its card, its picture and the same in words."""

    card: Card
    picture: Markup
    words: str
    width: float
    """Of the picture, in points."""

    @property
    def wide(self) -> bool:
        """Whether it needs a row to itself, or half of one, to be read."""
        return self.width > WIDTH


class _Report:
    """Everything that page and pictures share, computed once."""

    def __init__(self, record: SearchRecord) -> None:
        self.record = record
        self.facts = Facts(record)
        self.space = build(record.manifest.spec.search_space)
        self.cards = self._cards()
        self.over_time = curves.rewards(record)
        self.policy = curves.policy_figures(record)
        self.options = learned.over_time(record)
        self.layers = newest.by_layer(record, newest.anchors(record, self.space))
        self.decisions = newest.every_decision(record)
        self.time = curves.time_spent(record)

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Every picture of the page by its name, but for the networks."""
        yield "rewards", self.over_time
        if self.facts.tradeoffs is not None:
            yield "tradeoffs", draw_tradeoffs(self.facts.tradeoffs)
        if self.facts.confirming is not None:
            yield "confirming", draw_confirming(self.facts.confirming)
        yield "policy", self.policy
        yield "options", self.options
        if self.layers is not None:
            yield "layers", self.layers
        if self.decisions is not None:
            yield "decisions", self.decisions
        yield "time", self.time

    def drawn_cards(self) -> list[DrawnCard]:
        """Each network as the page shows it."""
        most = networks.largest_filters(self.cards)
        drawn = []
        for place, card in enumerate(self.cards):
            picture = Markup(svg(networks.network(card, most), f"network{place}"))  # noqa: S704  # our own SVG
            drawn.append(DrawnCard(card, picture, _in_words(card), networks.picture_of(card, most).width))
        return drawn

    def _cards(self) -> list[Card]:
        cards = []
        for rank, trial in enumerate(self.facts.best[:_DRAWN], start=1):
            facts = self._metrics(trial.metrics)
            cards.append(_card(self.space, f"No. {rank}: child {trial.index}", facts, trial.architecture))
        human = self.record.human
        if human is not None and human.architecture:
            facts = self._metrics(human.metrics) or (human.reason or "not measured",)
            cards.append(_card(self.space, "Human baseline", facts, human.architecture))
        if cards and self.record.manifest.spec.search_space.recurrent_cell is not None:
            cards.insert(
                1, Card("For comparison: an LSTM", ("the cell that people use, not trained here",), tree=lstm())
            )
        return cards

    def _metrics(self, known: Mapping[str, float]) -> tuple[str, ...]:
        facts = self.facts
        lines = []
        if facts.metric in known:
            lines.append(f"{facts.scales[facts.metric].text(known[facts.metric])} {facts.measure}")
        if facts.test is not None and facts.test in known:
            lines.append(f"{facts.scales[facts.test].text(known[facts.test])} on the test part")
        if "parameters" in known:
            lines.append(f"{number(known['parameters'])} parameters")
        return tuple(lines)


def _card(space: Space, title: str, facts: tuple[str, ...], architecture: Architecture) -> Card:
    try:
        return Card(title, facts, space.graph(architecture))
    except GenotypeError as error:
        return Card(title, facts, problem=f"cannot be drawn: {error}")


def _in_words(card: Card) -> str:
    if card.tree is not None:
        return "a long short-term memory with forget gate"
    if card.graph is None:
        return card.problem or ""
    readers: dict[str, list[str]] = {}
    for edge in card.graph.edges:
        readers.setdefault(edge.target, []).append(edge.source)
    if is_table(card.graph):
        return "; ".join(node.label for node in card.graph.nodes)
    return "; ".join(
        node.label
        if node.kind in ("image", "input")
        else f"{node.id}: {node.label}, reads {' and '.join(readers.get(node.id, []))}"
        for node in card.graph.nodes
    )


def _render(report: _Report) -> str:
    pictures = {name: Markup(svg(figure, name)) for name, figure in report.figures()}  # noqa: S704
    return environment().get_template("report.html.jinja").render(
        record=report.record,
        facts=report.facts,
        story=story(report.facts),
        cards=report.drawn_cards(),
        pictures=pictures,
        manifest=manifest_yaml(report.record),
        saved=seconds_saved(report.record.trials),
        spec=report.record.manifest.spec,
        strategy=record_strategy(report.record),
        population=breeds(report.record.strategy),
        panels=len(learned.panels(learned.described(report.record))),
    )  # fmt: skip


def record_strategy(record: SearchRecord) -> str:
    """Name of the strategy in force; ``default`` where none is set."""
    return record.strategy.kind if record.strategy.model_dump(exclude_none=True) else "default"

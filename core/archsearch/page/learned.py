"""Pictures of what the controller learned: the probability of each option of each decision."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from archsearch.controller_contract import OptionProbabilities, PolicyState
from archsearch.engine.record import SearchRecord
from archsearch.page.style import INK, MUTED, PROBABILITY, new_figure, picture, say, short, spread

_COLUMNS = 160
"""Policies drawn over time at most."""
PANELS = 24
"""Decisions drawn over time at most: those of which the policy is surest."""
NOTHING = "This strategy tells no probabilities: it has no policy that changes."


_Kind = tuple[str, tuple[tuple[str, object], ...]]
"""Decisions that are drawn together: of one kind, with the same options."""


@dataclass(frozen=True)
class Panel:
    """One decision, or the mean of all decisions of one kind, over time."""

    title: str
    options: tuple[str, ...]
    versions: tuple[int, ...]
    probabilities: tuple[tuple[float, ...], ...]
    """Per version, one for each option."""

    @property
    def sureness(self) -> float:
        """1 less the entropy of the last policy as a share of the largest possible."""
        last = self.probabilities[-1]
        entropy = -sum(p * math.log(p) for p in last if p > 0)
        return 1 - entropy / math.log(len(last))


def described(record: SearchRecord) -> list[PolicyState]:
    """The policies of which the decision distributions are known, thinned evenly, the first and last kept."""
    known = [state for state in record.policy if state.decisions]
    if len(known) <= _COLUMNS:
        return known
    step = (len(known) - 1) / (_COLUMNS - 1)
    return [known[round(place * step)] for place in range(_COLUMNS)]


def panels(states: Sequence[PolicyState]) -> list[Panel]:
    """A panel for each kind of decision that leaves a choice, in order of first appearance."""
    kinds: dict[_Kind, list[tuple[int, tuple[float, ...]]]] = {}
    names: dict[_Kind, set[str]] = {}
    options: dict[_Kind, Sequence[object]] = {}
    for state in states:
        groups: dict[_Kind, list[OptionProbabilities]] = {}
        for decision in state.decisions or ():
            if len(decision.options) > 1:
                groups.setdefault((decision.kind, typed(decision.options)), []).append(decision)
        for key, members in groups.items():
            columns = zip(*(member.probabilities for member in members), strict=True)
            kinds.setdefault(key, []).append((state.version, tuple(sum(c) / len(members) for c in columns)))
            names.setdefault(key, set()).update(member.decision for member in members)
            options.setdefault(key, members[0].options)
    return [_panel(key[0], options[key], points, len(names[key])) for key, points in kinds.items()]


def typed(options: Sequence[object]) -> tuple[tuple[str, object], ...]:
    """Options told apart by type too: True is not 1."""
    return tuple((type(option).__name__, option) for option in options)


def _panel(kind: str, options: Sequence[object], points: list[tuple[int, tuple[float, ...]]], decisions: int) -> Panel:
    title = short(words(kind), 30) + (f" (mean of {decisions})" if decisions > 1 else "")
    labels = tuple(map(option_text, options))
    return Panel(title, labels, tuple(v for v, _ in points), tuple(p for _, p in points))


def words(name: str) -> str:
    """``filterHeight`` as ``filter height``; names that are no camelCase as they are."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda match: " " + match.group(1).lower(), name)


def option_text(option: object, length: int = 16) -> str:
    """An option as an axis shows it."""
    return {True: "yes", False: "no"}[option] if isinstance(option, bool) else short(option, length)


@picture
def over_time(record: SearchRecord) -> Figure:
    """Probability of each option over time: a panel for each decision, or for each kind where layers share one."""
    every = panels(described(record))
    if not every:
        return say(new_figure(8.6, 1.6), NOTHING)
    shown = _surest(every)
    columns = min(3, len(shown))
    rows = math.ceil(len(shown) / columns)
    in_rows = [shown[start : start + columns] for start in range(0, len(shown), columns)]
    heights = [0.75 + 0.17 * max(3, *(len(panel.options) for panel in row)) for row in in_rows]
    figure = new_figure(8.6, sum(heights) + 0.3)
    grid = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
    spread(figure)
    for place, axes in enumerate(grid.flat):
        if place < len(shown):
            _draw_panel(axes, shown[place], bottom=place + columns >= len(shown))
        else:
            axes.set_axis_off()
    probability_bar(figure, grid.ravel().tolist())
    return figure


def _surest(every: Sequence[Panel]) -> list[Panel]:
    if len(every) <= PANELS:
        return list(every)
    chosen = sorted(range(len(every)), key=lambda place: -every[place].sureness)[:PANELS]
    return [every[place] for place in sorted(chosen)]


def _draw_panel(axes: Axes, panel: Panel, bottom: bool) -> None:
    edges = _edges(panel.versions)
    rows = list(zip(*panel.probabilities, strict=True))
    axes.pcolormesh(edges, range(len(rows) + 1), rows, cmap=PROBABILITY, vmin=0, vmax=1, rasterized=True)
    axes.set_yticks([place + 0.5 for place in range(len(rows))], panel.options)
    axes.tick_params(axis="both", length=0)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.invert_yaxis()
    axes.set_title(panel.title)
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    if bottom:
        axes.set_xlabel("observations taught")
    best = max(range(len(rows)), key=lambda place: rows[place][-1])
    for place, row in enumerate(rows):
        weight = "bold" if place == best else "normal"
        axes.annotate(
            f"{100 * row[-1]:.0f} %", (1, place + 0.5), (3, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", fontsize=7, fontweight=weight,
            color=INK if place == best else MUTED,
        )  # fmt: skip


def _edges(versions: Sequence[int]) -> list[float]:
    """Cell edges: each policy is drawn from its version up to the next."""
    last = versions[-1] + max(1.0, (versions[-1] - versions[0]) / max(1, len(versions) - 1))
    return [*map(float, versions), last]


def probability_bar(figure: Figure | SubFigure, axes: Sequence[Axes]) -> None:
    """The scale of probabilities beside ``axes``."""
    bar = figure.colorbar(axes[0].collections[0], ax=axes, shrink=0.6, aspect=24, pad=0.02)
    bar.set_label("probability")
    bar.set_ticks([0, 0.5, 1], labels=["0", "0.5", "1"])
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)

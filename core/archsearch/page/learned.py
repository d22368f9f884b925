"""Pictures of what the controller learned: the probability of each option of each decision."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from archsearch.controller_contract import OptionProbabilities, PolicyState
from archsearch.engine.record import SearchRecord
from archsearch.page.style import INK, MUTED, PROBABILITY, SURFACE, new_figure, picture, say, short, spread
from archsearch.space.base import Anchor, Space

_COLUMNS = 160
"""Policies drawn over time at most."""
_PANELS = 24
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
                groups.setdefault((decision.kind, _typed(decision.options)), []).append(decision)
        for key, members in groups.items():
            columns = zip(*(member.probabilities for member in members), strict=True)
            kinds.setdefault(key, []).append((state.version, tuple(sum(c) / len(members) for c in columns)))
            names.setdefault(key, set()).update(member.decision for member in members)
            options.setdefault(key, members[0].options)
    return [_panel(key[0], options[key], points, len(names[key])) for key, points in kinds.items()]


def _typed(options: Sequence[object]) -> tuple[tuple[str, object], ...]:
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
    tallest = max(len(panel.options) for panel in shown)
    figure = new_figure(8.6, rows * (0.75 + 0.17 * max(tallest, 3)) + 0.3)
    grid = figure.subplots(rows, columns, squeeze=False)
    spread(figure)
    for place, axes in enumerate(grid.flat):
        if place < len(shown):
            _draw_panel(axes, shown[place], bottom=place + columns >= len(shown))
        else:
            axes.set_axis_off()
    _bar(figure, grid.ravel().tolist())
    return figure


def _surest(every: Sequence[Panel]) -> list[Panel]:
    if len(every) <= _PANELS:
        return list(every)
    chosen = sorted(range(len(every)), key=lambda place: -every[place].sureness)[:_PANELS]
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


def _bar(figure: Figure | SubFigure, axes: Sequence[Axes]) -> None:
    bar = figure.colorbar(axes[0].collections[0], ax=axes, shrink=0.6, aspect=24, pad=0.02)
    bar.set_label("probability")
    bar.set_ticks([0, 0.5, 1], labels=["0", "0.5", "1"])
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)


def anchors(record: SearchRecord, space: Space) -> dict[str, Anchor]:
    """The anchor of each skip decision of the deepest children, by the decision's name."""
    if not record.trials:
        return {}
    longest = max(record.trials, key=lambda trial: len(trial.genotype))
    stage = space.stage(longest.index)
    found: dict[str, Anchor] = {}
    for place in range(len(longest.genotype)):
        decision = space.next(longest.genotype[:place], stage)
        if decision is not None and decision.anchor is not None:
            found[decision.name] = decision.anchor
    return found


@picture
def by_layer(record: SearchRecord, skips: Mapping[str, Anchor]) -> Figure | None:
    """The newest policy, layer by layer, and its skips as a matrix; None where layers share no kind of decision."""
    states = described(record)
    last = states[-1].decisions or () if states else ()
    kinds: dict[str, list[OptionProbabilities]] = {}
    for decision in last:
        if decision.decision not in skips and len(decision.options) > 1:
            kinds.setdefault(decision.kind, []).append(decision)
    shared = {kind: members for kind, members in kinds.items() if len(members) > 1 and _same_options(members)}
    matrix = {skips[each.decision]: each.probabilities[-1] for each in last if each.decision in skips}
    if not shared and not matrix:
        return None
    return _draw_layers(shared, matrix)


def _same_options(members: Sequence[OptionProbabilities]) -> bool:
    return len({_typed(member.options) for member in members}) == 1


def _draw_layers(shared: Mapping[str, list[OptionProbabilities]], matrix: Mapping[Anchor, float]) -> Figure:
    heights = [0.55 + 0.18 * len(members[0].options) for members in shared.values()]
    height = max(sum(heights), 3.6 if matrix else 0) + 0.3
    figure = new_figure(8.6, height)
    halves = figure.subfigures(1, 2 if shared and matrix else 1, squeeze=False)[0]
    drawn: list[Axes] = []
    if shared:
        grid = halves[0].subplots(len(shared), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (kind, members) in zip(grid, shared.items(), strict=True):
            _draw_kind(axes, kind, members)
            drawn.append(axes)
        grid[-1].set_xlabel("layer")
    if matrix:
        drawn.append(halves[-1].subplots())
        _draw_skips(drawn[-1], matrix)
    _bar(halves[-1], drawn[-1:])
    return figure


def _draw_kind(axes: Axes, kind: str, members: Sequence[OptionProbabilities]) -> None:
    rows = list(zip(*(member.probabilities for member in members), strict=True))
    axes.pcolormesh(
        [place + 0.5 for place in range(len(members) + 1)], range(len(rows) + 1), rows,
        cmap=PROBABILITY, vmin=0, vmax=1, edgecolors=SURFACE, linewidth=1.0,
    )  # fmt: skip
    axes.set_yticks([place + 0.5 for place in range(len(rows))], [option_text(o) for o in members[0].options])
    axes.set_title(short(words(kind), 30))
    axes.xaxis.set_major_locator(MaxNLocator(16, integer=True))
    _quiet(axes)
    axes.invert_yaxis()


def _draw_skips(axes: Axes, matrix: Mapping[Anchor, float]) -> None:
    size = max(anchor.target for anchor in matrix) + 1
    cells = [[math.nan] * size for _ in range(size)]
    for anchor, probability in matrix.items():
        cells[anchor.target][anchor.source] = probability
    edges = [place + 0.5 for place in range(size + 1)]
    axes.pcolormesh(edges, edges, cells, cmap=PROBABILITY, vmin=0, vmax=1, edgecolors=SURFACE, linewidth=1.0)
    axes.set_title("does a layer read an earlier one?")
    axes.set_xlabel("earlier layer (source)")
    axes.set_ylabel("layer that reads it (target)")
    axes.set_aspect("equal", anchor="N")
    axes.set_xlim(0.5, size - 0.5)
    axes.set_ylim(size + 0.5, 1.5)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(16, integer=True))
    _quiet(axes)


def _quiet(axes: Axes) -> None:
    axes.tick_params(axis="both", length=0, labelcolor=INK)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)

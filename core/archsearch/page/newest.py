"""The newest policy, decision by decision: those of one kind side by side where layers, blocks or nodes share it."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from archsearch.controller_contract import OptionProbabilities
from archsearch.engine.record import SearchRecord
from archsearch.page.learned import PANELS, described, option_text, panels, probability_bar, typed, words
from archsearch.page.style import GRID, INK, MUTED, PROBABILITY, SURFACE, new_figure, picture, short
from archsearch.space.base import Anchor, Space

_ROWS = 128
"""Decisions that :func:`every_decision` draws at most."""
_PLACE = re.compile(r"([a-z]+)(\d+)")


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
    return len({typed(member.options) for member in members}) == 1


def _draw_layers(shared: Mapping[str, list[OptionProbabilities]], matrix: Mapping[Anchor, float]) -> Figure:
    parts = _parts(shared)
    heights = [[0.62 + 0.18 * len(members[0].options) for members in part.values()] for part in parts]
    height = max([sum(part) for part in heights] + [3.6 if matrix else 0]) + 0.2
    figure = new_figure(8.6, height)
    halves = figure.subfigures(1, len(parts) + bool(matrix), squeeze=False)[0]
    drawn: list[Axes] = []
    for half, part, sizes in zip(halves, parts, heights, strict=False):
        grid = half.subplots(len(part), 1, squeeze=False, height_ratios=sizes)[:, 0]
        for axes, (kind, members) in zip(grid, part.items(), strict=True):
            _draw_kind(axes, kind, members)
            drawn.append(axes)
    if matrix:
        drawn.append(halves[-1].subplots())
        _draw_skips(drawn[-1], matrix)
    probability_bar(halves[-1], drawn[-1:])
    return figure


def _parts(shared: Mapping[str, list[OptionProbabilities]]) -> list[dict[str, list[OptionProbabilities]]]:
    """Kinds that stand below each other: those of the normal and of the reduction cell, say, each by themselves."""
    parts: dict[str, dict[str, list[OptionProbabilities]]] = {}
    for kind, members in shared.items():
        parts.setdefault(kind.partition(".")[0] if "." in kind else "", {})[kind] = members
    if len(parts) != 2:
        return [dict(shared)] if shared else []
    return list(parts.values())


def _draw_kind(axes: Axes, kind: str, members: Sequence[OptionProbabilities]) -> None:
    rows = list(zip(*(member.probabilities for member in members), strict=True))
    axes.pcolormesh(
        [place + 0.5 for place in range(len(members) + 1)], range(len(rows) + 1), rows,
        cmap=PROBABILITY, vmin=0, vmax=1, edgecolors=SURFACE, linewidth=1.0,
    )  # fmt: skip
    axes.set_yticks([place + 0.5 for place in range(len(rows))], [option_text(o) for o in members[0].options])
    axes.set_title(short(words(kind).replace(".", " "), 30))
    axes.set_xlabel(_number(axes, [member.decision for member in members]))
    _quiet(axes)
    axes.invert_yaxis()


def _number(axes: Axes, names: Sequence[str]) -> str:
    """Number the columns by the layer, block or node that each belongs to; what these are called."""
    found = [_PLACE.search(name) for name in names]
    what = {match.group(1) for match in found if match is not None}
    if None in found or len(what) != 1:
        axes.xaxis.set_major_locator(MaxNLocator(16, integer=True))
        return "decision"
    numbers = [int(match.group(2)) for match in found if match is not None]
    ticks, start = {}, 0.5
    for number, members in groupby(numbers):
        many = len(list(members))
        ticks[start + many / 2] = number
        start += many
        if many > 1 and start < len(names):
            axes.axvline(start, color=GRID, linewidth=1.0)
    step = math.ceil(len(ticks) / 16)
    axes.set_xticks(list(ticks)[::step], [str(number) for number in list(ticks.values())[::step]])
    return what.pop()


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


@dataclass(frozen=True)
class _Line:
    """A decision on one line."""

    name: str
    options: tuple[str, ...]
    probabilities: tuple[float, ...]


@picture
def every_decision(record: SearchRecord) -> Figure | None:
    """The newest policy, a line for each decision; None where the panels over time show every decision already."""
    states = described(record)
    if len(panels(states)) <= PANELS:
        return None
    lines = [
        _Line(
            short(words(each.decision), 18), tuple(option_text(option) for option in each.options), each.probabilities
        )
        for each in states[-1].decisions or ()
        if len(each.options) > 1
    ][:_ROWS]
    most = max(len(line.options) for line in lines)
    columns = 2 if most <= 6 else 1
    length = math.ceil(len(lines) / columns)
    figure = new_figure(8.6, 0.19 * length + 0.2)
    grid = figure.subplots(1, columns, squeeze=False)[0]
    for place, axes in enumerate(grid):
        _draw_lines(axes, lines[place * length : (place + 1) * length], length, most, columns)
    return figure


def _draw_lines(axes: Axes, lines: Sequence[_Line], length: int, most: int, columns: int) -> None:
    letters = max(2, int(84 / columns / most))
    for row, line in enumerate(lines):
        best = max(range(len(line.options)), key=lambda place, line=line: line.probabilities[place])  # type: ignore[misc]
        for place, (option, probability) in enumerate(zip(line.options, line.probabilities, strict=True)):
            colour = PROBABILITY(0.6 * probability)
            axes.add_patch(Rectangle((place + 0.03, row + 0.08), 0.94, 0.84, facecolor=colour, edgecolor="none"))
            axes.text(
                place + 0.5, row + 0.5, short(option, letters), ha="center", va="center_baseline", fontsize=6.6,
                fontweight="bold" if place == best else "normal", color=INK if place == best else MUTED,
            )  # fmt: skip
    axes.set_xlim(0, most)
    axes.set_ylim(length, 0)
    axes.set_yticks([row + 0.5 for row in range(len(lines))], [line.name for line in lines])
    axes.set_xticks([])
    _quiet(axes)

"""The figure of NASNet (1707.07012, section 4.4): reward against children, a panel each for best, top 5 and top 25."""

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from archsearch.bench.compare.comparison import Comparison, Drawn
from archsearch.bench.compare.course import RANKS
from archsearch.page.numbers import plural, scale_of
from archsearch.page.style import CYCLE, new_figure, picture, short

TITLES = ("best so far", "mean of the top 5", "mean of the top 25")
"""For each of RANKS."""
_STYLES = ("-", (0, (4, 1.6)), (0, (1.2, 1.4)), (0, (6, 1.5, 1.2, 1.5)))
"""Contenders beyond the colours begin the colours anew with another style."""
_SETTLED = 0.1
"""The share of children, the first, whose values may lie below the axis: one bad first child would flatten the rest."""


@picture
def compare_figure(comparison: Comparison) -> Figure:
    """Reward against children asked for: lines are means over seeds, bands their 95 % bootstrap intervals."""
    figure = new_figure(9.6, 3.5 + 0.19 * ((len(comparison.contenders) - 1) // 3))
    panels = figure.subplots(1, len(RANKS), sharex=True, sharey=True)
    drawn = [[comparison.line(place, rank) for place in range(len(comparison.contenders))] for rank in RANKS]
    for axes, lines, title in zip(panels, drawn, TITLES, strict=True):
        for place, line in enumerate(lines):
            if line is not None:
                _draw(axes, line, place)
        axes.set_title(title)
        axes.set_xlabel("children asked for")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    _set_limits(panels[0], [line for lines in drawn for line in lines if line is not None], comparison.children)
    objective = comparison.contenders[0].manifest.spec.objective
    kind = objective.transform.kind
    panels[0].set_ylabel(f"reward ({objective.metric}{'' if kind == 'identity' else f', {kind}'})")
    if kind == "identity" and not objective.also and scale_of(objective.metric, _values(drawn)).percent:
        panels[0].yaxis.set_major_formatter(PercentFormatter(1.0))
    _legend(figure, panels[0], comparison)
    return figure


def _values(drawn: Sequence[Sequence[Drawn | None]]) -> Iterator[float]:
    return (float(value) for lines in drawn for line in lines if line is not None for value in line.mean)


def _look(place: int) -> dict[str, object]:
    return {"color": CYCLE[place % len(CYCLE)], "linestyle": _STYLES[place // len(CYCLE) % len(_STYLES)]}


def _draw(axes: Axes, line: Drawn, place: int) -> None:
    alone = "o" if len(line.children) == 1 else None
    axes.plot(
        line.children, line.mean, linewidth=1.6, marker=alone, markersize=4, zorder=3, drawstyle="steps-post",
        **_look(place),  # type: ignore[arg-type]
    )  # fmt: skip
    if line.low is not None and line.high is not None:
        colour = CYCLE[place % len(CYCLE)]
        axes.fill_between(
            line.children, line.low, line.high, step="post", color=colour, alpha=0.16, linewidth=0, zorder=2
        )


def _set_limits(axes: Axes, lines: Sequence[Drawn], children: int) -> None:
    low, high = [], []
    for line in lines:
        first = next((p for p, n in enumerate(line.children) if n >= _SETTLED * children), 0)
        low.append(float((line.mean if line.low is None else line.low)[first:].min()))
        high.append(float((line.mean if line.high is None else line.high).max()))
    bottom, top = min(low), max(high)
    margin = 0.05 * (top - bottom) or 0.05 * abs(top) or 0.1
    axes.set_ylim(bottom - margin, top + margin)
    axes.set_xlim(0, 1.02 * max(children, 2))


def _legend(figure: Figure, axes: Axes, comparison: Comparison) -> None:
    seeds = {len(one.runs) for one in comparison.contenders}
    handles = []
    for place, one in enumerate(comparison.contenders):
        many = "" if len(seeds) == 1 else f", {plural(len(one.runs), 'seed')}"
        handles += axes.plot([], [], linewidth=1.8, label=short(one.label, 44) + many, **_look(place))  # type: ignore[arg-type]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, columnspacing=1.8, handlelength=2.2)

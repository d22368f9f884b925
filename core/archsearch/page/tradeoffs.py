"""What is sought against each further metric (objective.also): the children, and those that no other beats."""

import math
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from archsearch.api import Direction
from archsearch.api.objective import Also
from archsearch.engine.leaderboard import children, eligible
from archsearch.engine.model import Trial
from archsearch.engine.pareto import front
from archsearch.engine.record import SearchRecord
from archsearch.page.curves import set_value_limits
from archsearch.page.numbers import metric_scale, number
from archsearch.page.style import BLUE, GREEN, MUTED, ORANGE, RED, legend, new_figure, picture, say

_COLUMNS = 2


@dataclass(frozen=True)
class Row:
    """A child of the Pareto set."""

    child: int
    values: tuple[str, ...]
    """The objective's metric, then each further one."""
    reward: str


@dataclass(frozen=True)
class Tradeoffs:
    """A search in which further metrics count."""

    record: SearchRecord
    members: tuple[Trial, ...]
    """The Pareto set, by reward."""

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that count."""
        objective = self.record.manifest.spec.objective
        return (objective.metric, *(also.metric for also in objective.also))

    def rows(self) -> list[Row]:
        """The Pareto set, by the metric that is sought."""
        scales = [metric_scale(self.record, name) for name in self.names]
        ordered = sorted(self.members, key=lambda trial: trial.metrics.get(self.names[0], 0.0), reverse=True)
        return [
            Row(
                trial.index,
                tuple(scale.text(trial.metrics.get(name)) for name, scale in zip(self.names, scales, strict=True)),
                number(trial.reward or 0.0),
            )
            for trial in ordered
        ]

    def terms(self) -> list[str]:
        """How each further metric counts, in words."""
        return [_terms(also) for also in self.record.manifest.spec.objective.also]


def _terms(also: Also) -> str:
    better = "less" if also.weight < 0 else "more"
    text = f"{also.metric}: {better} is better, target {number(also.target)}, weight {also.weight:g}"
    text += ", beyond the target only" if also.constraint.value == "Hard" else ""
    return text + (f", never best beyond {number(also.limit)}" if also.limit is not None else "")


def tradeoffs(record: SearchRecord) -> Tradeoffs | None:
    """What is traded for what; None where no further metric counts."""
    objective = record.manifest.spec.objective
    return Tradeoffs(record, front(record.trials, objective)) if objective.also else None


@picture
def draw_tradeoffs(found: Tradeoffs) -> Figure:
    """A panel for each further metric: every child, the Pareto set, target and limit."""
    objective = found.record.manifest.spec.objective
    drawn = [t for t in children(found.record.trials) if t.reward is not None and objective.metric in t.metrics]
    if not drawn:
        return say(new_figure(8.6, 1.6), "No child has a reward yet.")
    rows = math.ceil(len(objective.also) / _COLUMNS)
    columns = min(_COLUMNS, len(objective.also))
    figure = new_figure(8.6, 3.6 * rows if columns == 1 else 3.2 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for place, axes in enumerate(grid):
        if place < len(objective.also):
            _draw(axes, found, objective.also[place], drawn)
        else:
            axes.set_axis_off()
    return figure


def _draw(axes: Axes, found: Tradeoffs, also: Also, drawn: list[Trial]) -> None:
    objective = found.record.manifest.spec.objective
    known = [trial for trial in drawn if also.metric in trial.metrics]
    for inside, colour, label in ((True, BLUE, "child"), (False, MUTED, "beyond a limit")):
        points = [trial for trial in known if eligible(objective, trial) is inside]
        if points:
            xs, ys = zip(*((t.metrics[also.metric], t.metrics[objective.metric]) for t in points), strict=True)
            axes.scatter(xs, ys, s=15, color=colour, alpha=0.5, linewidths=0, label=label, rasterized=len(points) > 600)
    members = sorted((t.metrics[also.metric], t.metrics[objective.metric]) for t in found.members)
    if members:
        xs, ys = zip(*members, strict=True)
        # With one further metric the set is a staircase; with several each panel is only one side of it.
        line = "-" if len(objective.also) == 1 else ""
        axes.plot(xs, ys, color=ORANGE, marker="o", markersize=4.5, linewidth=1.3, linestyle=line, label="Pareto set")
    axes.axvline(also.target, color=GREEN, linestyle=(0, (5, 3)), linewidth=1.3, label="target")
    if also.limit is not None:
        axes.axvline(also.limit, color=RED, linestyle=(0, (2, 2)), linewidth=1.3, label="limit")
    minimise = objective.direction is Direction.MINIMIZE
    set_value_limits(axes, [trial.metrics[objective.metric] for trial in (known or drawn)], minimise)
    axes.set_xlabel(f"{also.metric} ({'less' if also.weight < 0 else 'more'} is better)")
    axes.set_ylabel(objective.metric)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _brief(value)))
    if metric_scale(found.record, objective.metric).percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    legend(axes, columns=5 if len(objective.also) == 1 else 3)


def _brief(value: float) -> str:
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g} {unit}"
    return f"{value:g}"

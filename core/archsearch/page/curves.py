"""Pictures against time: rewards, the policy's own figures, and where the time went."""

import math
from collections.abc import Sequence
from statistics import quantiles

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from archsearch.api import Direction
from archsearch.controller_contract import OptionProbabilities, PolicyState
from archsearch.engine.leaderboard import (
    children,
    counted,
    eligible,
    moving_mean,
    running_best,
    seconds_by_outcome,
    seconds_saved,
)
from archsearch.engine.model import Phase, Trial
from archsearch.engine.record import SearchRecord
from archsearch.engine.rewards import reward_of
from archsearch.page.numbers import duration, elapsed, scale_of
from archsearch.page.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, RED, SKY, legend, new_figure, picture, say

_MANY = 600
"""More markers than this are rasterised, so that a page of 12,800 children stays light."""
_COLOUR = {
    Phase.SUCCEEDED: BLUE,
    Phase.FAILED: RED,
    Phase.STOPPED: PURPLE,
    Phase.RUNNING: SKY,
    Phase.PENDING: MUTED,
}


def window_of(children: int) -> int:
    """Children in the moving mean: a tenth of all, from 10 to 100."""
    return max(10, min(100, children // 10))


@picture
def rewards(record: SearchRecord) -> Figure:
    """Reward of each child with running best and moving mean; where the objective is minimised, its metric."""
    figure = new_figure(8.6, 3.9)
    objective = record.manifest.spec.objective
    minimise = objective.direction is Direction.MINIMIZE
    trials = children(record.trials)
    values = [_plotted(record, trial) for trial in trials]
    if all(value is None for value in values):
        return say(figure, "No child has a reward yet.")
    axes = figure.add_subplot()
    human = _human_value(record)
    set_value_limits(axes, [value for value in (*values, human) if value is not None], minimise)
    _draw_children(axes, trials, values)
    indices = [trial.place for trial in trials]
    allowed = [value if eligible(objective, trial) else None for trial, value in zip(trials, values, strict=True)]
    _draw_known(axes, indices, running_best(allowed, objective.direction), "best so far", ORANGE, "steps-post")
    window = window_of(len(values))
    _draw_known(axes, indices, moving_mean(values, window), f"mean of last {window}", INK, "default")
    if human is not None:
        axes.axhline(human, color=GREEN, linestyle=(0, (5, 3)), linewidth=1.4, label="human baseline")
    axes.set_xlabel("child, in the order of asking")
    name = _formula(record)
    axes.set_ylabel(f"reward ({name})" if not minimise else f"{name} (less is better)")
    axes.set_xlim(-0.02 * max(indices[-1], 5), 1.02 * max(indices[-1], 5))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    if not objective.also and scale_of(objective.metric, values).percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    legend(axes)
    return figure


def _formula(record: SearchRecord) -> str:
    """What the reward is made of; where less is better it is the metric itself that is drawn."""
    objective = record.manifest.spec.objective
    if objective.direction is Direction.MINIMIZE:
        return objective.metric
    power = objective.transform.power
    text = f"{objective.metric} to the power of {power.exponent:g}" if power else objective.metric
    return ", ".join((text, *(also.metric for also in objective.also)))


def _plotted(record: SearchRecord, trial: Trial) -> float | None:
    if trial.phase is not Phase.SUCCEEDED or not counted(trial):
        return None
    objective = record.manifest.spec.objective
    if objective.direction is Direction.MINIMIZE:
        return trial.metrics.get(objective.metric)
    return trial.reward


def _human_value(record: SearchRecord) -> float | None:
    objective = record.manifest.spec.objective
    if record.human is None or objective.metric not in record.human.metrics:
        return None
    if objective.direction is Direction.MINIMIZE:
        return record.human.metrics[objective.metric]
    reward = reward_of(objective, record.human.metrics)
    return reward if isinstance(reward, float) else None


def set_value_limits(axes: Axes, values: Sequence[float], minimise: bool) -> None:
    """Limits that show where most children lie: a few very bad ones are drawn at the edge instead."""
    low, high = min(values), max(values)
    if len(values) >= 20:
        cuts = quantiles(values, n=20)
        if minimise:
            high = min(high, cuts[-1] + 1.0 * (cuts[-1] - low))
        else:
            low = max(low, cuts[0] - 1.0 * (high - cuts[0]))
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.1
    axes.set_ylim(low - margin, high + margin)


def _draw_children(axes: Axes, trials: Sequence[Trial], values: Sequence[float | None]) -> None:
    low, high = axes.get_ylim()
    raster = len(trials) > _MANY
    size = 16.0 if len(trials) <= 150 else 9.0 if len(trials) <= _MANY else 4.0
    trained: list[tuple[int, float]] = []
    reused: list[tuple[int, float]] = []
    off: list[tuple[int, float]] = []
    for trial, value in zip(trials, values, strict=True):
        if value is not None and not low <= value <= high:
            off.append((trial.place, low if value < low else high))
        elif value is not None:
            (reused if trial.reuse_of is not None else trained).append((trial.place, value))
    edge = low if all(y == low for _, y in off) else high
    failed = [(trial.place, low) for trial in trials if trial.phase is Phase.FAILED]
    plain = {"rasterized": raster, "zorder": 2}
    _dots(axes, trained, label="child", color=BLUE, s=size, alpha=0.55, linewidths=0, **plain)
    _dots(
        axes, reused, label="duplicate, result reused", facecolors="none", edgecolors=PURPLE, s=size, alpha=0.8, **plain
    )
    marker = "v" if edge == low else "^"
    _dots(axes, off, label="beyond the axis", marker=marker, color=BLUE, s=26, alpha=0.7, linewidths=0, clip_on=False)
    _dots(axes, failed, label="failed", marker="x", color=RED, s=22, linewidths=1.1, clip_on=False, zorder=4)


def _dots(axes: Axes, points: Sequence[tuple[float, float]], **look: object) -> None:
    if points:
        xs, ys = zip(*points, strict=True)
        axes.scatter(xs, ys, **look)  # type: ignore[arg-type]


def _draw_known(
    axes: Axes, xs: Sequence[int], values: Sequence[float | None], label: str, colour: str, style: str
) -> None:
    known = [(x, value) for x, value in zip(xs, values, strict=True) if value is not None]
    axes.plot(
        [x for x, _ in known], [value for _, value in known], color=colour, linewidth=1.8, label=label, drawstyle=style,
        zorder=3,
    )  # fmt: skip


@picture
def policy_figures(record: SearchRecord) -> Figure:
    """Entropy of a decision, and the baseline of rewards, against the number of observations taught."""
    entropy = [(state.version, state.entropy) for state in record.policy if state.entropy is not None]
    baseline = [(state.version, state.baseline) for state in record.policy if state.baseline is not None]
    panels = [("entropy of a decision (nats)", BLUE, entropy), ("baseline of rewards", ORANGE, baseline)]
    drawn = [panel for panel in panels if panel[2]]
    figure = new_figure(8.6, 1.9 * len(drawn) + 0.4 if drawn else 1.6)
    if not drawn:
        return say(figure, "This strategy has no policy that changes.")
    grid = figure.subplots(len(drawn), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (label, colour, points) in zip(grid, drawn, strict=True):
        xs, ys = zip(*points, strict=True)
        axes.plot(xs, ys, color=colour, linewidth=1.6, marker="o" if len(points) < 3 else None, markersize=4)
        axes.set_title(label)
        axes.yaxis.set_major_locator(MaxNLocator(5))
    if entropy:
        _mark_uniform(grid[0], entropy[0][1], uniform_entropy(record.policy))
        grid[0].set_ylim(bottom=0, top=1.08 * grid[0].get_ylim()[1])
    grid[-1].set_xlabel("observations taught")
    grid[-1].xaxis.set_major_locator(MaxNLocator(8, integer=True))
    return figure


def _mark_uniform(axes: Axes, first: float, uniform: float | None) -> None:
    # A strategy that counts other decisions than it tells would make this line a lie.
    if uniform is not None and first <= 1.02 * uniform:
        axes.axhline(uniform, color=MUTED, linestyle=(0, (2, 2)), linewidth=1.1, label="choosing at random")
        axes.legend(loc="lower left")


def uniform_entropy(policy: Sequence[PolicyState]) -> float | None:
    """Entropy of a decision, in nats, of a uniform policy; None where the decisions are not known."""
    decisions: Sequence[OptionProbabilities] = next((s.decisions for s in reversed(policy) if s.decisions), ())
    return sum(math.log(len(each.options)) for each in decisions) / len(decisions) if decisions else None


@picture
def time_spent(record: SearchRecord) -> Figure:
    """Seconds of children by how they ended, and children ended per minute."""
    seconds = seconds_by_outcome(record.trials)
    ended = sorted(
        elapsed(record.started, trial.completed)
        for trial in record.trials
        if trial.completed is not None and trial.reuse_of is None
    )
    if not seconds and not ended:
        return say(new_figure(8.6, 1.6), "No child has run yet.")
    figure = new_figure(8.6, 2.7)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
    _draw_bars(left, seconds, seconds_saved(record.trials))
    _draw_rate(right, ended)
    return figure


def _draw_bars(axes: Axes, seconds: dict[Phase, float], saved: float) -> None:
    bars = [(phase.value.lower(), total, _COLOUR[phase]) for phase, total in seconds.items()]
    if saved:
        bars.append(("saved by reuse", saved, "none"))
    unit, name = _unit(max((total for _, total, _ in bars), default=0.0))
    for place, (_, total, colour) in enumerate(bars):
        look = ("none", MUTED, "--") if colour == "none" else (colour, colour, "-")
        axes.barh(place, total / unit, height=0.6, color=look[0], edgecolor=look[1], linestyle=look[2])
        axes.annotate(duration(total), (total / unit, place), (5, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(bars)), [name for name, _, _ in bars])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(max(len(bars), 2) - 0.4, -0.6)
    axes.set_xlim(0, 1.4 * max((total for _, total, _ in bars), default=0.0) / unit or 1.0)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel(name)
    axes.set_title("time of children, by how they ended")


def _draw_rate(axes: Axes, ended: Sequence[float]) -> None:
    axes.set_title("children ended per minute")
    span = max(ended, default=0.0) or 1.0
    unit, name = _unit(span)
    bins = max(1, min(40, round(math.sqrt(len(ended)) * 2)))
    width = span / bins
    counts = [0] * bins
    for time in ended:
        counts[min(bins - 1, int(time / width))] += 1
    heights = [count * 60.0 / width for count in counts]
    axes.bar(
        [(place + 0.5) * width / unit for place in range(bins)],
        heights,
        width=0.9 * width / unit,
        color=BLUE,
        alpha=0.75,
    )
    axes.set_xlabel(f"{name} since the search began")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _unit(seconds: float) -> tuple[float, str]:
    """The unit, in seconds, in which an axis up to ``seconds`` is written."""
    if seconds < 180:
        return 1.0, "seconds"
    return (60.0, "minutes") if seconds < 3 * 3600 else (3600.0, "hours")

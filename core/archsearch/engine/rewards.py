"""From metric to reward, in one place: no strategy ever sees a metric or a direction."""

import math
from collections.abc import Mapping

from archsearch.api import Direction, Objective
from archsearch.api.objective import Also, Constraint
from archsearch.engine.model import LOST_TOO_OFTEN, Phase, Trial
from archsearch.report import ReportProblem


def reward_of(objective: Objective, metrics: Mapping[str, float]) -> float | ReportProblem:
    """The reward of a child with these metrics; more is better whatever the direction.

    The declared transform of the metric that is sought, times (metric / target) ** weight for each further metric that
    counts (MnasNet, 1807.11626, section 3). A metric that is missing, or with which this is not a finite number, is a
    problem of the report.
    """
    reward = _base(objective, metrics)
    for place, also in enumerate(objective.also):
        if isinstance(reward, ReportProblem):
            return reward
        reward = _weighed(reward, also, place, metrics)
    return reward


def _base(objective: Objective, metrics: Mapping[str, float]) -> float | ReportProblem:
    name = objective.metric
    if name not in metrics:
        return _missing(name, "objective.metric", metrics)
    value = float(metrics[name])
    try:
        reward = _transformed(objective, value)
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        return ReportProblem("RewardUndefined", f"metric {name} = {value!r} has no reward: {error}")
    if not math.isfinite(reward):
        return ReportProblem("RewardUndefined", f"metric {name} = {value!r} has no finite reward")
    return reward


def _missing(name: str, field: str, metrics: Mapping[str, float]) -> ReportProblem:
    there = ", ".join(sorted(metrics)) or "none"
    return ReportProblem("MetricMissing", f"the report has no metric {name!r} ({field}); it has: {there}")


def _weighed(reward: float, also: Also, place: int, metrics: Mapping[str, float]) -> float | ReportProblem:
    """``reward`` with one further metric; one below zero is divided, so that what is worse makes it worse too."""
    name, field = also.metric, f"objective.also[{place}]"
    if name not in metrics:
        return _missing(name, f"{field}.metric", metrics)
    value = float(metrics[name])
    if value <= 0:
        text = f"metric {name} = {value!r} has no place in the reward: {field} needs a positive metric"
        return ReportProblem("RewardUndefined", text)
    try:
        factor = _factor(also, value)
        weighed = reward * factor if reward >= 0 else reward / factor
    except (OverflowError, ZeroDivisionError):
        weighed = math.inf
    if math.isfinite(weighed):
        return weighed
    told = f"({value!r} / {also.target!r}) ** {also.weight!r} and the reward {reward!r} give no finite number"
    return ReportProblem("RewardUndefined", f"metric {name} = {value!r} has no place in the reward: {field}: {told}")


def _factor(also: Also, value: float) -> float:
    if also.constraint is Constraint.HARD and not _beyond(value, also.target, also.weight):
        return 1.0
    return math.pow(value / also.target, also.weight)


def _transformed(objective: Objective, value: float) -> float:
    transform = objective.transform
    if transform.power is not None:
        if value < 0:
            raise ValueError("objective.reward.power needs a metric that is not negative")
        return math.pow(value, transform.power.exponent)
    if transform.inverse_power is not None:
        if value <= 0:
            raise ValueError("objective.reward.inversePower needs a positive metric")
        return transform.inverse_power.scale / math.pow(value, transform.inverse_power.exponent)
    return -value if transform.negative is not None else value


def sought(objective: Objective, metrics: Mapping[str, float]) -> float:
    """The metric that is sought, turned so that more is better; a child without it is behind all others."""
    value = metrics.get(objective.metric)
    if value is None:
        return -math.inf
    return value if objective.direction is Direction.MAXIMIZE else -value


def within_limits(objective: Objective, metrics: Mapping[str, float]) -> bool:
    """Whether a child may be among the best: no further metric is beyond its ``objective.also[].limit``.

    Beyond means above where less of the metric is better (a negative weight), below where more is.
    """
    for also in objective.also:
        value = metrics.get(also.metric)
        if also.limit is not None and (value is None or _beyond(value, also.limit, also.weight)):
            return False
    return True


def _beyond(value: float, bound: float, weight: float) -> bool:
    return value > bound if weight < 0 else value < bound


def taught_of(objective: Objective, trial: Trial) -> float | None:
    """What the strategy is taught of a child that has ended; None: that it failed, and nothing to learn from.

    Its reward; of a child that failed by a fault of its own, ``objective.failure.reward``. A child that lost its place
    again and again, or that failed as every child would, says nothing of its network.
    """
    if trial.phase is not Phase.FAILED:
        return trial.reward
    return None if excused(trial) else objective.failure.reward


def excused(trial: Trial) -> bool:
    """Whether a child failed by no fault of its own: lost too often, or as every child would."""
    return trial.phase is Phase.FAILED and (trial.reason == LOST_TOO_OFTEN or trial.shared_fault)


def reached(objective: Objective, value: float) -> bool:
    """Whether a metric's value is at the objective's target or beyond it."""
    if objective.target is None:
        return False
    if objective.direction is Direction.MAXIMIZE:
        return value >= objective.target
    return value <= objective.target

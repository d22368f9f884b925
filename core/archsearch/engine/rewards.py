"""From metric to reward, in one place: no strategy ever sees a metric or a direction."""

import math
from collections.abc import Mapping

from archsearch.api import Direction, Objective
from archsearch.report import ReportProblem


def reward_of(objective: Objective, metrics: Mapping[str, float]) -> float | ReportProblem:
    """The reward of a child with these metrics; more is better whatever the direction.

    A metric that is missing, or of which the declared transform is not a finite number, is a problem of the report.
    """
    name = objective.metric
    if name not in metrics:
        there = ", ".join(sorted(metrics)) or "none"
        return ReportProblem("MetricMissing", f"the report has no metric {name!r} (objective.metric); it has: {there}")
    value = float(metrics[name])
    try:
        reward = _transformed(objective, value)
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        return ReportProblem("RewardUndefined", f"metric {name} = {value!r} has no reward: {error}")
    if not math.isfinite(reward):
        return ReportProblem("RewardUndefined", f"metric {name} = {value!r} has no finite reward")
    return reward


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


def reached(objective: Objective, value: float) -> bool:
    """Whether a metric's value is at the objective's target or beyond it."""
    if objective.target is None:
        return False
    if objective.direction is Direction.MAXIMIZE:
        return value >= objective.target
    return value <= objective.target

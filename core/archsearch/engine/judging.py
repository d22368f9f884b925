"""How a child is judged after its confirmation: by the mean of both trainings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from archsearch.engine.model import Confirmed, Trial


def confirmed(trials: Iterable[Trial]) -> dict[int, Confirmed]:
    """Children as they are judged after their confirmation, by network (:attr:`Trial.network`).

    Confirmations that no child lies between were due together, and count only once all of them are over, so that the
    order of the best changes once and not with each of them; where the search was gone on with, those before its new
    children keep counting. A child whose confirmation has failed is none of them, nor is one that is not among
    ``trials`` itself.
    """
    listed = tuple(trials)
    repeats = over(listed)
    wanted = {trial.confirm_of for trial in repeats}
    children = {trial.index: trial for trial in listed if trial.index in wanted}
    pairs = [(children.get(trial.confirm_of or 0), trial) for trial in repeats if trial.reward is not None]
    return {child.network: judged(child, trial) for child, trial in pairs if child is not None}


def over(trials: Sequence[Trial]) -> list[Trial]:
    """The confirmations that count: those before the ones that the first of those under way was due with."""
    repeats = [trial for trial in trials if trial.confirm_of is not None]
    first = min((trial.index for trial in repeats if not trial.phase.terminal), default=None)
    if first is None:
        return repeats
    last_child = max((trial.index for trial in trials if trial.confirm_of is None and trial.index < first), default=-1)
    return [trial for trial in repeats if trial.index < last_child]


def judged(child: Trial, confirmation: Trial) -> Confirmed:
    """``child`` with the means over both trainings; both have succeeded."""
    assert child.reward is not None
    assert confirmation.reward is not None
    rewards = (child.reward, confirmation.reward)
    known = {one.name: getattr(child, one.name) for one in fields(Trial)}
    means = {"reward": _mean(rewards), "metrics": _means(child.metrics, confirmation.metrics)}
    again = {"confirmed_by": confirmation.index, "rewards": rewards, "own_metrics": child.metrics}
    return Confirmed(**(known | means | again))


def _means(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Mean of each metric over those of the two that have it."""
    both = {name: [metrics[name] for metrics in (one, other) if name in metrics] for name in {**one, **other}}
    return {name: _mean(values) for name, values in both.items()}


def _mean(values: Sequence[float]) -> float:
    """Mean of one or two values; each is divided by itself, so that no sum of finite ones is infinite."""
    return sum(value / len(values) for value in values)

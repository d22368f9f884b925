"""How a child is judged after its confirmation: by the mean of both trainings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from archsearch.engine.model import Confirmed, Trial


def confirmed(trials: Iterable[Trial]) -> dict[int, Confirmed]:
    """Children as they are judged after their confirmation, by network (:attr:`Trial.network`).

    None as long as a confirmation is under way, so that the order of the best changes once and not with each of them.
    A child whose confirmation has failed is none of them.
    """
    listed = tuple(trials)
    repeats = [trial for trial in listed if trial.confirm_of is not None]
    if not all(trial.phase.terminal for trial in repeats):
        return {}
    pairs = [(_by_index(listed, trial.confirm_of), trial) for trial in repeats if trial.reward is not None]
    return {child.network: judged(child, trial) for child, trial in pairs}


def judged(child: Trial, confirmation: Trial) -> Confirmed:
    """``child`` with the means over both trainings; both have succeeded."""
    assert child.reward is not None
    assert confirmation.reward is not None
    rewards = (child.reward, confirmation.reward)
    known = {one.name: getattr(child, one.name) for one in fields(Trial)}
    means = {"reward": sum(rewards) / 2, "metrics": _means(child.metrics, confirmation.metrics)}
    return Confirmed(**(known | means), confirmed_by=confirmation.index, rewards=rewards)


def _means(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Mean of each metric over those of the two that have it."""
    both = {name: [metrics[name] for metrics in (one, other) if name in metrics] for name in {**one, **other}}
    return {name: sum(values) / len(values) for name, values in both.items()}


def _by_index(trials: Sequence[Trial], index: int | None) -> Trial:
    """Trial ``index`` of ``trials``, which may be a part of a ledger."""
    assert index is not None
    if index < len(trials) and trials[index].index == index:
        return trials[index]
    return next(trial for trial in trials if trial.index == index)

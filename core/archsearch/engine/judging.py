"""How a child is judged after its confirmation: by the mean of both trainings."""

from collections.abc import Iterable, Mapping
from dataclasses import fields

from archsearch.engine.model import Confirmed, Trial


def confirmed(trials: Iterable[Trial]) -> dict[int, Confirmed]:
    """Children as they are judged after their confirmation, by network (:attr:`Trial.network`).

    None as long as a confirmation is under way, so that the order of the best changes once and not with each of them.
    A child whose confirmation has failed is none of them, nor is one that is not among ``trials`` itself.
    """
    listed = tuple(trials)
    repeats = [trial for trial in listed if trial.confirm_of is not None]
    if not all(trial.phase.terminal for trial in repeats):
        return {}
    wanted = {trial.confirm_of for trial in repeats}
    children = {trial.index: trial for trial in listed if trial.index in wanted}
    pairs = [(children.get(trial.confirm_of or 0), trial) for trial in repeats if trial.reward is not None]
    return {child.network: judged(child, trial) for child, trial in pairs if child is not None}


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

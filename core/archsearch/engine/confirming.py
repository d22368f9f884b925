"""Confirming: the best children are trained once more at the end, since the best of many noisy rewards is a lucky one.

Which children these are follows from their own rewards alone, so that nothing changes while confirmations come in, and
a reproducible search confirms the same ones in the same order however its trials were timed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from archsearch.api import SearchSpec, seconds
from archsearch.engine.draft import Draft
from archsearch.engine.leaderboard import best_measured
from archsearch.engine.model import Attempt, Facts, Outcome, Phase, Result, Stop, Trial
from archsearch.engine.running import stop_running, stop_waiting


def confirm(
    spec: SearchSpec, draft: Draft, attempts: Mapping[int, Attempt], facts: Facts, reached: Outcome, now: datetime
) -> list[Stop]:
    """Record the confirmations that are due, now that the children have come to ``reached``; stop those that are not.

    Due is one of each of the best ``trials.confirm`` networks that have none, best first, as the next trials of the
    ledger. None is after a failure, nor once ``trials.deadline`` is over: then nothing more is trained.
    """
    late = _is_late(spec, facts)
    wanted = () if late or reached.result is Result.FAILED else _chosen(spec, draft)
    networks = {child.network for child in wanted}
    under_way = [trial for trial in draft.active if trial.confirm_of is not None]
    unwanted = [trial for trial in under_way if _network(draft, trial) not in networks]
    stops = stop_running(unwanted, attempts, "SearchEnded")
    stop_waiting(draft, unwanted, now)
    known = {_network(draft, trial) for trial in _confirmations(draft) if trial.phase is not Phase.STOPPED}
    for child in wanted:
        if child.network not in known:
            draft.add(_confirmation(len(draft), child, now))
    return stops


def with_confirmations(spec: SearchSpec, draft: Draft, facts: Facts, reached: Outcome) -> Outcome:
    """``reached``, with what has come of the confirmations in its message."""
    if spec.trials.confirm == 0 or reached.result is Result.FAILED:
        return reached
    chosen = _chosen(spec, draft)
    succeeded = {_network(draft, trial) for trial in _confirmations(draft) if trial.phase is Phase.SUCCEEDED}
    confirmed = sum(child.network in succeeded for child in chosen)
    told = f"{confirmed} of the best {len(chosen)} were confirmed by a second training"
    if confirmed < len(chosen) and _is_late(spec, facts):
        told += f", for which trials.deadline ({spec.trials.deadline}) left no more time"
    return replace(reached, message=f"{reached.message}; {told}")


def _chosen(spec: SearchSpec, draft: Draft) -> Sequence[Trial]:
    """The children to be confirmed, best first: by their own rewards."""
    return best_measured(draft, spec.trials.confirm, spec.objective) if spec.trials.confirm else ()


def _is_late(spec: SearchSpec, facts: Facts) -> bool:
    return spec.trials.deadline is not None and facts.active_seconds >= seconds(spec.trials.deadline)


def _confirmations(draft: Iterable[Trial]) -> list[Trial]:
    return [trial for trial in draft if trial.confirm_of is not None]


def _network(draft: Draft, confirmation: Trial) -> int:
    assert confirmation.confirm_of is not None
    return draft[confirmation.confirm_of].network


def _confirmation(index: int, child: Trial, now: datetime) -> Trial:
    return Trial(
        index=index,
        genotype=child.genotype,
        architecture=child.architecture,
        policy_version=child.policy_version,
        log_probability=child.log_probability,
        created=now,
        confirm_of=child.index,
    )

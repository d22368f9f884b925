"""What runs: starting attempts in free slots, stopping them, and what a trial is given."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from archsearch.api import ArchitectureSearch
from archsearch.engine.draft import Draft
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import Attempt, AttemptState, Facts, Phase, Start, Stop, Trial
from archsearch.report import TrialInput


def trial_name(search: str, index: int) -> str:
    """Name of a trial: ``<search>-<index, six digits>``."""
    return f"{search}-{index:06d}"


def trial_seed(seed: int, index: int) -> int:
    """Seed of a trial, the same for every attempt: 31 bits of a hash of the search's seed and the child's place."""
    return _seed(f"{seed}/{index}")


def confirmation_seed(seed: int, child: int) -> int:
    """Seed of the confirmation of a child; it does not hang on the confirmation's own index, before which trials that
    ended beyond the end of a reproducible search may lie, more or fewer of them."""
    return _seed(f"{seed}/{child}/confirmation")


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1


def start(search: ArchitectureSearch, draft: Draft, now: datetime, lingering: int = 0) -> list[Start]:
    """Start waiting trials, lowest index first, in the slots that are free; ``lingering`` slots are not free yet."""
    active = draft.active
    free = search.spec.trials.parallelism - lingering - sum(trial.phase is Phase.RUNNING for trial in active)
    waiting = [trial for trial in active if trial.phase is Phase.PENDING and trial.reuse_of is None]
    starts = []
    for trial in waiting[: max(0, free)]:
        started = replace(trial, phase=Phase.RUNNING, attempts=trial.attempts + 1, started=trial.started or now)
        draft.change(started)
        starts.append(Start(trial.index, started.attempts, _input(search, started)))
    return starts


def _input(search: ArchitectureSearch, trial: Trial) -> TrialInput:
    spec, name, child = search.spec, search.metadata.name, trial.confirm_of
    seed = trial_seed(spec.seed, trial.place) if child is None else confirmation_seed(spec.seed, child)
    return TrialInput(
        search=name,
        trial=trial_name(name, trial.index),
        index=trial.index,
        architecture=trial.architecture,
        task=spec.trial.task.model_dump(mode="json", exclude_none=True),
        seed=seed,
        attempt=trial.attempts,
        threads=spec.trial.threads or 1,
    )


def stop_running(trials: Iterable[Trial], attempts: Mapping[int, Attempt], reason: str) -> list[Stop]:
    """Stop every attempt of ``trials`` that runs; one that has been told already is left alone."""
    running = [trial for trial in trials if trial.phase is Phase.RUNNING]
    facts = [attempts[trial.index] for trial in running if trial.index in attempts]
    return [Stop(fact.index, fact.attempt, reason) for fact in facts if fact.state is AttemptState.RUNNING]


def stop_waiting(draft: Draft, trials: Iterable[Trial], now: datetime) -> None:
    """Close those of ``trials`` that wait for a slot, a retry or another's result: the search has ended."""
    for trial in trials:
        if trial.phase is Phase.PENDING:
            message = "the search ended before this child did"
            stopped = replace(trial, phase=Phase.STOPPED, reason="SearchEnded", message=message, completed=now)
            draft.change(stopped)


def stale(ledger: Ledger, facts: Facts) -> Iterator[Stop]:
    """Attempts that run although the ledger knows a later one, or that their trial is over."""
    for fact in facts.attempts:
        if fact.state is not AttemptState.RUNNING:
            continue
        known = fact.index < len(ledger)
        if not known or ledger[fact.index].phase.terminal or fact.attempt != ledger[fact.index].attempts:
            yield Stop(fact.index, fact.attempt, "Stale")

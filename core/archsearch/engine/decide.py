"""decide(): the heart of every search, a pure function from what is to what to do.

The same on a laptop and on a cluster. A pass works from what is, never from which event came; repeated with the same
facts it gives the same plan, and once the plan has been applied, an empty one.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from archsearch.api import ArchitectureSearch, Duplicates, SearchSpec, seconds
from archsearch.controller_contract import Proposal
from archsearch.engine.calls import controller_calls
from archsearch.engine.draft import Draft
from archsearch.engine.ending import all_done, ending, no_more_new
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import (
    Attempt,
    AttemptState,
    Facts,
    Outcome,
    Phase,
    Plan,
    Result,
    Start,
    Stop,
    Trial,
)
from archsearch.engine.settle import reused, settled
from archsearch.report import TrialInput
from archsearch.space.base import Space


def decide(search: ArchitectureSearch, space: Space, ledger: Ledger, facts: Facts, now: datetime) -> Plan:
    """What to do now.

    Args:
        search: the manifest; what may change between passes is read anew each time.
        space: the search space of the manifest.
        ledger: every trial so far; not changed.
        facts: what was observed; a running trial without a fact is unknown, and nothing is done about it.
        now: the time to record.
    """
    spec = search.spec
    draft = Draft(ledger)
    attempts = _latest(draft, facts)
    _take_in(spec, draft, attempts, now)
    end = _number(spec, draft, facts) or _record(spec, space, draft, facts, now) or _number(spec, draft, facts)
    stops = list(_stale(ledger, facts))
    starts: list[Start] = []
    if end is not None:
        stops += _stop_running(draft, attempts, "SearchEnded")
        _stop_waiting(draft, now)
    elif spec.suspend:
        stops += _stop_running(draft, attempts, "Suspended")
    else:
        starts = _start(search, draft, now)
    closed = end is not None or _closed(spec, space, draft)
    return Plan(
        trials=draft.changes,
        stops=tuple(stops),
        starts=tuple(starts),
        calls=controller_calls(spec, draft, facts, closed=closed),
        outcome=_outcome(spec, space, draft, facts, end) if closed else None,
        warnings=_warnings(spec, draft),
        wake_after=None if closed else _until_deadline(spec, facts),
    )


def trial_name(search: str, index: int) -> str:
    """Name of a trial: ``<search>-<index, six digits>``."""
    return f"{search}-{index:06d}"


def trial_seed(seed: int, index: int) -> int:
    """Seed of a trial, the same for every attempt: 31 bits of a hash of the search's seed and the child's index."""
    digest = hashlib.blake2b(f"{seed}/{index}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


# --- what has happened --------------------------------------------------------------------------------------------


def _latest(draft: Draft, facts: Facts) -> dict[int, Attempt]:
    """The fact of each trial's last attempt; earlier ones are stale."""
    known = (fact for fact in facts.attempts if fact.index < len(draft))
    return {fact.index: fact for fact in known if fact.attempt == draft[fact.index].attempts}


def _take_in(spec: SearchSpec, draft: Draft, attempts: dict[int, Attempt], now: datetime) -> None:
    for trial in draft.active:
        fact = attempts.get(trial.index)
        over = fact is not None and fact.state in (AttemptState.EXITED, AttemptState.LOST)
        if trial.phase is Phase.RUNNING and fact is not None and over:
            draft.change(settled(spec, trial, fact, now))
    for trial in draft.active:
        if trial.reuse_of is not None and draft[trial.reuse_of].phase.terminal:
            draft.change(reused(trial, draft[trial.reuse_of], now))


def _number(spec: SearchSpec, draft: Draft, facts: Facts) -> Outcome | None:
    """Number what has ended, then say whether a rule ends the search.

    Where reproducible, numbers follow the indices and the rules are asked before and after each, so that the search
    ends at the same child however its trials were timed; what ended beyond that child is never taught.
    """
    draft.settle()
    for trial in draft.unnumbered:
        if spec.trials.reproducible:
            end = ending(spec, draft.tally, facts.active_seconds)
            if end is not None or trial.index != draft.settled:
                return end
        draft.number(trial.index)
        draft.settle()
    return ending(spec, draft.tally, facts.active_seconds)


def _stale(ledger: Ledger, facts: Facts) -> Iterator[Stop]:
    """Attempts that run although the ledger knows a later one, or that their trial is over."""
    for fact in facts.attempts:
        if fact.state is not AttemptState.RUNNING:
            continue
        known = fact.index < len(ledger)
        if not known or ledger[fact.index].phase.terminal or fact.attempt != ledger[fact.index].attempts:
            yield Stop(fact.index, fact.attempt, "Stale")


# --- new children -------------------------------------------------------------------------------------------------


def _record(spec: SearchSpec, space: Space, draft: Draft, facts: Facts, now: datetime) -> Outcome | None:
    """Record the controller's proposals as trials, in order of index."""
    for proposal in sorted(facts.proposals, key=lambda proposal: proposal.index):
        if proposal.index != len(draft) or _closed(spec, space, draft):
            continue
        stage = space.stage(proposal.index)
        problem = space.problem(proposal.genotype, stage)
        if problem is not None:
            message = f"the controller proposed a child {proposal.index} that is not of the search space: {problem}"
            return Outcome(Result.FAILED, "InvalidProposal", message)
        draft.add(_new_trial(spec, space, draft, proposal, now))
    return None


def _new_trial(spec: SearchSpec, space: Space, draft: Draft, proposal: Proposal, now: datetime) -> Trial:
    duplicate_of = draft.first_with(proposal.genotype)
    trial = Trial(
        index=proposal.index,
        genotype=proposal.genotype,
        architecture=space.decode(proposal.genotype),
        policy_version=proposal.policy_version,
        log_probability=proposal.log_probability,
        created=now,
        duplicate_of=duplicate_of,
    )
    if duplicate_of is None or not _reusable(spec, draft, duplicate_of, proposal.index):
        return trial
    root = draft[duplicate_of]
    trial = replace(trial, reuse_of=duplicate_of)
    return reused(trial, root, now) if root.phase.terminal else trial


def _reusable(spec: SearchSpec, draft: Draft, root: int, index: int) -> bool:
    trials = spec.trials
    if trials.duplicates is not Duplicates.REUSE or draft[root].phase is Phase.STOPPED:
        return False
    return not trials.reproducible or root <= index - trials.parallelism - trials.lookahead


def _closed(spec: SearchSpec, space: Space, draft: Draft) -> bool:
    """Whether no more children are sampled, though running ones may end."""
    if len(draft) >= spec.trials.max or draft.trailing_duplicates >= spec.trials.max_consecutive_duplicates:
        return True
    return _exhausted(spec, space, draft)


def _exhausted(spec: SearchSpec, space: Space, draft: Draft) -> bool:
    """Whether every network has been sampled; asked only once duplicates appear, and of spaces that do not grow."""
    if spec.trials.duplicates is not Duplicates.REUSE or draft.trailing_duplicates == 0:
        return False
    return space.stage(0) == space.stage(spec.trials.max - 1) and draft.distinct >= space.size(space.stage(0))


# --- what runs ----------------------------------------------------------------------------------------------------


def _start(search: ArchitectureSearch, draft: Draft, now: datetime) -> list[Start]:
    active = draft.active
    free = search.spec.trials.parallelism - sum(trial.phase is Phase.RUNNING for trial in active)
    waiting = [trial for trial in active if trial.phase is Phase.PENDING and trial.reuse_of is None]
    starts = []
    for trial in waiting[: max(0, free)]:
        started = replace(trial, phase=Phase.RUNNING, attempts=trial.attempts + 1, started=trial.started or now)
        draft.change(started)
        starts.append(Start(trial.index, started.attempts, _input(search, started)))
    return starts


def _input(search: ArchitectureSearch, trial: Trial) -> TrialInput:
    spec, name = search.spec, search.metadata.name
    return TrialInput(
        search=name,
        trial=trial_name(name, trial.index),
        index=trial.index,
        architecture=trial.architecture,
        task=spec.trial.task.model_dump(mode="json", exclude_none=True),
        seed=trial_seed(spec.seed, trial.index),
        attempt=trial.attempts,
        threads=spec.trial.threads or 1,
    )


def _stop_running(draft: Draft, attempts: dict[int, Attempt], reason: str) -> list[Stop]:
    running = [trial for trial in draft.active if trial.phase is Phase.RUNNING]
    facts = [attempts[trial.index] for trial in running if trial.index in attempts]
    return [Stop(fact.index, fact.attempt, reason) for fact in facts if fact.state is AttemptState.RUNNING]


def _stop_waiting(draft: Draft, now: datetime) -> None:
    for trial in draft.active:
        if trial.phase is Phase.PENDING:
            message = "the search ended before this child did"
            stopped = replace(trial, phase=Phase.STOPPED, reason="SearchEnded", message=message, completed=now)
            draft.change(stopped)


# --- the end ------------------------------------------------------------------------------------------------------


def _outcome(spec: SearchSpec, space: Space, draft: Draft, facts: Facts, end: Outcome | None) -> Outcome | None:
    """The outcome, once nothing runs and the policy has been taught everything."""
    taught = facts.controller is not None and facts.controller.version == draft.taught
    if draft.active or not taught or (spec.suspend and end is None):
        return None
    if end is not None:
        return end
    if len(draft) >= spec.trials.max:
        return all_done(spec, draft.tally)
    exhausted = _exhausted(spec, space, draft)
    return no_more_new(spec, draft.tally, exhausted=exhausted, duplicates=draft.trailing_duplicates)


def _warnings(spec: SearchSpec, draft: Draft) -> tuple[str, ...]:
    noticed = max(10, spec.trials.max_consecutive_duplicates // 4)
    if draft.trailing_duplicates < noticed:
        return ()
    return (
        f"{noticed} children in a row repeat earlier ones: the policy is collapsing or the space is nearly exhausted; "
        f"at {spec.trials.max_consecutive_duplicates} (trials.maxConsecutiveDuplicates) the search ends",
    )


def _until_deadline(spec: SearchSpec, facts: Facts) -> float | None:
    if spec.trials.deadline is None:
        return None
    return max(0.0, seconds(spec.trials.deadline) - facts.active_seconds)

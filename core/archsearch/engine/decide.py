"""decide(): the heart of every search, a pure function from what is to what to do.

The same on a laptop and on a cluster. A pass works from what is, never from which event came; repeated with the same
facts it gives the same plan, and once the plan has been applied, an empty one.
"""

from datetime import datetime

from archsearch.api import ArchitectureSearch, SearchSpec, seconds
from archsearch.engine.calls import controller_calls
from archsearch.engine.confirming import confirm, with_confirmations
from archsearch.engine.draft import Draft
from archsearch.engine.ending import all_done, ending, no_more_new
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import Attempt, AttemptState, Facts, Outcome, Phase, Plan
from archsearch.engine.proposals import closed, exhausted, record
from archsearch.engine.running import stale, start, stop_running, stop_waiting
from archsearch.engine.settle import reused, settled
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
    end = _number(spec, space, draft, facts)
    end = end or record(spec, space, draft, facts, now) or _number(spec, space, draft, facts)
    stops = list(stale(ledger, facts))
    if end is not None:
        children = [trial for trial in draft.active if trial.confirm_of is None]
        stops += stop_running(children, attempts, "SearchEnded")
        stop_waiting(draft, children, now)
    over = end is not None or closed(spec, space, draft)
    reached = _reached(spec, space, draft, facts, end) if over else None
    if reached is not None:
        stops += confirm(spec, draft, attempts, facts, reached, now)
    if spec.suspend:
        told = {(stop.index, stop.attempt) for stop in stops}
        running = stop_running(draft.active, attempts, "Suspended")
        stops += [stop for stop in running if (stop.index, stop.attempt) not in told]
    starts = [] if spec.suspend else start(search, draft, now, facts.lingering)
    return Plan(
        trials=draft.changes,
        stops=tuple(stops),
        starts=tuple(starts),
        calls=controller_calls(spec, draft, facts, closed=over),
        outcome=None if reached is None else _outcome(spec, draft, facts, reached),
        warnings=_warnings(spec, draft),
        wake_after=None if over and not draft.active else _until_deadline(spec, facts),
    )


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


def _number(spec: SearchSpec, space: Space, draft: Draft, facts: Facts) -> Outcome | None:
    """Number what has ended, then say whether a rule ends the search.

    Where reproducible, numbers follow the indices and the rules are asked before and after each, so that the search
    ends at the same child however its trials were timed; what ended beyond that child is never taught.
    """
    draft.settle()
    for trial in draft.unnumbered:
        if spec.trials.reproducible:
            end = _ending(spec, space, draft, facts)
            if end is not None or trial.place != draft.settled:
                return end
        draft.number(trial.index)
        draft.settle()
    return _ending(spec, space, draft, facts)


# --- the end ------------------------------------------------------------------------------------------------------


def _ending(spec: SearchSpec, space: Space, draft: Draft, facts: Facts) -> Outcome | None:
    return ending(spec, draft.tally, facts, done=_all_ended(spec, space, draft))


def _all_ended(spec: SearchSpec, space: Space, draft: Draft) -> bool:
    """Whether every child has ended by itself and no more are sampled.

    Children that were stopped are what a deadline leaves behind: it remains the reason. Once confirmations follow the
    last child it never was.
    """
    if not closed(spec, space, draft) or any(trial.confirm_of is None for trial in draft.active):
        return False
    confirming = len(draft) > 0 and draft[len(draft) - 1].confirm_of is not None
    return confirming or draft.stopped_below(draft.asked) == 0


def _reached(spec: SearchSpec, space: Space, draft: Draft, facts: Facts, end: Outcome | None) -> Outcome | None:
    """The outcome that the children have come to, once none of them is under way; no more will be sampled."""
    if any(trial.confirm_of is None for trial in draft.active) or (spec.suspend and end is None):
        return None
    if end is not None:
        return end
    if draft.asked >= spec.trials.max:
        return all_done(spec, draft.tally)
    all_known = exhausted(spec, space, draft)
    return no_more_new(spec, draft.tally, facts, exhausted=all_known, duplicates=draft.trailing_duplicates)


def _outcome(spec: SearchSpec, draft: Draft, facts: Facts, reached: Outcome) -> Outcome | None:
    """The outcome, once nothing runs and the policy has been taught everything."""
    taught = facts.controller is not None and facts.controller.version == draft.taught
    return None if draft.active or not taught else with_confirmations(spec, draft, facts, reached)


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

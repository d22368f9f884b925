"""When a search ends: the stopping rules, each with the reason it gives."""

from archsearch.api import SearchSpec, seconds
from archsearch.engine.ledger import Tally
from archsearch.engine.model import Facts, Outcome, Result
from archsearch.engine.rewards import reached

_REPEATS = {
    "reinforce": "the policy has collapsed; more entropyWeight or a lower learningRate keeps it exploring",
    "ppo": "the policy has collapsed; more entropyWeight or a lower learningRate keeps it exploring",
    "regularizedEvolution": "the population has converged; a larger population keeps it exploring",
    "evolution": "the population has converged; a larger population keeps it exploring",
}
"""Why a strategy repeats itself, where that is not for want of new networks."""


def ending(spec: SearchSpec, tally: Tally, facts: Facts, *, done: bool = False) -> Outcome | None:
    """The rule that ends the search now, stopping what runs; None: it goes on.

    ``done``: all its children have ended, so that a deadline which passes now cuts none of them short and is not why
    it ends.
    """
    return (
        _shared_fault(tally, facts.forgiven)
        or _too_many_failures(spec, tally)
        or _target(spec, tally)
        or (None if done else _deadline(spec, tally, facts.active_seconds))
    )


def _shared_fault(tally: Tally, forgiven: int) -> Outcome | None:
    fault = tally.shared_fault
    if fault is None or fault.observation is None or fault.observation < forgiven or tally.succeeded:
        return None
    message = f"child {fault.index} says that every child will fail alike: {fault.message}"
    return Outcome(Result.FAILED, fault.reason or "SharedFault", message)


def _too_many_failures(spec: SearchSpec, tally: Tally) -> Outcome | None:
    if tally.failed <= spec.trials.max_failed:
        return None
    message = f"{tally.failed} trials failed; trials.maxFailed is {spec.trials.max_failed}"
    return Outcome(Result.FAILED, "TooManyFailures", message)


def _target(spec: SearchSpec, tally: Tally) -> Outcome | None:
    name = spec.objective.metric
    if tally.best is None or not reached(spec.objective, tally.best.metrics[name]):
        return None
    value = tally.best.metrics[name]
    message = f"child {tally.best.index} has {name} {value:.6g}; objective.target is {spec.objective.target:.6g}"
    return Outcome(Result.SUCCEEDED, "TargetReached", message)


def _deadline(spec: SearchSpec, tally: Tally, active_seconds: float) -> Outcome | None:
    if spec.trials.deadline is None or active_seconds < seconds(spec.trials.deadline):
        return None
    message = f"the search was active for trials.deadline ({spec.trials.deadline})"
    return _with_success(tally, Outcome(Result.SUCCEEDED, "DeadlineReached", message))


def all_done(spec: SearchSpec, tally: Tally) -> Outcome:
    """The outcome when every child of the budget has ended."""
    message = f"all {spec.trials.max} children have ended"
    return _with_success(tally, Outcome(Result.SUCCEEDED, "MaxTrialsReached", message))


def no_more_new(spec: SearchSpec, tally: Tally, facts: Facts, *, exhausted: bool, duplicates: int) -> Outcome:
    """The outcome when the strategy proposes nothing but known children."""
    if exhausted:
        message = "every network of the search space has been sampled"
        return _with_success(tally, Outcome(Result.SUCCEEDED, "SpaceExhausted", message))
    strategy = facts.strategy or spec.strategy.resolved()
    why = _REPEATS.get(strategy.kind, "hardly a network of the search space is new")
    message = (
        f"the last {duplicates} children repeat earlier ones (trials.maxConsecutiveDuplicates is "
        f"{spec.trials.max_consecutive_duplicates}): {why}"
    )
    return _with_success(tally, Outcome(Result.SUCCEEDED, "PolicyCollapsed", message))


def _with_success(tally: Tally, outcome: Outcome) -> Outcome:
    if tally.best is not None:
        return outcome
    if tally.succeeded:
        none = "and none of those that succeeded is within the limits of objective.also"
        return Outcome(Result.FAILED, outcome.reason, f"{outcome.message}, {none}")
    return Outcome(Result.FAILED, outcome.reason, f"{outcome.message}, and none has succeeded")

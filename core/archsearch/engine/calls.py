"""What to say to the controller: teach, ask and, where its state is not the ledger's, replay."""

from collections.abc import Iterator

from archsearch.api import SearchSpec
from archsearch.engine.draft import Draft
from archsearch.engine.model import AskFor, Call, ControllerFact, Facts, Replay, Teach


def controller_calls(spec: SearchSpec, draft: Draft, facts: Facts, *, closed: bool) -> tuple[Call, ...]:
    """The calls of this pass, in order. ``closed``: no more children are sampled, so everything is taught."""
    controller = facts.controller
    if controller is None:
        return ()
    if controller.asked < draft.asked or controller.version > draft.taught:
        return (Replay(),)
    wanted = range(0) if closed or spec.suspend else _wanted(spec, draft)
    if spec.trials.reproducible and not closed:
        return tuple(_in_order(spec, draft, controller, wanted))
    teach = (Teach(controller.version, draft.taught),) if controller.version < draft.taught else ()
    return teach + tuple(AskFor(index, None) for index in wanted)


def _wanted(spec: SearchSpec, draft: Draft) -> range:
    """Places to ask for: one for each slot that is free, and lookahead beyond."""
    trials = spec.trials
    if trials.parallelism == 0:
        return range(0)
    taken = sum(trial.reuse_of is None for trial in draft.active)
    free = max(0, trials.parallelism + trials.lookahead - taken)
    return range(draft.asked, min(draft.asked + free, trials.max))


def _in_order(spec: SearchSpec, draft: Draft, controller: ControllerFact, wanted: range) -> Iterator[Call]:
    """Asks each of which sees exactly the rewards of 0 .. i - parallelism - lookahead, taught just before it."""
    taught = controller.version
    for index in wanted:
        prefix = max(0, index - spec.trials.parallelism - spec.trials.lookahead + 1)
        if prefix > draft.settled:
            return
        version = prefix - draft.stopped_below(prefix)
        if taught > version and controller.asked <= index:
            yield Replay()
            return
        if taught < version:
            yield Teach(taught, version)
            taught = version
        yield AskFor(index, version)

"""New children: recording what the controller has proposed, and when no more are sampled."""

from dataclasses import replace
from datetime import datetime

from archsearch.api import Duplicates, SearchSpec
from archsearch.controller_contract import Proposal
from archsearch.engine.draft import Draft
from archsearch.engine.model import Facts, Outcome, Phase, Result, Trial
from archsearch.engine.settle import reused
from archsearch.space.base import Space


def record(spec: SearchSpec, space: Space, draft: Draft, facts: Facts, now: datetime) -> Outcome | None:
    """Record the controller's proposals as trials, in order of index."""
    for proposal in sorted(facts.proposals, key=lambda proposal: proposal.index):
        if proposal.index != draft.asked or closed(spec, space, draft):
            continue
        stage = space.stage(proposal.index)
        problem = space.problem(proposal.genotype, stage)
        if problem is not None:
            message = f"the controller proposed a child {proposal.index} that is not of the search space: {problem}"
            return Outcome(Result.FAILED, "InvalidProposal", message)
        draft.add(_new_trial(spec, space, draft, proposal, now))
    return None


def _new_trial(spec: SearchSpec, space: Space, draft: Draft, proposal: Proposal, now: datetime) -> Trial:
    duplicate_of = draft.first_of(proposal.genotype, space.canonical)
    trial = Trial(
        index=len(draft),
        genotype=proposal.genotype,
        architecture=space.decode(proposal.genotype),
        policy_version=proposal.policy_version,
        log_probability=proposal.log_probability,
        created=now,
        duplicate_of=duplicate_of,
        ask=None if proposal.index == len(draft) else proposal.index,
    )
    if duplicate_of is None or not _reusable(spec, draft, duplicate_of, proposal.index):
        return trial
    root = draft[duplicate_of]
    trial = replace(trial, reuse_of=duplicate_of)
    return reused(trial, root, now) if root.phase.terminal else trial


def _reusable(spec: SearchSpec, draft: Draft, root: int, place: int) -> bool:
    trials = spec.trials
    if trials.duplicates is not Duplicates.REUSE or draft[root].phase is Phase.STOPPED or draft[root].shared_fault:
        return False  # stopped, or failed by a fault that was not its own: it has nothing to take over
    return not trials.reproducible or draft[root].place <= place - trials.parallelism - trials.lookahead


def closed(spec: SearchSpec, space: Space, draft: Draft) -> bool:
    """Whether no more children are sampled, though running ones may end."""
    if draft.asked >= spec.trials.max or draft.trailing_duplicates >= spec.trials.max_consecutive_duplicates:
        return True
    return exhausted(spec, space, draft)


def exhausted(spec: SearchSpec, space: Space, draft: Draft) -> bool:
    """Whether every network has been sampled; asked only once duplicates appear, and of spaces that do not grow.

    A space knows how many genotypes it has, not how many networks. Where several genotypes are one network that number
    is never reached, and ``trials.maxConsecutiveDuplicates`` ends such a search.
    """
    if spec.trials.duplicates is not Duplicates.REUSE or draft.trailing_duplicates == 0:
        return False
    return space.stage(0) == space.stage(spec.trials.max - 1) and draft.distinct >= space.size(space.stage(0))

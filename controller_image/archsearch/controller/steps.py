"""A child as the recurrent policy sees it: one step per decision, and one step per layer for all skips into it."""

from dataclasses import dataclass

from archsearch.space.base import Decision, Genotype, Space, walk

ANCHOR = "anchor"
"""Kind of a step that answers all skip decisions of one layer as a set (1611.01578, section 3.3)."""


@dataclass(frozen=True)
class Step:
    """One step of the policy.

    ``sources`` are the layers that an anchor step may read; ``target`` is its layer. Both are empty for a plain
    decision, whose ``kind`` names the softmax that answers it.
    """

    kind: str
    target: int = -1
    sources: tuple[int, ...] = ()


@dataclass(frozen=True)
class Script:
    """A child spelt out in steps; ``tokens`` and ``legal`` have, for each step, one entry per decision that it answers.

    Decisions with a single option are no steps: nothing is chosen there and nothing can be learned.
    """

    steps: tuple[Step, ...]
    tokens: tuple[tuple[int, ...], ...]
    legal: tuple[tuple[tuple[int, ...], ...], ...]


def is_step(decision: Decision) -> bool:
    """Whether the policy has anything to choose at ``decision``, in any child."""
    return len(decision.options) > 1


def script(space: Space, genotype: Genotype, stage: int) -> Script:
    """Spell ``genotype`` out in steps.

    Raises:
        GenotypeError: it is not of this space.
    """
    steps: list[Step] = []
    tokens: list[tuple[int, ...]] = []
    legal: list[tuple[tuple[int, ...], ...]] = []
    for decisions, chosen in _groups(space, genotype, stage):
        first = decisions[0]
        if first.anchor is None:
            steps.append(Step(first.kind))
        else:
            sources = tuple(decision.anchor.source for decision in decisions if decision.anchor is not None)
            steps.append(Step(ANCHOR, first.anchor.target, sources))
        tokens.append(tuple(chosen))
        legal.append(tuple(decision.legal for decision in decisions))
    return Script(tuple(steps), tuple(tokens), tuple(legal))


def _groups(space: Space, genotype: Genotype, stage: int) -> list[tuple[list[Decision], list[int]]]:
    groups: list[tuple[list[Decision], list[int]]] = []
    open_target: int | None = None
    for decision, token in zip(walk(space, genotype, stage), genotype, strict=True):
        if not is_step(decision):
            open_target = None
            continue
        target = None if decision.anchor is None else decision.anchor.target
        if target is not None and target == open_target:
            groups[-1][0].append(decision)
            groups[-1][1].append(token)
        else:
            groups.append(([decision], [token]))
        open_target = target
    return groups

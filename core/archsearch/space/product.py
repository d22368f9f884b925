"""What spaces share whose decisions do not narrow one another: every option stays legal, whatever came before."""

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from archsearch.space.base import Decision, Draw, Genotype, GenotypeError, Mutation
from archsearch.space.reading import shown


class ProductSpace:
    """One list of decisions of which every stage takes the first so many.

    A child grows at its end, so the decisions of a stage are a prefix of those of the next: ``next`` is one look-up,
    and a policy sees the very same :class:`Decision` objects at every depth.
    """

    def __init__(self, decisions: Sequence[Decision], lengths: Mapping[int, int]) -> None:
        """``lengths``: the number of decisions of each stage, growing with the stage."""
        self._decisions = tuple(decisions)
        self._lengths = dict(sorted(lengths.items()))

    @property
    def stages(self) -> tuple[int, ...]:
        """Every stage that a child may have, ascending."""
        return tuple(self._lengths)

    def decisions(self, stage: int) -> tuple[Decision, ...]:
        """All decisions of ``stage``, in order. Raises ValueError: no such stage."""
        return self._decisions[: self._length(stage)]

    def next(self, prefix: Sequence[int], stage: int) -> Decision | None:
        """The decision that follows ``prefix``, or None when the child is complete.

        Only the length of ``prefix`` matters here; its tokens are judged by :meth:`problem`. Raises ValueError: no
        such stage.
        """
        position = len(prefix)
        return self._decisions[position] if position < self._length(stage) else None

    def size(self, stage: int | None = None) -> int:
        """Exact number of genotypes in ``stage``; None: of the last stage. Raises ValueError: no such stage."""
        chosen = self.stages[-1] if stage is None else stage
        return prod(len(decision.legal) for decision in self.decisions(chosen))

    def sample(self, draw: Draw, stage: int) -> Genotype:
        """A genotype drawn uniformly from ``stage``: one ``draw`` for each decision, also where one option is left.

        Raises ValueError: no such stage.
        """
        return tuple(decision.legal[draw(len(decision.legal))] for decision in self.decisions(stage))

    def problem(self, genotype: Sequence[int], stage: int | None = None) -> str | None:
        """Why ``genotype`` is invalid in ``stage`` (None: in every stage), or None when it is valid.

        The first bad token is told before a wrong length. Raises ValueError: no such stage.
        """
        longest = self._length(self.stages[-1] if stage is None else stage)
        for position, (token, decision) in enumerate(zip(genotype, self._decisions[:longest], strict=False)):
            # True == 1, so that a look-up alone would let a boolean pass for a token.
            if type(token) is not int or token not in decision.legal:
                return f"token {position} ({decision.name}) is {shown(token)}; allowed: {_tokens(decision)}"
        if stage is None:
            return self._length_problem(len(genotype))
        if len(genotype) > longest:
            return f"genotype has {len(genotype)} tokens; the child is complete after {longest}"
        if len(genotype) < longest:
            return f"genotype ends after {len(genotype)} tokens; the next decision is {self._at(len(genotype))}"
        return None

    def canonical(self, genotype: Sequence[int]) -> Genotype:
        """The genotype itself: here no two genotypes are the same network. Raises GenotypeError."""
        self.check(genotype)
        return tuple(genotype)

    def distance(self, one: Sequence[int], other: Sequence[int]) -> int:
        """Decisions in which the canonical forms differ, those that only the longer has among them.

        Raises GenotypeError.
        """
        first, second = self.canonical(one), self.canonical(other)
        differ = sum(a != b for a, b in zip(first, second, strict=False))
        return differ + abs(len(first) - len(second))

    def mutation(self, decision: Decision, token: int) -> str:
        """Name of the mutation that changes ``decision``, answered by ``token`` so far."""
        return "change"

    def mutations(self, stage: int) -> tuple[str, ...]:
        """Names of the mutations, in the order of the first decision that each may change."""
        free = (decision for decision in self.decisions(stage) if _free(decision))
        return tuple(dict.fromkeys(self.mutation(decision, token) for decision in free for token in decision.legal))

    def neighbours(self, genotype: Sequence[int], stage: int, name: str | None = None) -> Iterator[Mutation]:
        """Every genotype that answers one decision otherwise, by decision and then by option.

        Raises GenotypeError, ValueError: no such mutation.
        """
        for position in self._places(genotype, stage, name):
            decision = self._decisions[position]
            for token in decision.legal:
                if token != genotype[position]:
                    yield Mutation(self.mutation(decision, genotype[position]), _with(genotype, position, token))

    def mutate(self, genotype: Sequence[int], stage: int, draw: Draw, name: str | None = None) -> Mutation | None:
        """A mutation, a decision that it changes, and another of its options, each drawn uniformly.

        None where no decision has two options. Raises GenotypeError, ValueError: no such mutation.
        """
        places = self._places(genotype, stage, name)
        if not places:
            return None
        by_name: dict[str, list[int]] = {}
        for place in places:
            by_name.setdefault(self.mutation(self._decisions[place], genotype[place]), []).append(place)
        chosen = list(by_name)[draw(len(by_name))]
        position = by_name[chosen][draw(len(by_name[chosen]))]
        others = [token for token in self._decisions[position].legal if token != genotype[position]]
        return Mutation(chosen, _with(genotype, position, others[draw(len(others))]))

    def extend(self, genotype: Sequence[int], stage: int, draw: Draw) -> Genotype:
        """``genotype`` with the decisions it lacks in ``stage`` drawn uniformly. Raises GenotypeError."""
        self.check(genotype)
        if len(genotype) > self._length(stage):
            length = self._length(stage)
            raise GenotypeError(f"genotype has {len(genotype)} tokens; the child is complete after {length}")
        missing = self.decisions(stage)[len(genotype) :]
        return (*genotype, *(decision.legal[draw(len(decision.legal))] for decision in missing))

    def _places(self, genotype: Sequence[int], stage: int, name: str | None) -> list[int]:
        problem = self.problem(genotype, stage)
        if problem is not None:
            raise GenotypeError(problem)
        if name is not None and name not in self.mutations(stage):
            raise ValueError(f"mutation is {shown(name)}; allowed: {', '.join(self.mutations(stage)) or 'none'}")
        return [
            position
            for position, decision in enumerate(self.decisions(stage))
            if _free(decision) and name in (None, self.mutation(decision, genotype[position]))
        ]

    def check(self, genotype: Sequence[int]) -> None:
        """Raise GenotypeError unless ``genotype`` is valid in some stage."""
        problem = self.problem(genotype)
        if problem is not None:
            raise GenotypeError(problem)

    def _length_problem(self, tokens: int) -> str | None:
        lengths = tuple(self._lengths.values())
        if tokens in lengths:
            return None
        allowed = f"children have {' or '.join(map(str, lengths))} tokens"
        if tokens > lengths[-1]:
            return f"genotype has {tokens} tokens; {allowed}"
        return f"genotype ends after {tokens} tokens; the next decision is {self._at(tokens)}; {allowed}"

    def _at(self, position: int) -> str:
        return self._decisions[position].name

    def _length(self, stage: int) -> int:
        try:
            return self._lengths[stage]
        except KeyError:
            stages = ", ".join(map(str, self._lengths))
            raise ValueError(f"stage {stage!r} is not of this space; its stages: {stages}") from None


def _tokens(decision: Decision) -> str:
    return ", ".join(f"{token} ({decision.options[token]!r})" for token in decision.legal)


def _free(decision: Decision) -> bool:
    return len(decision.legal) > 1


def _with(genotype: Sequence[int], position: int, token: int) -> Genotype:
    return (*genotype[:position], token, *genotype[position + 1 :])

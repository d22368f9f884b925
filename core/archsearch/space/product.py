"""What spaces share whose decisions do not narrow one another: every option stays legal, whatever came before."""

from collections.abc import Mapping, Sequence
from math import prod

from archsearch.space.base import Decision, Draw, Genotype, GenotypeError
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

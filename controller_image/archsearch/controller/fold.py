"""A strategy with the log that was folded into it, and what may come next."""

from collections.abc import Sequence

from archsearch.controller.strategy import Strategy
from archsearch.controller_contract import Ask, Observation, Tell
from archsearch.space.base import Space


class Refused(Exception):  # noqa: N818 - it says what is the matter
    """A request that cannot be granted: ``status`` is 409 where it does not fit the state, else as in the contract."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


class Fold:
    """A strategy with the log that was folded into it, in the order of the log."""

    def __init__(self, strategy: Strategy, space: Space) -> None:
        self.strategy = strategy
        self.asks: list[Ask] = []
        self.tells: list[Observation] = []
        self.log_probabilities: dict[int, float] = {}
        self._space = space
        self._told: set[int] = set()

    def ask(self, ask: Ask) -> None:
        """Fold an ask that was checked."""
        self.strategy.adopt(ask.index, ask.genotype)
        self.asks.append(ask)

    def tell(self, observation: Observation) -> None:
        """Fold a tell that was checked."""
        self.strategy.observe(observation)
        # The child's own tuple is kept, so that the second copy of 180 numbers can go.
        genotype = self.asks[observation.index].genotype
        self.tells.append(observation.model_copy(update={"genotype": genotype}))
        self._told.add(observation.index)

    def until(self, index: int) -> list[Ask | Tell]:
        """The log up to ask ``index``, that one left out."""
        entries: list[Ask | Tell] = []
        told = 0
        for ask in self.asks[: index + 1]:
            entries.extend(Tell(observation=observation) for observation in self.tells[told : ask.policy_version])
            told = max(told, ask.policy_version)
            entries.append(ask)
        return entries[:-1]

    def check_ask(self, ask: Ask) -> None:
        """Raises Refused unless ``ask`` may come next."""
        if ask.index != len(self.asks):
            raise Refused(409, "AskOutOfOrder", f"ask of child {ask.index}; the next child is {len(self.asks)}")
        if ask.policy_version != len(self.tells):
            raise Refused(
                409,
                "VersionDiffers",
                f"ask of child {ask.index} has policyVersion {ask.policy_version}; {len(self.tells)} tells came before",
            )
        problem = self._space.problem(ask.genotype, self._space.stage(ask.index))
        if problem is not None:
            raise Refused(409, "BadGenotype", f"ask of child {ask.index}: {problem}")

    def check_tells(self, observations: Sequence[Observation], again: bool = True) -> list[Observation]:
        """Those that are new, in order; ``again``: ones that were told before may come again.

        Raises Refused where there is a gap, or one does not fit what is known.
        """
        fresh: list[Observation] = []
        indices: set[int] = set()
        for observation in observations:
            due = len(self.tells) + len(fresh)
            number = observation.number
            if number > due or (number < due and not again):
                raise Refused(409, "ObservationOutOfOrder", f"observation number is {number}; the next one is {due}")
            if number < due:
                _same(observation, self.tells[number] if number < len(self.tells) else fresh[number - len(self.tells)])
                continue
            self._check_child(observation, indices)
            indices.add(observation.index)
            fresh.append(observation)
        return fresh

    def _check_child(self, observation: Observation, indices: set[int]) -> None:
        index = observation.index
        if index >= len(self.asks):
            raise Refused(
                409, "UnknownChild", f"observation {observation.number} is of child {index}; asked: {len(self.asks)}"
            )
        if index in self._told or index in indices:
            raise Refused(
                409, "ChildToldTwice", f"observation {observation.number} is of child {index}, which was told before"
            )
        if observation.genotype != self.asks[index].genotype:
            raise Refused(
                409,
                "GenotypeDiffers",
                f"observation {observation.number} has genotype {_short(observation.genotype)}; "
                f"child {index} was proposed as {_short(self.asks[index].genotype)}",
            )


def _same(observation: Observation, taught: Observation) -> None:
    for field in ("index", "reward", "excused", "genotype"):
        now, before = getattr(observation, field), getattr(taught, field)
        if now != before:
            raise Refused(
                409,
                "ObservationDiffers",
                f"observation {observation.number} has {field} {_short(now)}; it was taught with {_short(before)}",
            )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:120]}..."

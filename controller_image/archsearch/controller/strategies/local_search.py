"""``strategy.localSearch``: hill climbing with restarts (White, Nolen and Savani, 2005.02960)."""

from collections import deque

from archsearch.api.strategies.local_search import LocalSearchStrategy, Step
from archsearch.controller.strategies.climb import Climb, Known
from archsearch.controller.strategies.fresh import Fresh
from archsearch.controller.strategies.population import NEVER, Journal, Layouts, Shares, draw_with
from archsearch.controller.strategy import Sampled, Summary, generator
from archsearch.controller_contract import Observation, OptionProbabilities
from archsearch.space.base import Genotype, Space

REMEMBERED = 32
"""Ends of climbs that :meth:`LocalSearch.decisions` counts."""


class LocalSearch:
    """Climbs from a random child over better and better neighbours, and starts anew where no neighbour is better.

    A child is a neighbour of the place where a climb stands: they come in a random order, drawn as the climb comes to
    the place. One whose reward is known is looked at and not asked for again. With ``step: First`` the climb moves to a
    neighbour as soon as its better reward is known, with ``Best`` to the best when those of all neighbours are. A
    climb all of whose neighbours are told and not better has ended. Equal is not better; failed is worse than any.

    A child of a network that nobody has asked for, drawn uniformly, starts a further climb whenever no climb has a
    neighbour to hand out: with one child in flight that is when the only climb has ended, with many also while all
    neighbours are out. Of several climbs that have neighbours left, the one that stands best goes first. Networks are
    asked for again only when none is left that was not.

    In a growing space the first climb of a new stage starts at the best child so far, extended uniformly, and climbs of
    the stage before end.
    """

    name = "localSearch"

    def __init__(self, settings: LocalSearchStrategy, space: Space, seed: int) -> None:
        self._first = settings.step is Step.FIRST
        self._space = space
        self._seed = seed
        self._layouts = Layouts(space)
        self._fresh = Fresh(space, self._layouts)
        self._known: dict[bytes, Known] = {}
        """Every network that was asked for."""
        self._flying: dict[int, bytes] = {}
        self._asked: dict[int, int] = {}
        """Networks asked for, by stage."""
        self._climbs: list[Climb] = []
        self._started = 0
        self._stood = 0
        self._best: Known | None = None
        self._ends: deque[Genotype] = deque()
        self._shares = Shares()
        self._stage = space.stage(0)
        self._journal = Journal(f"{self.name} {settings.model_dump_json()} {seed}")

    @property
    def climbs(self) -> tuple[Climb, ...]:
        """The climbs that have not ended, in the order in which they started."""
        return tuple(self._climbs)

    def propose(self, index: int) -> Sampled:
        """Draw child ``index`` by a generator of its own."""
        stage = self._space.stage(index)
        layout = self._layouts.of(stage)
        draw = draw_with(generator(self._seed, self.name, index))
        climb = self._climbing(stage)
        if climb is not None and climb.next is not None:
            genotype = climb.next[1]
        elif (elder := self._elder(stage)) is not None:
            genotype = self._space.extend(elder, stage, draw)
        else:
            genotype = self._fresh.draw(self._known, stage, draw)
        return Sampled(genotype, self.log_probability(index, genotype), self._shares.entropy(layout))

    def log_probability(self, index: int, genotype: Genotype) -> float:
        """0 for the neighbour that comes next, for the order is drawn before; NEVER for any other child then.

        Exact for an extended child; for another start of a climb, that of the uniform draw from the networks that
        nobody has asked for, as :meth:`Fresh.log_probability` gives it.
        """
        stage = self._space.stage(index)
        climb = self._climbing(stage)
        if climb is not None and climb.next is not None:
            return 0.0 if climb.next[1] == tuple(genotype) else NEVER
        if (elder := self._elder(stage)) is not None:
            return self._layouts.of(stage).log_extended(elder, tuple(genotype))
        asked = self._asked.get(stage, 0)
        if asked < self._space.size(stage) and self._fresh.key(genotype) in self._known:
            return NEVER
        return self._fresh.log_probability(asked, stage)

    def adopt(self, index: int, genotype: Genotype) -> None:
        """The next neighbour of a climb is out, whoever drew it; any other network not known before starts a climb."""
        stage = self._space.stage(index)
        if stage != self._stage:
            for climb in list(self._climbs):
                self._drop(climb)
            self._stage = stage
        key = self._fresh.key(genotype)
        self._flying[index] = key
        self._journal.enter("asked", index, key)
        if key in self._known:
            return
        self._known[key] = Known(genotype)
        self._asked[stage] = self._asked.get(stage, 0) + 1
        parents = [climb for climb in self._climbs if climb.hand_out(key)]
        if not parents:
            self._climbs.append(Climb(self._started, key, genotype))
            self._journal.enter("started", self._started)
            self._started += 1
        self._look_ahead()

    def observe(self, observation: Observation) -> None:
        """The climbs that waited for it move, go on, or end."""
        if observation.index not in self._flying:
            self.adopt(observation.index, observation.genotype)
        key = self._flying.pop(observation.index)
        known = self._known[key]
        self._journal.enter("told", observation.number, observation.index, observation.reward)
        known.told = True
        # A network that was asked for twice keeps its first reward: climbs stand on it.
        if known.reward is None and observation.reward is not None:
            known.reward = observation.reward
            if self._best is None or self._best.reward is None or known.reward > self._best.reward:
                self._best = known
        for climb in [climb for climb in self._climbs if climb.hear(key)]:
            if climb.reward is not None:
                climb.consider(known)
                self._settle(climb)
            elif known.reward is not None:
                self._stand(climb, known)
            else:
                self._drop(climb)
        self._look_ahead()

    def hash(self) -> str:
        """SHA-256 over settings, seed, every ask and tell, and where climbs started, moved and ended."""
        return self._journal.hash()

    def summary(self) -> Summary:
        """Entropy of the options' shares among the last 32 ends of climbs and the places where climbs stand."""
        return Summary(entropy=self._shares.entropy(self._layouts.of(self._stage)))

    def decisions(self, stage: int) -> tuple[OptionProbabilities, ...]:
        """The options' shares among the last 32 ends of climbs and the places where climbs stand; uniform if none."""
        return self._shares.decisions(self._layouts.of(stage))

    def _climbing(self, stage: int) -> Climb | None:
        """The climb whose turn it is: the one that stands best, of equal ones the first."""
        if stage != self._stage:
            return None
        handing = [climb for climb in self._climbs if climb.may_hand_out]
        return max(handing, key=lambda climb: (climb.reward, -climb.number), default=None)

    def _look_ahead(self) -> None:
        """See to it that the climb whose turn it is knows the neighbour that comes next.

        The others look when it is their turn: with 800 children in flight hundreds of climbs may stand at their starts.
        """
        while (climb := self._climbing(self._stage)) is not None and climb.next is None:
            if climb.left is None:
                climb.left = self._order(climb)
            while climb.look(self._space, self._stage, self._fresh.key, self._known) and not self._first:
                pass  # Best looks at all of them
            self._settle(climb)

    def _order(self, climb: Climb) -> list[int]:
        self._stood += 1
        count = sum(1 for _ in self._space.neighbours(climb.genotype, self._stage))
        order: list[int] = generator(self._seed, f"{self.name}/order", self._stood).permutation(count).tolist()
        return order

    def _settle(self, climb: Climb) -> None:
        """Move ``climb`` if it may move by now, or end it if all neighbours are told."""
        if climb.better is not None and (self._first or climb.done):
            self._stand(climb, climb.better)
        elif climb.done:
            self._journal.enter("ended", climb.number)
            self._ends.append(climb.genotype)
            self._shares.add(climb.genotype)
            if len(self._ends) > REMEMBERED:
                self._shares.remove(self._ends.popleft())
            self._drop(climb)

    def _stand(self, climb: Climb, known: Known) -> None:
        if climb.reward is not None:
            self._shares.remove(climb.genotype)
        climb.stand(known)
        self._shares.add(climb.genotype)
        self._journal.enter("moved", climb.number, known.reward, *climb.genotype)

    def _drop(self, climb: Climb) -> None:
        if climb.reward is not None:
            self._shares.remove(climb.genotype)
        self._climbs.remove(climb)

    def _elder(self, stage: int) -> Genotype | None:
        """The best child of earlier stages, as long as no child of ``stage`` was asked for."""
        return None if self._best is None or self._asked.get(stage) else self._best.genotype

"""From what was told to children in the order in which they are worth a trial."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from archsearch.controller.model.acquisition import Aim
from archsearch.controller.model.climb import Tokens
from archsearch.controller.model.features import Layout, Options, Points
from archsearch.controller.model.fit import Data, groups_of, most_probable
from archsearch.controller.model.gp import Posterior
from archsearch.controller.model.grid import Grid, Rows, is_small
from archsearch.controller.model.kernel import Hyper
from archsearch.controller.model.memory import Memory, chosen, epoch
from archsearch.controller.model.ranks import Scores, scores
from archsearch.controller.model.search import candidates
from archsearch.space.base import Genotype, Space

THOMPSON = 0.5
"""Share of children chosen by Thompson sampling; the others by expected improvement."""
SEES = 300
"""Networks that the model sees at its fit; up to 32 newer ones join until the next."""
FITS = 200
"""Networks that its parameters are fitted to."""
BELIEVES = 64
"""Pending children, latest first, whose expected scores it takes for granted; all are passed over."""
_ELITES = 12


@dataclass(frozen=True)
class Pending:
    """A child that was asked for and not told."""

    network: Genotype
    genotype: Genotype
    stage: int


@dataclass(frozen=True)
class Child:
    """A child that may be asked for."""

    genotype: Genotype
    network: Genotype
    """Its canonical form."""


@dataclass(frozen=True)
class _Epoch:
    """The model between two fits: a pure function of the first ``tells`` tells."""

    tells: int
    numbers: tuple[int, ...]
    """Entries that it sees."""
    entries: int
    """Entries there were."""
    hyper: Hyper


class Proposer:
    """Keeps caches, and nothing that does not follow from the memory."""

    def __init__(self, space: Space, layout: Layout, memory: Memory) -> None:
        self._space, self._layout, self._memory = space, layout, memory
        self._owner = torch.from_numpy(layout.owner)
        self._groups = groups_of(layout.kinds)
        self._encoded: dict[int, Options] = {}
        self._epoch: _Epoch | None = None
        self._grids: dict[int, Grid | None] = {}
        self._rows: dict[int, Rows] = {}

    def ranked(self, stage: int, pending: Sequence[Pending], stream: np.random.Generator) -> Iterator[Child]:
        """Children of ``stage``, best first, some of them known."""
        now = self._fitted()
        marks = scores(self._memory.rewards(len(self._memory.tells)))
        numbers = [*now.numbers, *range(now.entries, len(marks))]
        posterior = Posterior.given(now.hyper, self._owner, self._encode(numbers), torch.from_numpy(marks[numbers]))
        thompson = bool(stream.random() < THOMPSON)
        waiting = [child for child in pending if child.network not in self._memory][-BELIEVES:]
        asked = self._layout.encode([self._layout.row(child.genotype, child.stage) for child in waiting])
        believing = posterior.believing(asked)
        best = float(believing.mean(believing.covariance(believing.points)).max())
        aim = Aim(believing, best, thompson, stream)
        grid = self._grid(stage)
        if grid is not None:
            tokens, values = grid.tokens, grid.value(aim, self._cross(stage, grid, believing, len(numbers)))
        else:
            tokens, values = candidates(
                self._layout, self._layout.stage(stage), aim, self._elites(stage, marks, stream)
            )
        for row in torch.argsort(values, descending=True, stable=True).tolist():
            genotype = tuple(tokens[row].tolist())
            yield Child(genotype, self._layout.network(genotype) if grid is None else grid.network(row, genotype))

    def sees_all(self, stage: int) -> bool:
        """Whether :meth:`ranked` gives every child of ``stage``."""
        return self._grid(stage) is not None

    def _fitted(self) -> _Epoch:
        tells = epoch(len(self._memory.tells))
        if self._epoch is None or self._epoch.tells != tells:
            rewards = self._memory.rewards(tells)
            marks = scores(rewards)
            taught = chosen(rewards, FITS).tolist()
            data = Data(self._encode(taught), torch.from_numpy(marks[taught]), self._owner, self._groups)
            seen = tuple(chosen(rewards, SEES).tolist())
            self._epoch = _Epoch(tells, seen, len(rewards), most_probable(data))
            self._rows = {}
        return self._epoch

    def _encode(self, numbers: Sequence[int]) -> Points:
        for number in numbers:
            if number not in self._encoded:
                entry = self._memory.entries[number]
                self._encoded[number] = self._layout.row(entry.genotype, entry.stage)
        return self._layout.encode([self._encoded[number] for number in numbers])

    def _grid(self, stage: int) -> Grid | None:
        if stage not in self._grids:
            known = self._layout.stage(stage)
            self._grids = {stage: Grid(self._layout, known) if is_small(known) else None}
        return self._grids[stage]

    def _cross(self, stage: int, grid: Grid, posterior: Posterior, told: int) -> Tensor:
        """[data, children] covariances; those of what was told are kept from ask to ask."""
        if stage not in self._rows:
            self._rows[stage] = Rows(posterior.hyper, self._owner, grid)
        cross = self._rows[stage].upto(posterior.points.take(range(told)))
        if told == len(posterior.points):
            return cross
        return torch.cat([cross, posterior.covariance(grid.points).T[told:]])

    def _elites(self, stage: int, marks: Scores, stream: np.random.Generator) -> Tokens:
        """[up to _ELITES, decisions] the best networks told; those of earlier stages are drawn to their end."""
        best = [self._memory.entries[number] for number in np.argsort(-marks, kind="stable")[:_ELITES].tolist()]
        genotypes = [
            self._space.extend(entry.genotype, stage, lambda options: int(stream.integers(options)))
            for entry in best
            if entry.stage <= stage
        ]
        return np.array(genotypes, dtype=np.int64).reshape(-1, len(self._layout.stage(stage).decisions))

"""From what was told to children in the order in which they are worth a trial."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from archsearch.controller.model.features import Layout, Points, Stage
from archsearch.controller.model.fit import Data, most_probable
from archsearch.controller.model.gp import Posterior
from archsearch.controller.model.grid import Grid, Rows, is_small
from archsearch.controller.model.kernel import Hyper
from archsearch.controller.model.memory import Memory, chosen, epoch
from archsearch.controller.model.ranks import scores
from archsearch.controller.model.search import candidates
from archsearch.space.base import Genotype, Space

THOMPSON = 0.5
"""Share of children chosen by Thompson sampling; the others by expected improvement."""
SEES = 400
"""Networks that the model sees at its fit; up to 32 newer ones join until the next."""
FITS = 240
"""Of them, those that its parameters are fitted to."""
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
        self._epoch: _Epoch | None = None
        self._grids: dict[int, Grid | None] = {}
        self._rows: dict[int, Rows] = {}

    def ranked(
        self, stage: int, pending: Sequence[Pending], others: Sequence[Genotype], stream: np.random.Generator
    ) -> Iterator[Genotype]:
        """Children of ``stage``, best first, some of them known; ``others``: the policy's children."""
        now = self._fitted()
        rewards = self._memory.rewards(len(self._memory.tells))
        marks = scores(rewards)
        numbers = [*now.numbers, *range(now.entries, len(rewards))]
        posterior = Posterior.given(now.hyper, self._owner, self._encode(numbers), torch.from_numpy(marks[numbers]))
        thompson = bool(stream.random() < THOMPSON)
        waiting = [child for child in pending if child.network not in self._memory][-BELIEVES:]
        asked = self._layout.encode([child.genotype for child in waiting], [child.stage for child in waiting])
        believing = posterior.believing(asked)
        best = float(believing.mean(believing.covariance(believing.points)).max())
        known = self._layout.stage(stage)
        grid = self._grid(stage, known)
        if grid is not None:
            tokens, values = self._on_grid(stage, grid, believing, len(posterior.points), thompson, best, stream)
        else:
            tokens, values = self._bred(stage, known, believing, marks, others, thompson, best, stream)
        for row in torch.argsort(values, descending=True, stable=True).tolist():
            yield tuple(tokens[row].tolist()) if isinstance(tokens, np.ndarray) else tokens[row]

    def _fitted(self) -> _Epoch:
        tells = epoch(len(self._memory.tells))
        if self._epoch is None or self._epoch.tells != tells:
            rewards = self._memory.rewards(tells)
            marks = scores(rewards)
            seen = chosen(rewards, SEES)
            taught = chosen(rewards, FITS).tolist()
            data = Data(self._encode(taught), torch.from_numpy(marks[taught]), self._owner)
            self._epoch = _Epoch(tells, tuple(seen.tolist()), len(rewards), most_probable(data))
            self._rows = {}
        return self._epoch

    def _encode(self, numbers: Sequence[int]) -> Points:
        entries = [self._memory.entries[number] for number in numbers]
        return self._layout.encode([entry.genotype for entry in entries], [entry.stage for entry in entries])

    def _grid(self, stage: int, known: Stage) -> Grid | None:
        if stage not in self._grids:
            self._grids = {stage: Grid(self._layout, known) if is_small(known) else None}
        return self._grids[stage]

    def _on_grid(
        self,
        stage: int,
        grid: Grid,
        posterior: Posterior,
        told: int,
        thompson: bool,
        best: float,
        stream: np.random.Generator,
    ) -> tuple[np.ndarray, Tensor]:
        if stage not in self._rows:
            self._rows[stage] = Rows(posterior.hyper, self._owner, grid)
        cross = self._rows[stage].upto(posterior.points.take(range(told)))
        if told < len(posterior.points):
            cross = torch.cat([cross, posterior.covariance(grid.points).T[told:]])
        if thompson:
            return grid.tokens, grid.draw(posterior, cross, stream)
        return grid.tokens, grid.improvement(posterior, cross, best)

    def _bred(
        self,
        stage: int,
        known: Stage,
        posterior: Posterior,
        marks: np.ndarray,
        others: Sequence[Genotype],
        thompson: bool,
        best: float,
        stream: np.random.Generator,
    ) -> tuple[np.ndarray | list[Genotype], Tensor]:
        order = np.argsort(-marks, kind="stable")[: 4 * _ELITES]
        entries = [self._memory.entries[number] for number in order]
        elites = [entry.genotype for entry in entries if entry.stage == stage][:_ELITES] or list(others)
        if not known.independent:
            draws = [self._space.sample(lambda options: int(stream.integers(options)), stage) for _ in range(128)]
            pool = list(dict.fromkeys([*others, *draws]))
            points = self._layout.encode(pool, [stage] * len(pool))
            cross = posterior.covariance(points)
            normal = torch.from_numpy(stream.standard_normal(len(pool)))
            mean, variance = posterior.mean(cross), posterior.variance(cross)
            return pool, mean + variance.sqrt() * normal
        width = len(known.decisions)
        return candidates(
            self._layout,
            known,
            posterior,
            np.array(elites, dtype=np.int64).reshape(-1, width),
            np.array(others, dtype=np.int64).reshape(-1, width),
            thompson,
            best,
            stream,
        )

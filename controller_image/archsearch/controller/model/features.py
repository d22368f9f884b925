"""Children as the model sees them: which option answers each decision, and how often each option occurs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from archsearch.controller.strategy import generator
from archsearch.space.base import Decision, Genotype, Space, walk

_PROBES = 16
"""Children drawn from the first and from the last stage to meet the decisions of a space."""


@dataclass(frozen=True)
class Points:
    """Children as features; float64."""

    chosen: Tensor
    """[n, columns] zeros and ones: one column for each option of each decision, and one for its absence."""
    counts: Tensor
    """[n, bags] how often each option occurs among the decisions of equal options, in units of the root of the mean
    squared distance of two uniform children."""

    def __len__(self) -> int:
        return len(self.chosen)

    def join(self, other: "Points") -> "Points":
        """These, then ``other``."""
        return Points(torch.cat([self.chosen, other.chosen]), torch.cat([self.counts, other.counts]))

    def take(self, rows: Sequence[int] | Tensor) -> "Points":
        """The rows named."""
        return Points(self.chosen[rows], self.counts[rows])


@dataclass(frozen=True)
class Stage:
    """What children of one stage decide."""

    decisions: tuple[Decision, ...]
    independent: bool
    """Whether every child of the stage has these decisions with these legal tokens, in this order."""

    @property
    def legal(self) -> tuple[tuple[int, ...], ...]:
        """Legal tokens of each decision."""
        return tuple(decision.legal for decision in self.decisions)


class Layout:
    """The columns of a space: decisions by name, in the order in which they are met."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._stages: dict[int, Stage] = {}
        met: dict[str, Decision] = {}
        for stage in dict.fromkeys((space.stage(0), space.stage(2**62))):
            for decisions in self._probe(stage):
                met.update((decision.name, decision) for decision in decisions if decision.name not in met)
        self.names = tuple(met)
        self.widths = tuple(len(decision.options) + 1 for decision in met.values())
        """Columns of each decision: absent, then its options."""
        starts = np.concatenate([[0], np.cumsum(self.widths)])
        self.columns = int(starts[-1])
        self.starts = {name: int(start) for name, start in zip(self.names, starts, strict=False)}
        self.owner = np.repeat(np.arange(len(self.names)), self.widths)
        """[columns] the decision that each column belongs to."""
        self.bags = torch.from_numpy(self._bagged(list(met.values())))
        """[columns, bags] the weight of each column in each count."""

    def stage(self, stage: int) -> Stage:
        """The decisions of ``stage``."""
        if stage not in self._stages:
            probes = list(self._probe(stage))
            same = all(probe == probes[0] for probe in probes)
            self._stages[stage] = Stage(tuple(probes[0]), same)
        return self._stages[stage]

    def encode(self, genotypes: Sequence[Genotype], stages: Sequence[int]) -> Points:
        """Features of children, each of the stage named."""
        rows = [self._row(genotype, stage) for genotype, stage in zip(genotypes, stages, strict=True)]
        return self._points(np.array(rows, dtype=np.int64).reshape(len(rows), len(self.names)))

    def encode_tokens(self, tokens: np.ndarray, stage: Stage) -> Points:
        """Features of [n, decisions] tokens of an independent stage."""
        options = np.full((len(tokens), len(self.names)), 0, dtype=np.int64)
        for place, decision in enumerate(stage.decisions):
            options[:, self.names.index(decision.name)] = tokens[:, place] + 1
        return self._points(options)

    def _row(self, genotype: Genotype, stage: int) -> list[int]:
        known = self.stage(stage)
        decisions = known.decisions if known.independent else walk(self._space, genotype, stage)
        given = {decision.name: token + 1 for decision, token in zip(decisions, genotype, strict=True)}
        return [given.get(name, 0) for name in self.names]

    def _points(self, options: np.ndarray) -> Points:
        chosen = np.zeros((len(options), self.columns))
        starts = np.array([self.starts[name] for name in self.names], dtype=np.int64)
        np.put_along_axis(chosen, options + starts, 1.0, axis=1)
        return Points(torch.from_numpy(chosen), torch.from_numpy(chosen) @ self.bags)

    def _bagged(self, decisions: Sequence[Decision]) -> np.ndarray:
        """[columns, bags] the weight of each column in each count: decisions whose option lists are equal, two or more
        of them, share counts of their options (and of being absent)."""
        groups: dict[tuple[object, ...], list[Decision]] = {}
        for decision in decisions:
            groups.setdefault(tuple((type(option), option) for option in decision.options), []).append(decision)
        shared = [group for options, group in groups.items() if len(group) > 1 and len(options) > 1]
        columns: list[np.ndarray] = []
        for group in shared:
            width = len(group[0].options)
            unit = (2 * len(group) * (1 - 1 / width)) ** 0.5
            for option in range(width + 1):
                column = np.zeros(self.columns)
                column[[self.starts[decision.name] + option for decision in group]] = 1 / unit
                columns.append(column)
        return np.array(columns).T if columns else np.zeros((self.columns, 0))

    def _probe(self, stage: int) -> Iterator[list[Decision]]:
        stream = generator(self._seed, "layout", stage)
        for _ in range(_PROBES):
            genotype = self._space.sample(lambda options: int(stream.integers(options)), stage)
            yield walk(self._space, genotype, stage)

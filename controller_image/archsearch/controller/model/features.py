"""Children as the model sees them: which option answers each decision, and how often each option occurs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from archsearch.space.base import Decision, Genotype, Space, walk

Options = NDArray[np.int64]

_BAGGED = 1 << 20
"""Largest table of columns and bags: 8 MiB."""
_FAR = 2**62
"""A child of the last stage."""


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
    """What children of one stage decide: the same decisions, with the same legal tokens, for every child."""

    decisions: tuple[Decision, ...]

    @cached_property
    def legal(self) -> tuple[tuple[int, ...], ...]:
        """Legal tokens of each decision."""
        return tuple(decision.legal for decision in self.decisions)


class Layout:
    """The columns of a space: decisions by name, in the order in which they are met."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._stages: dict[int, Stage] = {}
        met: dict[str, Decision] = {}
        for stage in (space.stage(0), space.stage(_FAR)):
            for decision in self.stage(stage).decisions:
                met.setdefault(decision.name, decision)
        self.names = tuple(met)
        self.widths = tuple(len(decision.options) + 1 for decision in met.values())
        """Columns of each decision: absent, then its options."""
        starts = np.concatenate([[0], np.cumsum(self.widths)])
        self.columns = int(starts[-1])
        self.starts = {name: int(start) for name, start in zip(self.names, starts, strict=False)}
        self._offsets = starts[:-1].astype(np.int64)
        self.places = {name: place for place, name in enumerate(self.names)}
        """Which decision of the space each is."""
        self.kinds = tuple(decision.kind for decision in met.values())
        """The kind of each decision."""
        self.owner = np.repeat(np.arange(len(self.names)), self.widths)
        """[columns] the decision that each column belongs to."""
        self.bags = torch.from_numpy(self._bagged(list(met.values())))
        """[columns, bags] the weight of each column in each count."""

    def stage(self, stage: int) -> Stage:
        """The decisions of ``stage``."""
        if stage not in self._stages:
            # Decisions never depend on the tokens before (see ProductSpace), so that any child shows them all.
            child = self._space.sample(lambda options: 0, stage)
            self._stages[stage] = Stage(tuple(walk(self._space, child, stage)))
        return self._stages[stage]

    def network(self, genotype: Genotype) -> Genotype:
        """The canonical form of a child."""
        return self._space.canonical(genotype)

    def row(self, genotype: Genotype, stage: int) -> Options:
        """[decisions of the space] the option that answers each, from 1; 0 where it is absent."""
        tokens = np.array([genotype], dtype=np.int64).reshape(1, len(genotype))
        return self._rows(tokens, self.stage(stage)).reshape(-1)

    def encode(self, rows: Sequence[Options]) -> Points:
        """Features of children from their rows."""
        return self._points(np.array(rows, dtype=np.int64).reshape(len(rows), len(self.names)))

    def encode_tokens(self, tokens: Options, stage: Stage) -> Points:
        """Features of [n, decisions] tokens of ``stage``."""
        return self._points(self._rows(tokens, stage))

    def _rows(self, tokens: Options, stage: Stage) -> Options:
        options = np.zeros((len(tokens), len(self.names)), dtype=np.int64)
        options[:, [self.places[decision.name] for decision in stage.decisions]] = tokens + 1
        return options

    def _points(self, options: Options) -> Points:
        chosen = np.zeros((len(options), self.columns))
        np.put_along_axis(chosen, options + self._offsets, 1.0, axis=1)
        return Points(torch.from_numpy(chosen), torch.from_numpy(chosen) @ self.bags)

    def _largest(self, groups: list[list[Decision]]) -> list[list[Decision]]:
        """Those of the most decisions, as many as memory is set aside for."""
        taken: list[list[Decision]] = []
        room = _BAGGED // self.columns
        for group in sorted(groups, key=len, reverse=True):
            room -= len(group[0].options) + 1
            if room < 0:
                break
            taken.append(group)
        return taken

    def _bagged(self, decisions: Sequence[Decision]) -> np.ndarray:
        """[columns, bags] the weight of each column in each count: decisions of one kind share the counts of their
        options (and of being absent); those whose kind is theirs alone share them where their options are equal."""
        kinds = Counter(decision.kind for decision in decisions)
        groups: dict[object, list[Decision]] = {}
        for decision in decisions:
            options = tuple((type(option), option) for option in decision.options)
            groups.setdefault(decision.kind if kinds[decision.kind] > 1 else options, []).append(decision)
        shared = [group for group in groups.values() if len(group) > 1 and len(group[0].options) > 1]
        if sum(len(group[0].options) + 1 for group in shared) * self.columns > _BAGGED:
            shared = self._largest(shared)
        columns: list[np.ndarray] = []
        for group in shared:
            width = len(group[0].options)
            unit = (2 * len(group) * (1 - 1 / width)) ** 0.5
            for option in range(width + 1):
                column = np.zeros(self.columns)
                column[[self.starts[decision.name] + option for decision in group]] = 1 / unit
                columns.append(column)
        return np.array(columns).T if columns else np.zeros((self.columns, 0))

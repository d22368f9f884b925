"""Which networks have been sampled: children by canonical form, since several genotypes may be one network."""

from collections.abc import Callable

from archsearch.engine.model import Trial
from archsearch.space.base import Genotype

Canonical = Callable[[Genotype], Genotype]
"""The canonical form of a genotype: :meth:`archsearch.space.base.Space.canonical` of the search's space."""


class Networks:
    """The first child of each network.

    Forms are worked out when they are first asked for, so that a ledger which is only read costs none. Always give the
    same ``canonical``.
    """

    def __init__(self) -> None:
        self._first: dict[Genotype, int] = {}
        self._waiting: list[Trial] = []
        """Children whose form nobody has asked for yet, by index."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, trial: Trial) -> None:
        """Take in the next child, by index; one that repeats a network changes nothing."""
        if trial.duplicate_of is None:
            self._waiting.append(trial)
            self._count += 1

    def first_of(self, genotype: Genotype, canonical: Canonical) -> int | None:
        """Index of the first child with the network of ``genotype``."""
        for trial in self._waiting:
            self._first.setdefault(canonical(trial.genotype), trial.index)
        self._waiting.clear()
        return self._first.get(canonical(genotype))

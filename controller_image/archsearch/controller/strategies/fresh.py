"""Uniform draws from the networks that nobody has asked for."""

import math
from collections.abc import Container, Mapping
from itertools import product

from archsearch.controller.strategies.population import Layouts, digest
from archsearch.space.base import Draw, Genotype, Space

TRIES = 100
"""Uniform draws before the whole stage is looked through: they fail only where nearly all of it is known."""
LISTED = 100_000
"""Genotypes of the largest stage that is looked through."""


class Fresh:
    """Draws genotypes of networks that are not known, each as likely as the other."""

    def __init__(self, space: Space, layouts: Layouts) -> None:
        self._space = space
        self._layouts = layouts
        self._used_up: tuple[int, int] | None = None

    def key(self, genotype: Genotype) -> bytes:
        """What two genotypes of one network have in common, and no others."""
        return digest(self._space.canonical(genotype))

    def draw(self, known: Mapping[bytes, object], stage: int, draw: Draw) -> Genotype:
        """A genotype of a network that is not in ``known``; where none is left, any."""
        if self._used_up == (stage, len(known)):
            return self._space.sample(draw, stage)
        for _ in range(TRIES):
            genotype = self._space.sample(draw, stage)
            if self.key(genotype) not in known:
                return genotype
        left = self._left(known, stage)
        if not left:
            # Looking through it again could only find it empty until something else is known.
            self._used_up = (stage, len(known))
            return self._space.sample(draw, stage)
        return left[draw(len(left))]

    def log_probability(self, known: int, stage: int) -> float:
        """Natural logarithm of the probability of each draw where ``known`` genotypes of ``stage`` are known.

        Exact where no two genotypes are of one network; otherwise too small by what the genotypes of known networks
        are more than these networks.
        """
        size = self._space.size(stage)
        return -math.log(size if size <= known else size - known)

    def _left(self, known: Container[bytes], stage: int) -> list[Genotype]:
        if self._space.size(stage) > LISTED:
            return []
        options = [decision.legal for decision in self._layouts.of(stage).decisions]
        return [genotype for genotype in product(*options) if self.key(genotype) not in known]

"""``spec.strategy.regularizedEvolution`` and ``spec.strategy.evolution``."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

from pydantic import Field, model_validator

from archsearch.api.base import FieldError, Model, unit


class RegularizedEvolutionPreset(StrEnum):
    """Named settings of ``regularizedEvolution``; a field that is set in the manifest overrides its preset."""

    SMALL = "Small"
    PAPER = "Paper"


REGULARIZED_EVOLUTION_PRESETS: Mapping[RegularizedEvolutionPreset, Mapping[str, Any]] = MappingProxyType(
    {
        # NAS-Bench-201 (2001.00326, section 4) sets population 10 and sample 3 for budgets of a few hundred children.
        RegularizedEvolutionPreset.SMALL: MappingProxyType(
            {"population": 10, "sample": 3, "identity_probability": 0.0}
        ),
        # 1802.01548, its large-scale experiments.
        RegularizedEvolutionPreset.PAPER: MappingProxyType(
            {"population": 100, "sample": 25, "identity_probability": 0.05}
        ),
    }
)
"""Every field of ``regularizedEvolution`` under each preset."""


class RegularizedEvolutionStrategy(Model):
    """Aging evolution (1802.01548): the best of a sample is mutated, the oldest dies."""

    preset: RegularizedEvolutionPreset = RegularizedEvolutionPreset.SMALL
    """Small is meant for hundreds of children; Paper is the published setting, meant for 20,000."""
    population: int | None = Field(default=None, ge=1, le=100_000, json_schema_extra=unit("children"))
    """Youngest rewarded children among which parents are chosen. Small: 10; Paper: 100."""
    sample: int | None = Field(default=None, ge=1, le=100_000, json_schema_extra=unit("children"))
    """Children drawn from the population with replacement; the best of them is the parent. Small: 3; Paper: 25."""
    identity_probability: float | None = Field(default=None, ge=0, lt=1, json_schema_extra=unit("1"))
    """Probability that a child is its parent unchanged, trained again. Small: 0; Paper: 0.05."""

    def resolved(self) -> Self:
        """The same with every field that is left out filled in from its preset."""
        preset = REGULARIZED_EVOLUTION_PRESETS[self.preset]
        given = {name: getattr(self, name) for name in preset}
        filled = {name: preset[name] if value is None else value for name, value in given.items()}
        return type(self)(preset=self.preset, **filled)

    @model_validator(mode="after")
    def _sample_fits(self) -> Self:
        preset = REGULARIZED_EVOLUTION_PRESETS[self.preset]
        sample = preset["sample"] if self.sample is None else self.sample
        population = preset["population"] if self.population is None else self.population
        if sample <= population:
            return self
        if self.sample is None:
            text = (
                f"{population} is not allowed; population must not be below sample ({sample}, of preset {self.preset})"
            )
            raise FieldError(("population",), text)
        of_preset = f", of preset {self.preset}" if self.population is None else ""
        text = f"{sample} is not allowed; sample must not be above population ({population}{of_preset})"
        raise FieldError(("sample",), text)


class EvolutionStrategy(Model):
    """Large-scale evolution (1703.01041): of two random individuals the worse dies and the better has a child."""

    population: int = Field(default=10, ge=2, le=100_000, json_schema_extra=unit("children"))
    """Individuals alive; as many children are drawn uniformly first."""

    def resolved(self) -> Self:
        """Itself: every default is a fixed number."""
        return self

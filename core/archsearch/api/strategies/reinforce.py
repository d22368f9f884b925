"""``spec.strategy.reinforce``."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

from pydantic import Field

from archsearch.api.base import Model, unit


class ReinforcePreset(StrEnum):
    """Named settings of ``reinforce``; a field that is set in the manifest overrides its preset."""

    FAST = "Fast"
    PAPER = "Paper"


PRESETS: Mapping[ReinforcePreset, Mapping[str, Any]] = MappingProxyType(
    {
        # Ours: tuned for hundreds of children, see docs/strategies/reinforce.md for what was tried and on which seeds.
        ReinforcePreset.FAST: MappingProxyType(
            {
                "hidden_size": 35,
                "layers": 2,
                "learning_rate": 0.015,
                "batch_size": 8,
                "entropy_weight": 0.1,
                "baseline_decay": 0.9,
                "normalise_rewards": True,
            }
        ),
        ReinforcePreset.PAPER: MappingProxyType(
            {
                "hidden_size": 35,  # 1611.01578, section 4.1: a two-layer LSTM with 35 hidden units on each layer
                "layers": 2,  # same place
                "learning_rate": 6e-4,  # same place: Adam, learning rate 0.0006
                "batch_size": 8,  # same place: m = 8 child replicas for each controller replica
                "entropy_weight": 0.0,  # the paper's image experiments have no bonus
                "baseline_decay": 0.95,  # ours: section 3.2 names the moving average and gives no decay
                "normalise_rewards": False,  # section 3.2: R - b as it is
            }
        ),
    }
)
"""Every field of ``reinforce`` under each preset."""


class ReinforceStrategy(Model):
    """The recurrent controller of 1611.01578, taught by REINFORCE with a moving-average baseline."""

    preset: ReinforcePreset = ReinforcePreset.FAST
    """Fast learns within hundreds of children; Paper is the published setting, meant for 12,800."""
    hidden_size: int | None = Field(default=None, ge=1, le=4096, json_schema_extra=unit("units"))
    """Units of each LSTM layer. Both presets: 35."""
    layers: int | None = Field(default=None, ge=1, le=8, json_schema_extra=unit("layers"))
    """LSTM layers. Both presets: 2."""
    learning_rate: float | None = Field(default=None, gt=0, le=10, json_schema_extra=unit("1"))
    """Adam's step size."""
    batch_size: int | None = Field(default=None, ge=1, le=10_000, json_schema_extra=unit("children"))
    """Children whose gradients are averaged into one step of the policy (m in the paper)."""
    entropy_weight: float | None = Field(default=None, ge=0, le=1000, json_schema_extra=unit("reward per nat"))
    """Weight of the entropy bonus, in units of (normalised) reward per nat."""
    baseline_decay: float | None = Field(default=None, ge=0, lt=1, json_schema_extra=unit("1"))
    """Decay of the exponential moving average of rewards that serves as baseline."""
    normalise_rewards: bool | None = None
    """Measure rewards in running mean distances from the baseline, at most 1, so that every unit teaches alike."""

    def resolved(self) -> Self:
        """The same with every field that is left out filled in from its preset."""
        given = {name: getattr(self, name) for name in PRESETS[self.preset]}
        filled = {name: PRESETS[self.preset][name] if value is None else value for name, value in given.items()}
        return type(self)(preset=self.preset, **filled)

"""``spec.strategy.ppo``."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

from pydantic import Field

from archsearch.api.base import Model, unit


class PpoPreset(StrEnum):
    """Named settings of ``ppo``; a field that is set in the manifest overrides its preset."""

    PAPER = "Paper"
    FAST = "Fast"


PPO_PRESETS: Mapping[PpoPreset, Mapping[str, Any]] = MappingProxyType(
    {
        PpoPreset.PAPER: MappingProxyType(
            {
                "hidden_size": 100,  # 1707.07012, appendix A.1: a one-layer LSTM with 100 hidden units
                "layers": 1,  # same place
                "learning_rate": 3.5e-4,  # same place
                "batch_size": 20,  # same place: minibatches of 20 architectures
                "entropy_weight": 1e-5,  # same place
                "baseline_decay": 0.95,  # same place
                "clip": 0.2,  # 1707.06347, table 1: the best of its settings; 1707.07012 names none
                "steps": 2,  # ours: 1707.07012 names none
                "normalise_rewards": False,  # 1707.07012: the accuracy as it is
            }
        ),
        # Ours: tuned for hundreds of children, see docs/strategies/ppo.md for what was tried and on which seeds.
        PpoPreset.FAST: MappingProxyType(
            {
                "hidden_size": 100,
                "layers": 1,
                "learning_rate": 0.005,
                "batch_size": 8,
                "entropy_weight": 0.2,
                "baseline_decay": 0.9,
                "clip": 0.2,
                "steps": 4,
                "normalise_rewards": True,
            }
        ),
    }
)
"""Every field of ``ppo`` under each preset."""


class PpoStrategy(Model):
    """A recurrent policy taught by proximal policy optimisation (1707.06347), as NASNet's (1707.07012)."""

    preset: PpoPreset = PpoPreset.PAPER
    """Paper is NASNet's setting, meant for thousands of children; Fast learns within hundreds."""
    hidden_size: int | None = Field(default=None, ge=1, le=4096, json_schema_extra=unit("units"))
    """Units of each LSTM layer. Both presets: 100."""
    layers: int | None = Field(default=None, ge=1, le=8, json_schema_extra=unit("layers"))
    """LSTM layers. Both presets: 1."""
    learning_rate: float | None = Field(default=None, gt=0, le=10, json_schema_extra=unit("1"))
    """Adam's step size."""
    batch_size: int | None = Field(default=None, ge=1, le=10_000, json_schema_extra=unit("children"))
    """Children of one update of the policy."""
    entropy_weight: float | None = Field(default=None, ge=0, le=1000, json_schema_extra=unit("reward per nat"))
    """Weight of the entropy bonus, in units of (normalised) reward per nat."""
    baseline_decay: float | None = Field(default=None, ge=0, lt=1, json_schema_extra=unit("1"))
    """Decay of the exponential moving average of rewards that serves as baseline."""
    clip: float | None = Field(default=None, gt=0, le=10, json_schema_extra=unit("1"))
    """Largest distance of the probability ratio from 1 that still teaches."""
    steps: int | None = Field(default=None, ge=1, le=100, json_schema_extra=unit("steps"))
    """Steps of Adam taken on each batch."""
    normalise_rewards: bool | None = None
    """Measure rewards in running mean distances from the baseline, at most 1, so that every unit teaches alike."""

    def resolved(self) -> Self:
        """The same with every field that is left out filled in from its preset."""
        given = {name: getattr(self, name) for name in PPO_PRESETS[self.preset]}
        filled = {name: PPO_PRESETS[self.preset][name] if value is None else value for name, value in given.items()}
        return type(self)(preset=self.preset, **filled)

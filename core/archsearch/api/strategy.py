"""``spec.strategy``: how children are chosen."""

from enum import StrEnum

from pydantic import Field

from archsearch.api.base import Model
from archsearch.api.oneof import OneOf


class RandomStrategy(Model):
    """Every child is drawn uniformly from the space: the yardstick of every other strategy."""


class ReinforcePreset(StrEnum):
    """Named settings of ``reinforce``; a field that is set in the manifest overrides its preset."""

    FAST = "Fast"
    PAPER = "Paper"


class ReinforceStrategy(Model):
    """The recurrent controller of 1611.01578, taught by REINFORCE with a moving-average baseline."""

    preset: ReinforcePreset = ReinforcePreset.FAST
    """Fast learns within hundreds of children; Paper is the published setting, meant for 12,800."""
    hidden_size: int | None = Field(default=None, ge=1, le=4096)
    """Units of each LSTM layer. Both presets: 35."""
    layers: int | None = Field(default=None, ge=1, le=8)
    """LSTM layers. Both presets: 2."""
    learning_rate: float | None = Field(default=None, gt=0, le=10)
    """Adam's step size."""
    batch_size: int | None = Field(default=None, ge=1, le=10_000)
    """Children whose gradients are averaged into one step of the policy (m in the paper)."""
    entropy_weight: float | None = Field(default=None, ge=0, le=1000)
    """Weight of the entropy bonus, in units of reward per nat."""
    baseline_decay: float | None = Field(default=None, ge=0, lt=1)
    """Decay of the exponential moving average of rewards that serves as baseline."""


class Strategy(OneOf):
    """How children are chosen: at most one strategy; none means the default of this release."""

    at_least_one = False

    random: RandomStrategy | None = None
    """Uniform draws."""
    reinforce: ReinforceStrategy | None = None
    """A recurrent policy taught by REINFORCE."""

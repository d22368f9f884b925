"""``spec.objective``: which metric is sought, and how it becomes the reward that teaches."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from archsearch.api.base import FieldError, MetricName, Model, unit
from archsearch.api.oneof import OneOf


class Direction(StrEnum):
    """Whether more of the metric is better, or less."""

    MAXIMIZE = "Maximize"
    MINIMIZE = "Minimize"


class Identity(Model):
    """reward = metric."""


class Power(Model):
    """reward = metric ** exponent: the cubed accuracy of 1611.01578, section 4.1."""

    exponent: float = Field(default=3.0, gt=0, le=100, json_schema_extra=unit("1"))
    """Exponent; the metric must not be negative."""


class Negative(Model):
    """reward = -metric."""


class InversePower(Model):
    """reward = scale / metric ** exponent: c / perplexity ** 2 of 1611.01578, section 4.2."""

    scale: float = Field(default=80.0, gt=0, le=1e12, json_schema_extra=unit("reward times metric to the exponent"))
    """Numerator."""
    exponent: float = Field(default=2.0, gt=0, le=100, json_schema_extra=unit("1"))
    """Exponent; the metric must be positive."""


class RewardTransform(OneOf):
    """From metric to reward: exactly one of the transforms."""

    identity: Identity | None = None
    """The metric itself (Maximize; the default there)."""
    power: Power | None = None
    """A power of the metric (Maximize)."""
    negative: Negative | None = None
    """The metric's negative (Minimize; the default there)."""
    inverse_power: InversePower | None = None
    """A constant over a power of the metric (Minimize)."""


TRANSFORMS = {
    Direction.MAXIMIZE: ("identity", "power"),
    Direction.MINIMIZE: ("negative", "inversePower"),
}
"""The transforms, by manifest name, that fit each direction; its default first."""


class Constraint(StrEnum):
    """How a further metric is held to its target."""

    SOFT = "Soft"
    HARD = "Hard"


WEIGHT_OF_NOTHING = (
    "0 is not allowed; the sign says whether less of the metric is better (negative) or more (positive); "
    "constraint: Hard leaves every reward within the target as it is"
)
LIMIT_TOO_GOOD = "not allowed; limit must not be better than target"


class Also(Model):
    """A further metric that counts: the reward is multiplied by (metric / target) ** weight (MnasNet, 1807.11626,
    section 3)."""

    metric: MetricName
    """Name of the metric, as trials report it; it must be positive."""
    target: float = Field(gt=0, le=1e18, json_schema_extra=unit("as the metric"))
    """Value at which the reward is left as it is."""
    weight: float = Field(default=-0.07, ge=-100, le=100, json_schema_extra=unit("1"))
    """Exponent: negative where less of the metric is better, positive where more is; not 0."""
    constraint: Constraint = Constraint.SOFT
    """Soft multiplies on both sides of the target; Hard only beyond it, so that nothing is gained by staying below."""
    limit: float | None = Field(default=None, gt=0, le=1e18, json_schema_extra=unit("as the metric"))
    """A child beyond this value (above it where less is better) still teaches, but is never among the best, reaches no
    target and is in no Pareto set; left out: no such bound."""

    @model_validator(mode="after")
    def _has_a_direction(self) -> Self:
        if self.weight == 0:
            raise FieldError(("weight",), WEIGHT_OF_NOTHING, allowed=("negative", "positive"))
        if self.limit is not None and (self.limit - self.target) * self.weight > 0:
            better = "less" if self.weight < 0 else "more"
            text = f"{self.limit:g} is {LIMIT_TOO_GOOD} ({self.target:g}), and {better} of {self.metric} is better"
            raise FieldError(("limit",), text)
        return self


class Failure(Model):
    """What a failed child teaches."""

    reward: float | None = Field(default=None, ge=-1e18, le=1e18, json_schema_extra=unit("as the reward"))
    """Reward that is taught for a child that failed by itself; left out: none is (``modelBased`` then ranks the
    child behind all others, the other strategies learn nothing). It should be as bad as the worst child, or worse."""


class Objective(Model):
    """What is sought."""

    metric: MetricName = "accuracy"
    """Name of the metric, as trials report it."""
    direction: Direction = Direction.MAXIMIZE
    """Maximize or Minimize."""
    target: float | None = Field(default=None, json_schema_extra=unit("as the metric"))
    """Value of the metric at which the search has succeeded and ends early."""
    reward: RewardTransform | None = None
    """How the metric becomes the reward; left out: the metric (Maximize) or its negative (Minimize)."""

    also: tuple[Also, ...] = Field(default=(), max_length=8)
    """Further metrics that count, each with its target."""
    failure: Failure = Failure()
    """What a failed child teaches."""

    @model_validator(mode="after")
    def _transform_fits(self) -> Self:
        allowed = TRANSFORMS[self.direction]
        if self.reward is not None and self.reward.kind not in allowed:
            text = f"{self.reward.kind} does not fit direction {self.direction}; allowed: {', '.join(allowed)}"
            raise FieldError(("reward",), text, allowed=allowed)
        return self

    @model_validator(mode="after")
    def _metrics_distinct(self) -> Self:
        seen = [self.metric]
        for place, also in enumerate(self.also):
            if also.metric in seen:
                text = f'"{also.metric}" counts already; every metric may count once'
                raise FieldError(("also", place, "metric"), text, "Duplicate")
            seen.append(also.metric)
        return self

    @property
    def transform(self) -> RewardTransform:
        """The transform, with the direction's default filled in."""
        if self.reward is not None:
            return self.reward
        if self.direction is Direction.MAXIMIZE:
            return RewardTransform(identity=Identity())
        return RewardTransform(negative=Negative())

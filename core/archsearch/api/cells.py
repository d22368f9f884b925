"""``spec.searchSpace.cell`` and ``spec.searchSpace.recurrentCell``: cells that are stacked to a network."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from archsearch.api.base import FieldError, Model, distinct, unit


class CellOperation(StrEnum):
    """Operations of a convolutional cell (1707.07012, section 3)."""

    IDENTITY = "identity"
    CONV_1X3_3X1 = "conv_1x3_3x1"
    CONV_1X7_7X1 = "conv_1x7_7x1"
    DILATED_3X3 = "dilated_3x3"
    AVG_POOL_3X3 = "avg_pool_3x3"
    MAX_POOL_3X3 = "max_pool_3x3"
    MAX_POOL_5X5 = "max_pool_5x5"
    MAX_POOL_7X7 = "max_pool_7x7"
    CONV_1X1 = "conv_1x1"
    CONV_3X3 = "conv_3x3"
    SEPARABLE_3X3 = "separable_3x3"
    SEPARABLE_5X5 = "separable_5x5"
    SEPARABLE_7X7 = "separable_7x7"


class CellCombination(StrEnum):
    """How the two results of a block become one (1707.07012, section 3)."""

    ADD = "add"
    CONCAT = "concat"


class RecurrentCombination(StrEnum):
    """How a node of a recurrent cell joins its two inputs (1611.01578, section 3.4; max: its control experiment)."""

    ADD = "add"
    ELEM_MULT = "elem_mult"
    MAX = "max"


class Activation(StrEnum):
    """Activation of a node of a recurrent cell (1611.01578, section 3.4; sin: its control experiment)."""

    IDENTITY = "identity"
    TANH = "tanh"
    SIGMOID = "sigmoid"
    RELU = "relu"
    SIN = "sin"


class CellSpace(Model):
    """A normal and a reduction cell of blocks, stacked to a network (1707.07012, section 3)."""

    blocks: int = Field(default=5, ge=1, le=10, json_schema_extra=unit("blocks"))
    """Blocks of each cell (B): each joins two earlier states, an operation applied to either."""
    operations: tuple[CellOperation, ...] = Field(default=tuple(CellOperation), min_length=1, max_length=16)
    """Operations that a block may apply; left out: the 13 of the paper."""
    combinations: tuple[CellCombination, ...] = Field(default=tuple(CellCombination), min_length=1, max_length=4)
    """How a block may join its two results; left out: both of the paper."""

    @model_validator(mode="after")
    def _options_distinct(self) -> Self:
        distinct("operations", self.operations)
        distinct("combinations", self.combinations)
        return self


class RecurrentCellSpace(Model):
    """A recurrent cell as a tree over input and hidden state (1611.01578, section 3.4)."""

    base: int = Field(default=8, ge=2, le=16, json_schema_extra=unit("leaves"))
    """Leaves of the tree, a power of two; each joins the input and the last hidden state."""
    combinations: tuple[RecurrentCombination, ...] = Field(
        default=(RecurrentCombination.ADD, RecurrentCombination.ELEM_MULT), min_length=1, max_length=4
    )
    """How a node may join its two inputs."""
    activations: tuple[Activation, ...] = Field(
        default=(Activation.IDENTITY, Activation.TANH, Activation.SIGMOID, Activation.RELU), min_length=1, max_length=8
    )
    """Activations that a node may apply."""

    @model_validator(mode="after")
    def _well_formed(self) -> Self:
        if self.base & (self.base - 1):
            text = f"{self.base} is not allowed; the tree needs a power of two: 2, 4, 8 or 16"
            raise FieldError(("base",), text, allowed=("2", "4", "8", "16"))
        distinct("combinations", self.combinations)
        distinct("activations", self.activations)
        return self

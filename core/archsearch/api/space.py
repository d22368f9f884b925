"""``spec.searchSpace``: exactly one of the search spaces."""

from typing import Annotated, Self

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from archsearch.api.base import FieldError, Model, distinct, unit
from archsearch.api.cells import CellSpace, RecurrentCellSpace
from archsearch.api.oneof import OneOf
from archsearch.api.patterns import CHOICE_NAME

FilterSize = Annotated[int, Field(ge=1, le=31)]
FilterCount = Annotated[int, Field(ge=1, le=4096)]
Stride = Annotated[int, Field(ge=1, le=8)]
ChoiceName = Annotated[str, Field(min_length=1, max_length=63, pattern=CHOICE_NAME)]
ChoiceText = Annotated[StrictStr, Field(max_length=256)]
ChoiceValue = StrictBool | StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)] | ChoiceText


class Depth(Model):
    """Number of layers, growing on a schedule as children are sampled (1611.01578, section 4.1)."""

    initial: int = Field(ge=1, le=64, json_schema_extra=unit("layers"))
    """Layers of the first children."""
    final: int | None = Field(default=None, ge=1, le=64, json_schema_extra=unit("layers"))
    """Layers at which growth stops; left out: the initial number, no growth."""
    every: int = Field(default=1600, ge=1, le=1_000_000, json_schema_extra=unit("children"))
    """Children between two steps of growth."""
    step: int = Field(default=2, ge=1, le=64, json_schema_extra=unit("layers"))
    """Layers added at each step."""

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.final is not None and self.final < self.initial:
            text = f"{self.final} is not allowed; final must not be below initial ({self.initial})"
            raise FieldError(("final",), text)
        return self

    @property
    def deepest(self) -> int:
        """Largest number of layers that this schedule reaches."""
        return self.initial if self.final is None else self.final

    def at(self, index: int) -> int:
        """Number of layers of child ``index``."""
        return min(self.deepest, self.initial + self.step * (index // self.every))


class ConvolutionalSpace(Model):
    """Plain convolutional networks with skip connections (1611.01578, sections 3.1 to 3.3)."""

    depth: Depth
    """Number of layers and its schedule."""
    filter_heights: tuple[FilterSize, ...] = Field(
        default=(1, 3, 5, 7), min_length=1, max_length=16, json_schema_extra=unit("pixels")
    )
    """Heights a filter may have, in pixels."""
    filter_widths: tuple[FilterSize, ...] = Field(
        default=(1, 3, 5, 7), min_length=1, max_length=16, json_schema_extra=unit("pixels")
    )
    """Widths a filter may have, in pixels."""
    filters: tuple[FilterCount, ...] = Field(
        default=(24, 36, 48, 64), min_length=1, max_length=16, json_schema_extra=unit("channels")
    )
    """Numbers of filters (output channels) a layer may have."""
    strides: tuple[Stride, ...] = Field(default=(1,), min_length=1, max_length=8, json_schema_extra=unit("pixels"))
    """Strides, in pixels, of both directions; one value fixes it, as in the paper's first experiment."""
    skip_connections: bool = True
    """Whether a layer chooses its inputs among all earlier layers (anchor points); otherwise a plain chain."""

    @model_validator(mode="after")
    def _options_distinct(self) -> Self:
        for field in ("filterHeights", "filterWidths", "filters", "strides"):
            name = {"filterHeights": "filter_heights", "filterWidths": "filter_widths"}.get(field, field)
            distinct(field, getattr(self, name))
        return self


class Choice(Model):
    """One named decision with its finite options."""

    name: ChoiceName
    """Name of the decision: the key under which the trial finds the value."""
    values: tuple[ChoiceValue, ...] = Field(min_length=1, max_length=64)
    """Its options: numbers, texts or booleans, all distinct."""

    @model_validator(mode="after")
    def _options_distinct(self) -> Self:
        distinct("values", self.values)
        return self


class SearchSpace(OneOf):
    """What can be sampled: exactly one search space."""

    convolutional: ConvolutionalSpace | None = None
    """Convolutional layers with skip connections."""
    recurrent_cell: RecurrentCellSpace | None = None
    """A recurrent cell as a tree."""
    cell: CellSpace | None = None
    """A normal and a reduction cell."""
    choices: tuple[Choice, ...] | None = Field(default=None, min_length=1, max_length=256)
    """Any named finite decisions, in order: for a table, or for your own trial image."""

    @model_validator(mode="after")
    def _namesdistinct(self) -> Self:
        names = [choice.name for choice in self.choices or ()]
        for position, name in enumerate(names):
            if name in names[:position]:
                text = f'"{name}" names decisions {names.index(name)} and {position}; every name must be distinct'
                raise FieldError(("choices", position, "name"), text, "Duplicate")
        return self

"""``spec.strategy.modelBased``."""

from typing import Self

from pydantic import Field

from archsearch.api.base import Model, unit


class ModelBasedStrategy(Model):
    """A learned model of the reward chooses the children, and a recurrent policy learns from them: for searches of some
    hundred children."""

    initial: int = Field(default=10, ge=1, le=10_000, json_schema_extra=unit("children"))
    """Children drawn in a balanced way before the model is asked."""

    def resolved(self) -> Self:
        """Itself: every default is written out."""
        return self

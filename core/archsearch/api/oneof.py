"""Unions as Kubernetes writes them: an object in which exactly one field is set."""

from typing import Any, ClassVar, Self

from pydantic import model_validator

from archsearch.api.base import Model


class OneOf(Model):
    """An object with exactly one of its fields set; the name of that field says which kind it is."""

    at_least_one: ClassVar[bool] = True

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        chosen = self._set_fields()
        allowed = ", ".join(_alias(type(self), name) for name in type(self).model_fields)
        if len(chosen) > 1:
            names = " and ".join(_alias(type(self), name) for name in chosen)
            raise ValueError(f"{names} are both set; set exactly one of: {allowed}")
        if not chosen and self.at_least_one:
            raise ValueError(f"nothing is set; set exactly one of: {allowed}")
        return self

    def _set_fields(self) -> list[str]:
        return [name for name in type(self).model_fields if getattr(self, name) is not None]

    @property
    def kind(self) -> str:
        """The manifest name (camelCase) of the field that is set."""
        return _alias(type(self), self._set_fields()[0])

    @property
    def chosen(self) -> Any:
        """The value of the field that is set."""
        return getattr(self, self._set_fields()[0])


def _alias(model: type[Model], name: str) -> str:
    return model.model_fields[name].alias or name

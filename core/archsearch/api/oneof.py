"""Unions as Kubernetes writes them: an object in which exactly one field is set."""

from typing import Any, ClassVar, Self

from pydantic import ConfigDict, model_validator

from archsearch.api.base import FieldError, Model


def _mark(schema: dict[str, Any], model: type["OneOf"]) -> None:
    schema["x-archsearch-one-of"] = "exactly" if model.at_least_one else "at most"


class OneOf(Model):
    """An object with exactly one of its fields set; the name of that field says which kind it is."""

    model_config = ConfigDict(json_schema_extra=_mark)
    at_least_one: ClassVar[bool] = True

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        chosen = self._set_fields()
        allowed = ", ".join(_alias(type(self), name) for name in type(self).model_fields)
        if len(chosen) > 1:
            text = several_set([_alias(type(self), name) for name in chosen], allowed)
            raise FieldError((), text, "SeveralSet", allowed=tuple(allowed.split(", ")))
        if not chosen and self.at_least_one:
            raise FieldError((), none_set(allowed), "NoneSet", allowed=tuple(allowed.split(", ")))
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


def several_set(chosen: list[str], allowed: str) -> str:
    """What to say where more than one field is set."""
    return f"{' and '.join(chosen)} are set together; set one only of: {allowed}"


def none_set(allowed: str) -> str:
    """What to say where no field is set."""
    return f"nothing is set; set exactly one of: {allowed}"


def _alias(model: type[Model], name: str) -> str:
    return model.model_fields[name].alias or name

"""A search's status as JSON: read from whatever an object holds, and written as the smallest merge patch."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from archsearch.api.base import Model
from archsearch.api.status import SearchStatus
from archsearch.operator.port import Object

ACTIVE_EVERY = 30.0
"""Seconds of active time after which it is written though nothing else has changed (where there is a deadline)."""
_CLOCKS = {"active_seconds", "gpu_seconds"}
"""Fields that grow by themselves: they ride along with what else is written."""


def patch_of(previous: SearchStatus, new: SearchStatus, *, has_deadline: bool = False) -> dict[str, Any] | None:
    """The value of ``status`` in a JSON merge patch that makes ``new`` of ``previous``; None: nothing to write.

    It holds the top-level fields that differ, whole, with null for whatever is to go. Times that grow by themselves
    are no reason to write, but for active time where ``has_deadline`` (an operator that is killed would forget it).
    """
    changed = [name for name in SearchStatus.model_fields if getattr(previous, name) != getattr(new, name)]
    grown = new.active_seconds - previous.active_seconds
    due = has_deadline and grown >= ACTIVE_EVERY
    if not set(changed) - _CLOCKS and not due:
        return None
    old, fresh = _dump(previous, changed), _dump(new, changed)
    return {_alias(name): _replacing(old.get(_alias(name)), fresh.get(_alias(name))) for name in changed}


def read_status(object: Object) -> SearchStatus:
    """The status of an ArchitectureSearch. Never raises: what is not as we write it (edited by hand, say) is left out.

    Of lists the items that can be read are kept.
    """
    found = object.get("status")
    if not isinstance(found, Mapping):
        return SearchStatus()
    whole = _parsed(dict(found))
    if whole is not None:
        return whole
    good: dict[str, Any] = {}
    for name in SearchStatus.model_fields:
        alias = _alias(name)
        if alias in found:
            good |= _readable(alias, found[alias])
    return _parsed(good) or SearchStatus()


def _readable(alias: str, value: Any) -> dict[str, Any]:
    if _parsed({alias: value}) is not None:
        return {alias: value}
    if isinstance(value, list):
        items = [item for item in value if _parsed({alias: [item]}) is not None]
        return {alias: items} if _parsed({alias: items}) is not None else {}
    return {}


def _parsed(status: dict[str, Any]) -> SearchStatus | None:
    try:
        return SearchStatus.model_validate_json(json.dumps(status), by_alias=True, by_name=False)
    except (ValidationError, ValueError, TypeError, RecursionError):
        return None


def _dump(status: Model, fields: list[str]) -> dict[str, Any]:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True, include=set(fields))


def _alias(name: str) -> str:
    return SearchStatus.model_fields[name].alias or name


def _replacing(old: Any, new: Any) -> Any:
    """``new`` as a merge patch on ``old``: null for each key that is not in ``new``."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    gone = {key: None for key in old if key not in new}
    return {key: _replacing(old.get(key), value) for key, value in new.items()} | gone

"""``spec.trial.podTemplate`` merged onto our own pod template, as a strategic merge patch of Kubernetes would be.

Objects are merged field by field; null deletes a field. Lists that Kubernetes tells apart by a key are merged by that
key, every other list is replaced. ``$patch: delete`` and ``$patch: replace`` work on objects and in such lists. A
container without a name is ours. Three things are not as in Kubernetes, for they are what people expect here:
tolerations are added to ours (one with the key and effect of one of ours takes its place) and not replaced; a volume
or a variable of the same name takes the place of ours whole, so that two sources never mix.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from archsearch.manifest.errors import Path, spell
from archsearch.operator.builders.protect import refuse_changes
from archsearch.operator.builders.refusing import PodTemplateError
from archsearch.operator.names import TRIAL_CONTAINER
from archsearch.operator.port import Object
from archsearch.report_parsing import shown

__all__ = ["ROOT", "PodTemplateError", "merge"]

ROOT: Path = ("spec", "trial", "podTemplate")
_DIRECTIVES = ("delete", "merge", "replace")


@dataclass(frozen=True)
class _List:
    """A list whose items are told apart by ``keys``; ``defaults`` stand in for keys that are left out."""

    keys: tuple[str, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    item: "_Object | None" = None
    """How an item is merged; None: it takes the other's place."""
    texts: tuple[str, ...] = ()
    """Fields of an item that must be texts."""
    added: bool = False
    """Items are added without being told apart among themselves; keys say which of ours they replace."""


@dataclass(frozen=True)
class _Object:
    """What is known of an object's fields; the API server judges all others."""

    objects: Mapping[str, "_Object"] = field(default_factory=dict)
    lists: Mapping[str, _List] = field(default_factory=dict)
    only: tuple[str, ...] | None = None
    """The fields that are allowed; None: any."""
    texts: bool = False
    """Every value must be a text."""


_ANY = _Object()
_TEXTS = _Object(texts=True)
_CONTAINER = _Object(
    objects=MappingProxyType(dict.fromkeys(("lifecycle", "resources", "securityContext"), _ANY)),
    lists=MappingProxyType(
        {
            "env": _List(("name",), texts=("name", "value")),
            "ports": _List(("containerPort", "protocol"), {"protocol": "TCP"}, _ANY),
            "volumeMounts": _List(("mountPath",), item=_ANY, texts=("mountPath", "name")),
            "volumeDevices": _List(("devicePath",), item=_ANY, texts=("devicePath", "name")),
        }
    ),
)
_SPEC = _Object(
    objects=MappingProxyType({"nodeSelector": _TEXTS, "affinity": _ANY, "dnsConfig": _ANY, "securityContext": _ANY}),
    lists=MappingProxyType(
        {
            "containers": _List(("name",), {"name": TRIAL_CONTAINER}, _CONTAINER, texts=("name", "image")),
            "initContainers": _List(("name",), item=_CONTAINER, texts=("name", "image")),
            "volumes": _List(("name",), texts=("name",)),
            "imagePullSecrets": _List(("name",), item=_ANY, texts=("name",)),
            "hostAliases": _List(("ip",), item=_ANY, texts=("ip",)),
            "topologySpreadConstraints": _List(("topologyKey", "whenUnsatisfiable"), item=_ANY),
            "resourceClaims": _List(("name",), item=_ANY, texts=("name",)),
            "schedulingGates": _List(("name",), item=_ANY, texts=("name",)),
            "tolerations": _List(("key", "effect"), {"key": "", "effect": ""}, texts=("key", "value"), added=True),
        }
    ),
)
_METADATA = _Object(objects=MappingProxyType({"annotations": _TEXTS, "labels": _TEXTS}), only=("annotations", "labels"))
_TEMPLATE = _Object(objects=MappingProxyType({"metadata": _METADATA, "spec": _SPEC}), only=("metadata", "spec"))


def merge(template: Object, patch: Mapping[str, Any]) -> Object:
    """``template`` (a pod template: metadata and spec) with ``patch`` merged into it; neither is changed.

    Raises:
        PodTemplateError: a field of ``patch`` has the wrong type, or changes what must stay: our labels, the trial
            container's name, its report path and ARCHSEARCH_ variables, restartPolicy, activeDeadlineSeconds.
    """
    merged = _object(template, patch, _TEMPLATE, ROOT)
    if merged is None or not all(isinstance(merged.get(part), Mapping) for part in _TEMPLATE.objects):
        raise PodTemplateError(spell(ROOT), "metadata and spec cannot be deleted; delete single fields")
    refuse_changes(template, merged, ROOT, _place_of_trial(patch))
    return merged


def _place_of_trial(patch: Mapping[str, Any]) -> int:
    """Where the patch speaks of the trial container, for messages."""
    spec = patch.get("spec")
    containers = (spec.get("containers") if isinstance(spec, Mapping) else None) or []
    names = [container.get("name", TRIAL_CONTAINER) for container in containers]
    return names.index(TRIAL_CONTAINER) if TRIAL_CONTAINER in names else 0


def _object(base: Object, patch: object, kind: _Object, path: Path) -> Object | None:
    """``base`` with ``patch``; None: ``patch`` deletes it."""
    if not isinstance(patch, Mapping):
        raise PodTemplateError(spell(path), f"{shown(patch)} is not allowed; needs an object")
    directive = _directive(patch, path)
    if directive == "delete":
        return None
    result = {} if directive == "replace" else deepcopy(base)
    for key, value in patch.items():
        if key != "$patch":
            _field(result, key, value, kind, (*path, key))
    return result


def _field(result: Object, key: str, value: Any, kind: _Object, path: Path) -> None:
    _check_name(key, kind, path)
    old = result.pop(key, None) if value is None else result.get(key)
    if value is None:
        return
    if key in kind.lists:
        result[key] = _list(old or [], value, kind.lists[key], path)
    elif key in kind.objects or isinstance(value, Mapping):
        merged = _object(old if isinstance(old, dict) else {}, value, kind.objects.get(key, _ANY), path)
        result.pop(key, None)
        result |= {} if merged is None else {key: merged}
    elif kind.texts and not isinstance(value, str):
        raise PodTemplateError(spell(path), f'{shown(value)} is not allowed; needs a text, as "{shown(value)}"')
    else:
        result[key] = deepcopy(value)


def _check_name(key: str, kind: _Object, path: Path) -> None:
    if key.startswith("$"):
        raise PodTemplateError(spell(path), f"unknown directive {shown(key)}; allowed: $patch")
    if kind.only is not None and key not in kind.only:
        hint = "; fields of the pod's spec belong under podTemplate.spec" if "spec" in kind.only else ""
        raise PodTemplateError(spell(path), f"unknown field; allowed: {', '.join(kind.only)}{hint}")


def _list(base: Sequence[Object], patch: object, rule: _List, path: Path) -> list[Object]:
    if not isinstance(patch, list):
        raise PodTemplateError(spell(path), f"{shown(patch)} is not allowed; needs a list")
    items = [_item(item, rule, (*path, place)) for place, item in enumerate(patch)]
    if any(directive == "replace" for directive, _, _ in items):
        base = []
    merged = {_key(item, rule): deepcopy(item) for item in base}
    if rule.added:
        replaced = {key for _, key, _ in items if key is not None}
        kept = [item for key, item in merged.items() if key not in replaced]
        return kept + [_stripped(item) for directive, key, item in items if key is not None and directive != "delete"]
    _refuse_twice([key for _, key, _ in items], rule, path)
    for place, (directive, key, item) in enumerate(items):
        if key is None:
            continue
        if directive == "delete":
            merged.pop(key, None)
        elif rule.item is None:
            merged[key] = _stripped(item)
        else:
            named = dict(zip(rule.keys, key, strict=True)) if rule.defaults else {}
            whole = _object(merged.get(key, named), item, rule.item, (*path, place))
            merged |= {} if whole is None else {key: whole}
    return list(merged.values())


_Key = tuple[Any, ...] | None
"""What tells an item apart; None: the item is only a directive for its list."""


def _item(item: object, rule: _List, path: Path) -> tuple[str, _Key, Mapping[str, Any]]:
    if not isinstance(item, Mapping):
        raise PodTemplateError(spell(path), f"{shown(item)} is not allowed; needs an object")
    directive = _directive(item, path)
    if set(item) == {"$patch"} and directive == "replace":
        return directive, None, item
    for name in rule.texts:
        if name in item and not isinstance(item[name], str):
            needs = f'needs a text, as "{shown(item[name])}"'
            raise PodTemplateError(spell((*path, name)), f"{shown(item[name])} is not allowed; {needs}")
    for name in rule.keys:
        if item.get(name, rule.defaults.get(name)) is None:
            raise PodTemplateError(spell((*path, name)), "is missing; items of this list are told apart by it")
        if isinstance(item.get(name), Mapping | list):
            raise PodTemplateError(spell((*path, name)), f"{shown(item[name])} is not allowed; needs a single value")
    # A replace within an item is about that item; the list is replaced by an item that says nothing else.
    return directive if directive == "delete" else "merge", _key(item, rule), item


def _key(item: Mapping[str, Any], rule: _List) -> tuple[Any, ...]:
    return tuple(item.get(name, rule.defaults.get(name)) for name in rule.keys)


def _refuse_twice(keys: list[_Key], rule: _List, path: Path) -> None:
    for place, key in enumerate(keys):
        if key is not None and key in keys[:place]:
            what = " and ".join(f"{name} {shown(value)}" for name, value in zip(rule.keys, key, strict=True))
            raise PodTemplateError(spell((*path, place)), f"{what} stands twice; write one item for it")


def _directive(value: Mapping[str, Any], path: Path) -> str:
    directive = value.get("$patch", "merge")
    if directive not in _DIRECTIVES:
        allowed = ", ".join(_DIRECTIVES)
        raise PodTemplateError(spell((*path, "$patch")), f"{shown(directive)} is not allowed; allowed: {allowed}")
    return str(directive)


def _stripped(item: Mapping[str, Any]) -> Object:
    return {key: deepcopy(value) for key, value in item.items() if key != "$patch" and value is not None}

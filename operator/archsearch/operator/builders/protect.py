"""What a pod template of the user's must not change: all by which a trial's pod is known, told and read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archsearch.api import GROUP
from archsearch.manifest.errors import Path, spell
from archsearch.operator.builders.refusing import PodTemplateError
from archsearch.operator.names import TRIAL_CONTAINER
from archsearch.operator.port import Object
from archsearch.report_parsing import shown

PREFIX = "ARCHSEARCH_"
"""Variables of ours begin with it."""
_SPEC = {
    "restartPolicy": "every attempt is a Job of its own, and the search starts it (spec.trials.retries)",
    "activeDeadlineSeconds": "the time of an attempt is spec.trial.deadline",
}
_CONTAINER = {
    "terminationMessagePath": "the report is read there",
    "terminationMessagePolicy": "the report is read from that file (spec.trial.report.from: Log reads the log)",
}


def refuse_changes(template: Object, merged: Object, root: Path, place: int) -> None:
    """Check that ``merged`` still has everything of ``template`` that identifies the pod.

    Raises:
        PodTemplateError: it does not; the path starts with ``root``, and ``place`` is the trial container's in it.
    """
    for part in ("labels", "annotations"):
        ours, now = template["metadata"].get(part) or {}, merged["metadata"].get(part) or {}
        refuse_ours(ours, now, (*root, "metadata", part))
    _same(template["spec"], merged["spec"], _SPEC, (*root, "spec"))
    path = (*root, "spec", "containers")
    ours, now = (_named(part["spec"].get("containers"), TRIAL_CONTAINER) for part in (template, merged))
    if now is None or ours is None:
        raise PodTemplateError(spell(path), f'the container "{TRIAL_CONTAINER}" cannot be deleted: it is the trial')
    _same(ours, now, _CONTAINER, (*path, place))
    _same_variables(ours, now, (*path, place, "env"))
    for volume in _ours(template["spec"].get("volumes")):
        if volume not in (merged["spec"].get("volumes") or []):
            raise PodTemplateError(spell((*root, "spec", "volumes")), _kept(f"the volume {volume['name']}"))
    for mount in _ours(ours.get("volumeMounts")):
        if mount not in (now.get("volumeMounts") or []):
            raise PodTemplateError(spell((*path, place, "volumeMounts")), _kept(f"the mount at {mount['mountPath']}"))


def refuse_ours(ours: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:
    """Check labels or annotations: ours stay as they are, and no others begin with our group.

    Raises:
        PodTemplateError: one does not.
    """
    for key in sorted({*ours, *(key for key in now if key.startswith(f"{GROUP}/"))}):
        if now.get(key) != ours.get(key):
            needs = f"needs {shown(ours[key])}" if key in ours else f"keys that begin with {GROUP}/ are the operator's"
            raise PodTemplateError(spell((*path, key)), f"{shown(now.get(key))} is not allowed; {needs}")


def _same(ours: Object, now: Object, reasons: Mapping[str, str], path: Path) -> None:
    for key, reason in reasons.items():
        if ours.get(key) != now.get(key):
            needs = "leave it out" if ours.get(key) is None else f"needs {shown(ours[key])}"
            text = f"{shown(now.get(key))} is not allowed; {needs}: {reason}"
            raise PodTemplateError(spell((*path, key)), text)


def _same_variables(ours: Object, now: Object, path: Path) -> None:
    before, after = ({v["name"]: v for v in part.get("env") or [] if _is_ours(v)} for part in (ours, now))
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            text = f"{name} cannot be set, changed or deleted; variables that begin with {PREFIX} are the operator's"
            raise PodTemplateError(spell(path), text)


def _is_ours(variable: Object) -> bool:
    return isinstance(variable.get("name"), str) and variable["name"].startswith(PREFIX)


def _ours(items: Sequence[Object] | None) -> Iterator[Object]:
    """Volumes and mounts through which a trial is given its input."""
    return (item for item in items or () if str(item.get("name")).startswith("archsearch-"))


def _named(containers: Sequence[Object] | None, name: str) -> Object | None:
    return next((container for container in containers or () if container.get("name") == name), None)


def _kept(what: str) -> str:
    return f"{what} cannot be changed or deleted: the trial reads its input there; choose another name or path"

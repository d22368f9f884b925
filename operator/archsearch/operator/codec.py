"""Between the engine's :class:`Trial` and the ArchitectureTrial that keeps it: the ledger on a cluster."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from archsearch.api import API_VERSION, ArchitectureSearch
from archsearch.api.trial import ArchitectureTrial, TrialStatus
from archsearch.engine.model import Phase, Trial
from archsearch.engine.running import trial_name
from archsearch.operator import names
from archsearch.operator.builders.owner import owner_reference
from archsearch.operator.builders.quantities import amount
from archsearch.operator.fields import field, items, mapping, text
from archsearch.operator.port import SEARCH, TRIAL, Object
from archsearch.operator.times import parse_time, rfc3339, rfc3339_ns
from archsearch.report_parsing import printable, shorten, shown
from archsearch.space.base import Genotype, GenotypeError, Space

_LONGEST_REASON = 128
_LONGEST_MESSAGE = 4096
_GPU_MAKERS = ("nvidia.com", "amd.com")


class LedgerObjectError(ValueError):
    """An ArchitectureTrial cannot be read as a trial of this search."""

    def __init__(self, name: str, field: str, message: str) -> None:
        super().__init__(f"architecturetrial {name}: {field}: {message}")
        self.name = name
        self.field = field


def trial_object(search_name: str, namespace: str, search_uid: str, trial: Trial) -> Object:
    """The ArchitectureTrial to create for ``trial``; how it went is written to its status, later."""
    spec: dict[str, Any] = {
        "searchName": search_name,
        "index": trial.index,
        "genotype": list(trial.genotype),
        "architecture": trial.architecture,
        "sampledBy": {"policyVersion": trial.policy_version, "logProbability": trial.log_probability},
    }
    others = {
        "duplicateOf": trial.duplicate_of,
        "reuseOf": trial.reuse_of,
        "confirmOf": trial.confirm_of,
        "ask": trial.ask,
    }
    spec |= {name: index for name, index in others.items() if index is not None}
    return {
        "apiVersion": TRIAL.api_version,
        "kind": TRIAL.kind,
        "metadata": {
            "name": trial_name(search_name, trial.index),
            "namespace": namespace,
            "labels": {
                **names.labels(search_name, search_uid, names.TRIAL),
                names.INDEX_LABEL: str(trial.index),
            },
            "ownerReferences": [owner_reference(SEARCH, search_name, search_uid)],
        },
        "spec": spec,
    }


def trial_status(
    trial: Trial,
    *,
    gpus: float,
    node: str | None = None,
    process_started: int | None = None,
    process_ended: int | None = None,
) -> dict[str, Any]:
    """``status`` of ``trial`` as a JSON merge patch: a null takes away what an earlier write may have left.

    Args:
        trial: how it stands.
        gpus: GPUs that each attempt holds.
        node: where the last attempt runs, if known.
        process_started: start of its program in nanoseconds since 1970, if known.
        process_ended: when that program wrote its report, likewise.

    What is not known of the last attempt (node and the program's times) is left as it was written before, except when
    an attempt is being started: then it is taken away, for it speaks of an earlier one.
    """
    status: dict[str, Any] = {
        "phase": trial.phase.value,
        "reward": trial.reward,
        "metrics": dict(sorted(trial.metrics.items())) or None,
        "observation": trial.observation,
        "attempts": trial.attempts,
        "failures": trial.failures,
        "reason": _cut(trial.reason, _LONGEST_REASON),
        "message": _cut(trial.message, _LONGEST_MESSAGE),
        "sharedFault": trial.shared_fault,
        "startTime": _time(trial.started),
        "completionTime": _time(trial.completed),
        "seconds": trial.seconds,
        "gpuSeconds": trial.seconds * gpus,
    }
    of_attempt = {
        "node": node,
        "processStarted": None if process_started is None else rfc3339_ns(process_started),
        "processEnded": None if process_ended is None else rfc3339_ns(process_ended),
    }
    fresh = trial.phase is Phase.RUNNING
    return status | {name: value for name, value in of_attempt.items() if fresh or value is not None}


def _cut(text: str | None, limit: int) -> str | None:
    return None if text is None else shorten(printable(text), limit)


def _time(time: datetime | None) -> str | None:
    return None if time is None else rfc3339(time)


# --- reading ------------------------------------------------------------------------------------------------------


def read_trial(object: Object, space: Space) -> Trial:
    """The trial that an ArchitectureTrial keeps; ``created`` is its creationTimestamp, to the second.

    The architecture is derived from the genotype, by ``space``: an API server writes 1.0 as 1, and a trial must be
    given the very text that another backend would give it.

    Raises:
        LedgerObjectError: the object is not ours or has been changed; it names the object and the field.
    """
    name = text(object, "metadata", "name") or "without a name"
    read = _validated(object, name)
    spec, status = read.spec, read.status
    if name != trial_name(spec.search_name, spec.index):
        allowed = trial_name(spec.search_name, spec.index)
        raise LedgerObjectError(name, "metadata.name", f"{shown(name)} is not allowed; needs {allowed}")
    # The stage of a confirmation is that of the child that it repeats.
    stage = space.stage(spec.index if spec.ask is None else spec.ask) if spec.confirm_of is None else None
    architecture = _architecture(space, spec.genotype, stage, spec.architecture, name)
    return Trial(
        index=spec.index,
        genotype=spec.genotype,
        architecture=architecture,
        policy_version=spec.sampled_by.policy_version,
        log_probability=spec.sampled_by.log_probability,
        created=_required_time(text(object, "metadata", "creationTimestamp"), name),
        duplicate_of=spec.duplicate_of,
        reuse_of=spec.reuse_of,
        confirm_of=spec.confirm_of,
        ask=spec.ask,
        **_how_it_went(status, name),
    )


def _validated(object: Object, name: str) -> ArchitectureTrial:
    metadata = {"name": field(object, "metadata", "name"), "namespace": field(object, "metadata", "namespace")}
    plain = {key: value for key, value in object.items() if key != "metadata"} | {"metadata": metadata}
    plain.setdefault("apiVersion", API_VERSION)  # lists leave both out of their items
    plain.setdefault("kind", TRIAL.kind)
    try:
        return ArchitectureTrial.model_validate_json(json.dumps(plain))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise LedgerObjectError(name, path, f"{first['msg']} (got {shown(first['input'])})") from error


def _architecture(
    space: Space, genotype: Genotype, stage: int | None, stored: Mapping[str, Any], name: str
) -> dict[str, Any]:
    problem = space.problem(genotype, stage)
    if problem is not None:
        raise LedgerObjectError(name, "spec.genotype", f"it is not of spec.searchSpace of this search: {problem}")
    try:
        same = space.encode(dict(stored)) == genotype
        why = "it is another network than the one that spec.genotype says"
    except GenotypeError as error:
        same, why = False, str(error)
    if not same:
        raise LedgerObjectError(name, "spec.architecture", why)
    return space.decode(genotype)


def _how_it_went(status: TrialStatus, name: str) -> dict[str, Any]:
    phase = Phase(status.phase)
    if (status.reward is not None) != (phase is Phase.SUCCEEDED):
        needs = "a trial that succeeded has a reward, and no other"
        raise LedgerObjectError(name, "status.reward", f"{shown(status.reward)} with phase {phase.value}; {needs}")
    return {
        "phase": phase,
        "attempts": status.attempts,
        "failures": status.failures,
        "reward": status.reward,
        "metrics": dict(status.metrics),
        "observation": status.observation,
        "reason": status.reason,
        "message": status.message,
        "shared_fault": status.shared_fault,
        "started": _optional_time(status.start_time, name, "status.startTime"),
        "completed": _optional_time(status.completion_time, name, "status.completionTime"),
        "seconds": status.seconds,
    }


def _required_time(text: str | None, name: str) -> datetime:
    time = _optional_time(text, name, "metadata.creationTimestamp")
    if time is None:
        raise LedgerObjectError(name, "metadata.creationTimestamp", "it is missing; the API server sets it")
    return time


def _optional_time(text: str | None, name: str, path: str) -> datetime | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError as error:
        raise LedgerObjectError(name, path, str(error)) from error


# --- GPUs ---------------------------------------------------------------------------------------------------------


def gpus_of(search: ArchitectureSearch) -> float:
    """GPUs that an attempt of ``search`` holds: the limits of its trial container that count GPUs, added up.

    What counts: a resource called gpu or gpu-something or gpu.something, of any maker (nvidia.com/gpu, amd.com/gpu,
    nvidia.com/gpu.shared), any of gpu.intel.com, and nvidia.com/mig-...: a slice of a GPU counts as one, for it is
    what the cluster hands out. Limits in podTemplate take the place of those in ``spec.trial.resources``, as they do
    in the pod. What is not a quantity counts as nothing.
    """
    limits: dict[str, Any] = dict(search.spec.trial.resources.limits)
    for container in items(search.spec.trial.pod_template, "spec", "containers"):
        if container.get("name", names.TRIAL_CONTAINER) == names.TRIAL_CONTAINER:
            limits |= mapping(container, "resources", "limits")
    return float(sum(_count(limit) for name, limit in sorted(limits.items()) if _is_gpu(name)))


def _is_gpu(resource: str) -> bool:
    maker, _, name = resource.rpartition("/")
    slices = maker in _GPU_MAKERS and name.startswith("mig-")
    return bool(maker) and (name == "gpu" or name.startswith(("gpu-", "gpu.")) or slices or maker == "gpu.intel.com")


def _count(limit: object) -> float:
    try:
        return float(amount(limit)) if isinstance(limit, int | float | str) else 0.0
    except ValueError:
        return 0.0

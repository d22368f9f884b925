"""Acceptance: a search as the API server stores it to a typed one, or why it is refused, as `archsearch validate` says.

Schema and CEL refuse most mistakes before an object is stored. What they cannot say (and what was stored under older
rules) comes here, through the same checks and the same sentences as a manifest on a laptop.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from archsearch.api import GROUP, ArchitectureSearch
from archsearch.api.task import Task
from archsearch.manifest import ManifestError, check
from archsearch.operator.names import TRIAL_CONTAINER
from archsearch.operator.port import ClusterError, Object
from archsearch.report_parsing import printable, shorten, shown

INVALID_MANIFEST = "InvalidManifest"
INVALID_POD_TEMPLATE = "InvalidPodTemplate"
LONGEST = 8_192
"""Longest message of a refusal in characters: it stands in a condition, beside five others."""
_MOST = 50
"""Mistakes that are told one by one."""
_NEVER_RAW = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
"""Characters that YAML reads otherwise than JSON where they are not escaped."""


@dataclass(frozen=True)
class Accepted:
    """A search that can run."""

    search: ArchitectureSearch
    warnings: tuple[str, ...] = ()
    """What its user should know all the same, a sentence each."""


@dataclass(frozen=True)
class Refused:
    """A search that cannot run as it is: ``reason`` in CamelCase, ``message`` with a mistake on each line."""

    reason: str
    message: str


def accept(object: Object) -> Accepted | Refused:
    """The typed search of an ArchitectureSearch as the API server gives it, or every mistake in it.

    What the server adds (uid, managedFields, annotations, status) is no part of the manifest and is not looked at.
    Never raises on bad input. Costs some 30 ms for a manifest of usual size, and seconds for one of a megabyte.
    """
    search, errors = check(_text(_manifest(object)), "")
    found = [_line(error) for error in errors]
    if search is not None:
        found = list(_broken_on_a_cluster(search))
    if search is None or found:
        return Refused(INVALID_MANIFEST, _joined(found))
    return Accepted(search, tuple(_warnings(search)))


def pod_template_error(message: str) -> Refused:
    """The refusal of a search whose podTemplate cannot be merged; ``message`` names field, value and what is right."""
    return Refused(INVALID_POD_TEMPLATE, shorten(printable(message), LONGEST))


def dry_run_refused(error: ClusterError) -> Refused:
    """The refusal of a search whose first Job the API server would not create (a dry run said so)."""
    said = printable(str(error)).strip() or f"HTTP status {error.status}"
    causes = [printable(cause) for cause in error.causes if cause not in said]
    hint = (
        "look at spec.trial.podTemplate, spec.trial.resources and spec.trial.jobMetadata"
        if error.status in (400, 413, 422)
        else "look at the quotas, the admission rules and the rights in this namespace"
    )
    return pod_template_error("\n".join([f"the API server refuses the first Job: {said}", *causes[:_MOST], hint]))


def _manifest(object: Object) -> Any:
    """What of ``object`` its user wrote: name, namespace and spec."""
    if not isinstance(object, Mapping):
        return object
    manifest = {key: object[key] for key in ("apiVersion", "kind", "metadata", "spec") if key in object}
    metadata = manifest.get("metadata")
    if isinstance(metadata, Mapping):
        manifest["metadata"] = {key: metadata[key] for key in ("name", "namespace") if key in metadata}
    return manifest


def _text(manifest: Any) -> str:
    """``manifest`` as JSON that YAML reads as JSON does."""
    text = json.dumps(manifest, ensure_ascii=False)
    return _NEVER_RAW.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _line(error: ManifestError) -> str:
    return f"{error.path}: {error.message}" if error.path else error.message


def _joined(lines: list[str]) -> str:
    more = f"\nand {len(lines) - _MOST} more" if len(lines) > _MOST else ""
    text = "\n".join(" ".join(line.split("\n")) for line in lines[:_MOST])
    return shorten(text, LONGEST - len(more)) + more


# --- what only a cluster minds ------------------------------------------------------------------------------------


def _broken_on_a_cluster(search: ArchitectureSearch) -> Iterator[str]:
    """Labels by which the operator finds its objects again cannot be the user's as well."""
    metadata = search.spec.trial.job_metadata
    for field, given in (("labels", metadata.labels), ("annotations", metadata.annotations)):
        for key, value in given.items():
            if key.partition("/")[0] == GROUP:
                path = f'spec.trial.jobMetadata.{field}["{key}"]'
                yield f"{path}: {shown(value)} is not allowed; {GROUP}/ is the operator's, needs another prefix"


def _warnings(search: ArchitectureSearch) -> Iterator[str]:
    """Data that the trial container will hardly find.

    No refusal: only the node knows what a container sees (admission webhooks mount volumes too), and the first child
    that finds nothing ends the search with the reason that its own program gives.
    """
    trial = search.spec.trial
    if trial.image is not None or trial.command is not None:
        return
    for field, path in _paths(trial.task):
        if not path.startswith("/"):
            yield (
                f"{field}: {shown(path)} is relative, and there is no such path in the default trial image; "
                "mount a volume by spec.trial.podTemplate and give the absolute path"
            )
        elif not _mounted(path, trial.pod_template):
            yield (
                f"{field}: {shown(path)} is not in the default trial image, and no volumeMount of "
                f"spec.trial.podTemplate holds it; mount a volume there in its container {TRIAL_CONTAINER}"
            )


def _paths(task: Task) -> Iterator[tuple[str, str]]:
    """Every path that the task reads, with its field; not those that it fills by a download."""
    if task.tabular is not None:
        yield "spec.trial.task.tabular.table", task.tabular.table
    if task.image_classification is None:
        return
    data = task.image_classification.dataset
    place = "spec.trial.task.imageClassification.dataset"
    if data.image_folder is not None:
        yield f"{place}.imageFolder.folder", data.image_folder.folder
    for name, known in (("cifar10", data.cifar10), ("fashionMnist", data.fashion_mnist)):
        if known is not None and known.folder is not None and not known.download:
            yield f"{place}.{name}.folder", known.folder


def _mounted(path: str, template: Mapping[str, Any]) -> bool:
    """Whether a volume that ``template`` mounts in any container holds ``path``."""
    wanted = PurePosixPath(path)
    return any(wanted.is_relative_to(mount) for mount in _mount_paths(template))


def _mount_paths(template: Mapping[str, Any]) -> Iterator[str]:
    spec = template.get("spec")
    containers = spec.get("containers") if isinstance(spec, Mapping) else None
    for container in containers if isinstance(containers, list) else ():
        mounts = container.get("volumeMounts") if isinstance(container, Mapping) else None
        for mount in mounts if isinstance(mounts, list) else ():
            path = mount.get("mountPath") if isinstance(mount, Mapping) else None
            if isinstance(path, str):
                yield path

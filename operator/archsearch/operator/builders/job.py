"""The Job of one attempt of a trial."""

from archsearch.api import ArchitectureSearch, seconds
from archsearch.engine.model import Start
from archsearch.engine.running import trial_name
from archsearch.operator.builders.merge import merge
from archsearch.operator.builders.owner import namespace_of, owner_reference
from archsearch.operator.builders.protect import refuse_ours
from archsearch.operator.builders.quantities import render, whole
from archsearch.operator.builders.refusing import TrialInputError
from archsearch.operator.builders.security import (
    container_security,
    pod_settings,
    scratch_env,
    scratch_mount,
    scratch_volume,
)
from archsearch.operator.names import TRIAL_CONTAINER, attempt_labels, job_name
from archsearch.operator.port import JOB, TRIAL, Object
from archsearch.operator.settings import Settings
from archsearch.report import REPORT_VARIABLE, TRIAL_FILE_VARIABLE, TRIAL_VARIABLE

REPORT_PATH = "/dev/termination-log"
GRACE = 5
"""Seconds between SIGTERM and SIGKILL of a trial: it has nothing to save."""
NODE_LOST = 30
"""Seconds that a trial's pod stays on a node that says nothing, before it is deleted and its slot given up."""
LARGEST_VARIABLE = 32 * 1024
"""Bytes of input that are handed over in a variable; Linux refuses to start a program with one above 128 KiB."""
LARGEST_INPUT = 240 * 1024
"""Bytes of input that fit a pod's annotations: Kubernetes allows 256 KiB in all, and other tools add their own."""
INPUT_ANNOTATION = "archsearch.io/trial-input"
_INPUT_VOLUME = "archsearch-input"
_INPUT_FOLDER = "/etc/archsearch"
_INPUT_FILE = "trial.json"
_MOST_THREADS = 1024


def trial_image(search: ArchitectureSearch, settings: Settings, pinned: str | None) -> str:
    """Image of the trials: the manifest's, else the one that was resolved when the search was accepted
    (``pinned``), else this release's."""
    return search.spec.trial.image or pinned or settings.images.trial


def trial_threads(search: ArchitectureSearch) -> int:
    """CPU threads of a child: the manifest's; else 1 where rewards must be reproducible, or the CPUs it may use."""
    spec = search.spec
    if spec.trial.threads is not None:
        return spec.trial.threads
    resources = spec.trial.resources
    cpus = resources.limits.get("cpu", resources.requests.get("cpu"))
    if spec.trials.reproducible or cpus is None:
        return 1
    return min(max(1, whole(cpus)), _MOST_THREADS)


def build_job(
    search: ArchitectureSearch,
    search_uid: str,
    trial_uid: str,
    start: Start,
    settings: Settings,
    *,
    pinned: str | None = None,
) -> Object:
    """The Job of the attempt ``start``; it is owned by its ArchitectureTrial, whose uid is ``trial_uid``.

    Args:
        search: the manifest as it is now: edits of podTemplate affect later attempts only.
        search_uid: uid of the search.
        trial_uid: uid of the attempt's ArchitectureTrial.
        start: what the engine asks for.
        settings: images of this release.
        pinned: ``status.resolved.trialImage``.

    Raises:
        PodTemplateError: ``spec.trial.podTemplate`` or ``spec.trial.jobMetadata`` cannot be used.
        TrialInputError: what the trial is given does not fit a pod.
    """
    name = search.metadata.name
    labels = attempt_labels(name, search_uid, start.index, start.attempt)
    given = search.spec.trial.job_metadata
    refuse_ours({}, given.annotations, ("spec", "trial", "jobMetadata", "annotations"))
    refuse_ours({}, given.labels, ("spec", "trial", "jobMetadata", "labels"))
    metadata: Object = {
        "name": job_name(name, start.index, start.attempt),
        "namespace": namespace_of(search),
        "labels": {**given.labels, **labels},
        "ownerReferences": [owner_reference(TRIAL, trial_name(name, start.index), trial_uid)],
    }
    if given.annotations:
        metadata["annotations"] = dict(given.annotations)
    template = _template(search, start, settings, labels, trial_image(search, settings, pinned))
    return {
        "apiVersion": JOB.api_version,
        "kind": JOB.kind,
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0,  # nor does a Job replace a pod that is deleted: one attempt holds one slot
            "completions": 1,
            "parallelism": 1,
            "template": merge(template, search.spec.trial.pod_template),
        },
    }


def _template(
    search: ArchitectureSearch, start: Start, settings: Settings, labels: dict[str, str], image: str
) -> Object:
    text = start.input.model_copy(update={"threads": trial_threads(search)}).model_dump_json(by_alias=True)
    size = len(text.encode())
    if size > LARGEST_INPUT:
        raise TrialInputError(
            f"the input of {start.input.trial} takes {size} bytes (its architecture and spec.trial.task as JSON); "
            f"allowed: {LARGEST_INPUT}, for it travels in an annotation of the pod"
        )
    container = _container(search, settings, image)
    volumes, annotations = [scratch_volume()], {}
    if size <= LARGEST_VARIABLE:
        container["env"].append({"name": TRIAL_VARIABLE, "value": text})
    else:
        annotations[INPUT_ANNOTATION] = text
        container["env"].append({"name": TRIAL_FILE_VARIABLE, "value": f"{_INPUT_FOLDER}/{_INPUT_FILE}"})
        container["volumeMounts"].append({"name": _INPUT_VOLUME, "mountPath": _INPUT_FOLDER, "readOnly": True})
        source = {"path": _INPUT_FILE, "fieldRef": {"fieldPath": f"metadata.annotations['{INPUT_ANNOTATION}']"}}
        volumes.append({"name": _INPUT_VOLUME, "downwardAPI": {"items": [source]}})
    metadata: Object = {"labels": labels} | ({"annotations": annotations} if annotations else {})
    return {"metadata": metadata, "spec": _pod_spec(search, settings, container, volumes)}


def _pod_spec(search: ArchitectureSearch, settings: Settings, container: Object, volumes: list[Object]) -> Object:
    spec: Object = {
        **pod_settings(),
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE,
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{taint}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": NODE_LOST,
            }
            for taint in ("not-ready", "unreachable")
        ],
        "containers": [container],
        "volumes": volumes,
    }
    if search.spec.trial.deadline is not None:
        spec["activeDeadlineSeconds"] = seconds(search.spec.trial.deadline)
    if settings.images.pull_secrets:
        spec["imagePullSecrets"] = [{"name": secret} for secret in settings.images.pull_secrets]
    return spec


def _container(search: ArchitectureSearch, settings: Settings, image: str) -> Object:
    trial = search.spec.trial
    container: Object = {
        "name": TRIAL_CONTAINER,
        "image": image,
        "env": [*scratch_env(), {"name": REPORT_VARIABLE, "value": REPORT_PATH}],
        "resources": render(trial.resources),
        "securityContext": container_security(),
        "terminationMessagePath": REPORT_PATH,
        "terminationMessagePolicy": "File",
        "volumeMounts": [scratch_mount()],
    }
    if trial.image is None:
        container["imagePullPolicy"] = settings.images.pull_policy
    if trial.command is not None:
        container["command"] = list(trial.command)
    return container

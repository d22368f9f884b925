"""The controller of a search: its Secret, its Service, and the one pod that runs it."""

import hashlib
import hmac
import json

from archsearch.api import ArchitectureSearch, Strategy
from archsearch.api.search import Resources
from archsearch.operator.builders.owner import namespace_of, owner_reference
from archsearch.operator.builders.quantities import render
from archsearch.operator.builders.security import (
    container_security,
    pod_settings,
    scratch_env,
    scratch_mount,
    scratch_volume,
)
from archsearch.operator.names import (
    COMPONENT,
    CONFIG_HASH,
    CONTROLLER,
    CONTROLLER_CONTAINER,
    CONTROLLER_PORT,
    SEARCH_UID_LABEL,
    controller_pod_name,
    controller_secret_name,
    controller_service_name,
    labels,
)
from archsearch.operator.port import POD, SEARCH, SECRET, SERVICE, Object
from archsearch.operator.settings import Settings

TOKEN_VARIABLE = "ARCHSEARCH_TOKEN"  # noqa: S105 - the variable's name
TOKEN_KEY = "token"  # noqa: S105 - a key of the Secret
CONFIG_KEY = "config.json"
GRACE = 5
"""Seconds between SIGTERM and SIGKILL: a controller has nothing to save, the ledger is its state."""
REQUESTS = {"cpu": "100m", "memory": "768Mi"}
"""Set aside for a controller where the manifest does not say: importing torch takes about 600 MiB."""
_FOLDER = "/etc/archsearch"
_CONFIG = "config"
_PORT_NAME = "http"


def token(key: bytes, uid: str) -> str:
    """Token of the search with uid ``uid``: HMAC-SHA256 of the uid under the operator's ``key``, in hexadecimal."""
    return hmac.new(key, uid.encode(), hashlib.sha256).hexdigest()


def config(search: ArchitectureSearch, strategy: Strategy) -> str:
    """Configuration of the controller program as JSON: name, searchSpace, strategy (the one in force), seed."""
    return _canonical(
        {
            "name": search.metadata.name,
            "searchSpace": search.spec.search_space.model_dump(mode="json", exclude_none=True),
            "strategy": strategy.model_dump(mode="json", exclude_none=True),
            "seed": search.spec.seed,
        }
    )


def config_hash(token: str, config: str) -> str:
    """Hash of the token and the configuration: a controller pod that was made from others is to be replaced."""
    parts = [hashlib.sha256(part.encode()).digest() for part in (token, config)]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:32]


def build_secret(search: ArchitectureSearch, uid: str, token: str, config: str) -> Object:
    """The Secret with the token and the configuration; it never changes."""
    name = controller_secret_name(search.metadata.name, token)
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.kind,
        "metadata": _metadata(search, uid, name),
        "type": "Opaque",
        "immutable": True,
        "stringData": {TOKEN_KEY: token, CONFIG_KEY: config},
    }


def build_service(search: ArchitectureSearch, uid: str) -> Object:
    """The Service of the controller: a name that stays while pods come and go."""
    return {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.kind,
        "metadata": _metadata(search, uid, controller_service_name(search.metadata.name)),
        "spec": {
            "type": "ClusterIP",
            "selector": {COMPONENT: CONTROLLER, SEARCH_UID_LABEL: uid},
            "ports": [{"name": _PORT_NAME, "port": CONTROLLER_PORT, "protocol": "TCP", "targetPort": _PORT_NAME}],
        },
    }


def build_controller_pod(
    search: ArchitectureSearch, uid: str, number: int, token: str, config: str, image: str, settings: Settings
) -> Object:
    """The ``number``-th controller pod of a search, from 1; it runs ``image``, a pinned one or this release's."""
    metadata = _metadata(search, uid, controller_pod_name(search.metadata.name, number))
    metadata["annotations"] = {CONFIG_HASH: config_hash(token, config)}
    secret = controller_secret_name(search.metadata.name, token)
    source = {"secretName": secret, "items": [{"key": CONFIG_KEY, "path": CONFIG_KEY}]}
    spec: Object = {
        **pod_settings(),
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE,
        "containers": [_container(search, secret, image, settings)],
        "volumes": [scratch_volume(), {"name": _CONFIG, "secret": source}],
    }
    if settings.images.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in settings.images.pull_secrets]
    return {"apiVersion": POD.api_version, "kind": POD.kind, "metadata": metadata, "spec": spec}


def _container(search: ArchitectureSearch, secret: str, image: str, settings: Settings) -> Object:
    reference = {"secretKeyRef": {"name": secret, "key": TOKEN_KEY}}
    probe = {"httpGet": {"path": "/healthz", "port": _PORT_NAME}, "periodSeconds": 2, "timeoutSeconds": 5}
    return {
        "name": CONTROLLER_CONTAINER,
        "image": image,
        "imagePullPolicy": settings.images.pull_policy,
        "args": ["--config", f"{_FOLDER}/{CONFIG_KEY}", "--host", "0.0.0.0", "--port", str(CONTROLLER_PORT)],  # noqa: S104 - the pod's address
        "env": [*scratch_env(), {"name": TOKEN_VARIABLE, "valueFrom": reference}],
        "ports": [{"name": _PORT_NAME, "containerPort": CONTROLLER_PORT, "protocol": "TCP"}],
        "readinessProbe": probe,
        "resources": render(_resources(search)),
        "securityContext": container_security(),
        "volumeMounts": [scratch_mount(), {"name": _CONFIG, "mountPath": _FOLDER, "readOnly": True}],
    }


def _resources(search: ArchitectureSearch) -> Resources:
    """The manifest's; a request stands in only where there is neither a request nor a limit to take it from."""
    given = search.spec.controller.resources
    missing = {name: amount for name, amount in REQUESTS.items() if name not in given.limits}
    return Resources(limits=given.limits, requests={**missing, **given.requests})


def _metadata(search: ArchitectureSearch, uid: str, name: str) -> Object:
    return {
        "name": name,
        "namespace": namespace_of(search),
        "labels": labels(search.metadata.name, uid, CONTROLLER),
        "ownerReferences": [owner_reference(SEARCH, search.metadata.name, uid)],
    }


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)

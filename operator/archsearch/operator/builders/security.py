"""What every pod that we make has in common: the restricted Pod Security Standard, and a place to write."""

from archsearch.operator.port import Object

USER = 65532
"""User and group of our containers: the one that distroless images call nonroot."""
_SCRATCH = "tmp"
_FOLDER = "/tmp"  # noqa: S108 - a volume of the pod's own


def pod_security() -> Object:
    """``securityContext`` of a pod: nobody's root, the runtime's own seccomp profile."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> Object:
    """``securityContext`` of a container: no privileges to gain, a root file system that cannot be written."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def pod_settings() -> Object:
    """Fields of a pod's spec by which nothing of the cluster comes into it: no token, no variables of Services."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
    }


def scratch_volume() -> Object:
    """The one volume that may be written: it lives and dies with the pod."""
    return {"name": _SCRATCH, "emptyDir": {}}


def scratch_mount() -> Object:
    """Where :func:`scratch_volume` is mounted."""
    return {"name": _SCRATCH, "mountPath": _FOLDER}


def scratch_env() -> list[Object]:
    """Variables that send programs there: caches and temporary files have no other place."""
    return [{"name": "HOME", "value": _FOLDER}, {"name": "TMPDIR", "value": _FOLDER}]

"""Settings of an operator: read once from its command line, the same for every search."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Images:
    """Images of this release, used where a manifest names none."""

    trial: str
    controller: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """What an operator is told by its flags."""

    images: Images
    key: bytes
    """Secret from which every search's token is derived, with the search's uid."""
    namespaces: tuple[str, ...] = ()
    """Namespaces whose searches it runs; empty: all."""
    lease_namespace: str = "archsearch"
    """Namespace of its Lease."""
    lease_name: str = "archsearch-operator"
    identity: str = "operator"
    """Holder of the Lease: the pod's name."""
    resync: float = 30.0
    """Seconds between two passes of a search when nothing wakes it."""
    node_lost_after: float = 60.0
    """Seconds after which a pod that is being deleted and does not end counts as lost with its node."""
    finished_ttl: int = 3600
    """Seconds that a Job stays after its report is in the ledger (ttlSecondsAfterFinished)."""
    http_port: int = 8080
    """Port of /metrics, /healthz and /readyz; 0: any free one."""
    http_host: str = "0.0.0.0"  # noqa: S104 - probes and Prometheus come by the pod's address
    port_forward: bool = False
    """Reach controllers by `kubectl port-forward`: for an operator outside the cluster."""
    kubeconfig: str | None = None
    """Kubeconfig file; None: that of the pod, or else the user's."""
    context: str | None = None
    """Context of the kubeconfig; None: its current one."""

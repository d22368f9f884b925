"""The cluster port: five verbs on plain objects, each with a deadline, and what can go wrong as types.

Everything that the operator does to a cluster passes here, so that API calls are counted in one place and tests run one
contract against it. Objects are plain JSON dictionaries: parsed where they are used, never kept whole.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Object = dict[str, Any]
"""An object of the cluster as JSON; builders make them, codecs read them."""


@dataclass(frozen=True)
class Resource:
    """A kind of object: ``group`` is empty for the core group, ``plural`` as in URLs."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """``apiVersion`` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version


SEARCH = Resource("archsearch.io", "v1alpha1", "architecturesearches", "ArchitectureSearch")
TRIAL = Resource("archsearch.io", "v1alpha1", "architecturetrials", "ArchitectureTrial")
JOB = Resource("batch", "v1", "jobs", "Job")
POD = Resource("", "v1", "pods", "Pod")
SERVICE = Resource("", "v1", "services", "Service")
SECRET = Resource("", "v1", "secrets", "Secret")
EVENT = Resource("events.k8s.io", "v1", "events", "Event")
LEASE = Resource("coordination.k8s.io", "v1", "leases", "Lease")
NETWORK_POLICY = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")


class ClusterError(Exception):
    """A call to the API server had no good answer; ``status`` is the HTTP status, 0 where there was none."""

    def __init__(self, message: str, status: int = 0, causes: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.causes = tuple(causes)
        """What the API server objects to, a sentence each, with the field's path."""


class NotFound(ClusterError):  # noqa: N818 - it says what is the matter
    """404: there is no such object (or namespace, or kind)."""


class AlreadyExists(ClusterError):  # noqa: N818 - it says what is the matter
    """409 on create: the name is taken."""


class Conflict(ClusterError):  # noqa: N818 - it says what is the matter
    """409 on a write: the object has changed since it was read, or is being deleted with its namespace."""


class Expired(ClusterError):  # noqa: N818 - it says what is the matter
    """410: list again, the watch's place is no longer known."""


class Rejected(ClusterError):  # noqa: N818 - it says what is the matter
    """400, 403, 413 or 422: this write will never be accepted as it is (schema, quota, admission, rights)."""


class Unavailable(ClusterError):  # noqa: N818 - it says what is the matter
    """No answer in time, 429 or 5xx: try again later. Whether a write happened is unknown."""


@dataclass(frozen=True)
class Listing:
    """A list as it was at ``resource_version``."""

    items: tuple[Object, ...]
    resource_version: str


@dataclass(frozen=True)
class Change:
    """One event of a watch: ``type`` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: Object


class ClusterPort(Protocol):
    """What the operator needs of a cluster. Every call raises ClusterError's children, and nothing else."""

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """One object. Raises NotFound."""
        ...

    async def list(self, resource: Resource, namespace: str | None, selector: str = "") -> Listing:
        """All objects with the labels that ``selector`` asks for, page by page; ``namespace`` None: of all."""
        ...

    def pages(self, resource: Resource, namespace: str | None, selector: str = "") -> AsyncGenerator[Listing, None]:
        """The same list a page at a time, for whoever keeps only parts of each object.

        Raises Expired in its midst: what came before is then worth nothing, begin again.
        """
        ...

    def watch(
        self,
        resource: Resource,
        namespace: str | None,
        selector: str,
        resource_version: str,
        *,
        opened: Callable[[], None] | None = None,
    ) -> AsyncGenerator[Change, None]:
        """Changes since ``resource_version``; ends when the server ends it, or has been silent for long.

        ``opened`` is called once the server has agreed to it. Raises Expired, Unavailable.
        """
        ...

    async def create(self, resource: Resource, object: Object, *, dry_run: bool = False) -> Object:
        """Create ``object`` in its namespace. Raises AlreadyExists, Rejected."""
        ...

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Mapping[str, Any],
        *,
        subresource: str | None = None,
    ) -> Object:
        """JSON merge patch of an object or its ``subresource`` (status). A ``metadata.resourceVersion`` in the patch
        makes it conditional. Raises NotFound, Conflict, Rejected."""
        ...

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str, grace: int | None = None
    ) -> None:
        """Delete the object with that uid, what it owns in the background. An absent one is no error.

        Raises Conflict where another object has the name.
        """
        ...

    async def log(self, namespace: str, pod: str, container: str, *, tail_bytes: int) -> bytes:
        """The end of a container's log. Raises NotFound, Rejected (it never started)."""
        ...

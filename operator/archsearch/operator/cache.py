"""What a watcher remembers: trimmed objects by the search that they were made for. Plain data; no clock, no calls."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from archsearch.api import GROUP
from archsearch.operator import names
from archsearch.operator.fields import text
from archsearch.operator.port import Change, Object

GONE = f"{GROUP}/gone"
"""Annotation ("true") that the cache sets on a tombstone: the object is deleted, and this is the last seen of it."""

Trim = Callable[[Object], Object]
"""What is kept of an object: a new object with at least name, namespace, uid, resourceVersion and our labels."""

Changed = tuple[str, str, Object]
"""Namespace, value of the index label ("" where there is none), and the object as it is kept."""


@dataclass
class _Entry:
    object: Object
    scope: str
    version: int
    gone: bool = False


def is_gone(object: Object) -> bool:
    """Whether ``object`` is a tombstone: deleted from the cluster, kept until it is forgotten."""
    return text(object, "metadata", "annotations", GONE) == "true"


def has_terminated_container(pod: Object) -> bool:
    """Whether a container of ``pod`` has ended: then its status has an exit code, and maybe a report."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any("terminated" in (status.get("state") or {}) for status in statuses)


class Cache:
    """Objects of one kind by uid, with an index on one label.

    It is fed by scopes: a namespace each, or "" for all. A scope has a version, the newest that its list or its watch
    has told of. Versions are compared as numbers, as the API server allows since 1.35 and has always meant.
    """

    def __init__(
        self, trim: Trim, *, index: str = names.SEARCH_UID_LABEL, keep: Callable[[Object], bool] | None = None
    ) -> None:
        """An empty cache.

        Args:
            trim: see `Trim`.
            index: the label by which `of` finds objects.
            keep: whether a deleted object stays as a tombstone (by its last state, trimmed); None: never.
        """
        self._trim = trim
        self._index = index
        self._keep = keep
        self._entries: dict[str, _Entry] = {}
        self._uids: dict[tuple[str, str], dict[str, None]] = {}
        self._versions: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def of(self, namespace: str, value: str) -> Sequence[Object]:
        """Objects of ``namespace`` whose index label is ``value``, tombstones among them (`is_gone`).

        In the order in which they came; the time it takes depends on these alone. They are the cache's own: not to be
        changed.
        """
        return [self._entries[uid].object for uid in self._uids.get((namespace, value), ())]

    def apply(self, scope: str, change: Change) -> Changed | None:
        """Take an event of a watch; what changed by it, None where nothing that is kept did."""
        version = _version(change.object)
        self._versions[scope] = max(version, self._versions.get(scope, 0))
        if change.type == "BOOKMARK":
            return None
        kept = self._trim(change.object)
        if change.type == "DELETED":
            return self._delete(kept["metadata"]["uid"], kept, version)
        return self._store(scope, kept, version)

    def put(self, scope: str, object: Object) -> None:
        """Take what a create or a patch of ours has answered, before the watch tells of it.

        Ignored where the watch is already past it: it has told of it, or of its deletion.
        """
        version = _version(object)
        if version > self._versions.get(scope, 0):
            self._store(scope, self._trim(object), version)

    def list(self, scope: str, object: Object) -> Changed | None:
        """Take an object of a list of ``scope``; what changed by it."""
        return self._store(scope, self._trim(object), _version(object))

    def finish(self, scope: str, listed: Collection[str], version: int) -> tuple[Changed, ...]:
        """The list is complete: what is not among the uids ``listed`` has been deleted unseen; what changed by it.

        Objects newer than the list, of our own making, stay: the watch from ``version`` on will tell of them.
        """
        missing = [
            uid
            for uid, entry in self._entries.items()
            if entry.scope == scope and not entry.gone and uid not in listed and entry.version <= version
        ]
        self._versions[scope] = max(version, self._versions.get(scope, 0))
        changes = (self._delete(uid, self._entries[uid].object, version) for uid in missing)
        return tuple(change for change in changes if change is not None)

    def forget(self, uid: str) -> None:
        """Drop the tombstone of ``uid``; an object that still is in the cluster stays, an unknown uid is no error."""
        entry = self._entries.get(uid)
        if entry is not None and entry.gone:
            self._drop(uid, entry.object)

    def forget_all(self, namespace: str, value: str) -> None:
        """Drop all tombstones of ``namespace`` with that index label: their search is gone."""
        for uid in tuple(self._uids.get((namespace, value), ())):
            self.forget(uid)

    def _store(self, scope: str, kept: Object, version: int) -> Changed | None:
        uid = kept["metadata"]["uid"]
        before = self._entries.get(uid)
        if before is not None:
            if before.gone or (version and before.version >= version):
                return None
            if self._key(before.object) != self._key(kept):
                self._unlink(uid, before.object)
        self._entries[uid] = _Entry(kept, scope, version)
        self._uids.setdefault(self._key(kept), {})[uid] = None
        if before is not None and _same(before.object, kept):
            return None
        return (*self._key(kept), kept)

    def _delete(self, uid: str, last: Object, version: int) -> Changed | None:
        before = self._entries.get(uid)
        if before is None or before.gone or before.version > version:
            return None  # never seen, or told of already
        self._drop(uid, before.object)
        if self._keep is not None and self._keep(last):
            metadata = last["metadata"]
            annotations = {**(metadata.get("annotations") or {}), GONE: "true"}
            last = {**last, "metadata": {**metadata, "annotations": annotations}}
            self._entries[uid] = _Entry(last, before.scope, version, gone=True)
            self._uids.setdefault(self._key(last), {})[uid] = None
        return (*self._key(last), last)

    def _drop(self, uid: str, object: Object) -> None:
        del self._entries[uid]
        self._unlink(uid, object)

    def _unlink(self, uid: str, object: Object) -> None:
        key = self._key(object)
        del self._uids[key][uid]
        if not self._uids[key]:
            del self._uids[key]

    def _key(self, object: Object) -> tuple[str, str]:
        metadata = object["metadata"]
        return metadata.get("namespace", ""), (metadata.get("labels") or {}).get(self._index, "")


def _same(one: Object, other: Object) -> bool:
    """Whether two trimmed objects differ in nothing but their version."""

    def stripped(object: Object) -> Object:
        metadata = {key: value for key, value in object["metadata"].items() if key != "resourceVersion"}
        return {**object, "metadata": metadata}

    return stripped(one) == stripped(other)


def _version(object: Object) -> int:
    return version_of(object["metadata"].get("resourceVersion", ""))


def version_of(resource_version: str) -> int:
    """A resourceVersion as a number; 0 where it is none (an aggregated API server may have others)."""
    return int(resource_version) if resource_version.isdecimal() else 0

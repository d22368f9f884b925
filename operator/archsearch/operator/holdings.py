"""Jobs and pods of one search, as the caches have them."""

from collections.abc import Sequence

from archsearch.operator.cache import is_gone
from archsearch.operator.observing import Key, attempt_of
from archsearch.operator.pods import trial_ended
from archsearch.operator.port import Object, Resource
from archsearch.operator.shared import SearchRef, Shared


class Holdings:
    """What a search holds of its cluster."""

    def __init__(self, shared: Shared, ref: SearchRef) -> None:
        self._shared = shared
        self._ref = ref

    @property
    def jobs(self) -> Sequence[Object]:
        """Its Jobs. They are the cache's own: not to be changed."""
        return self._shared.jobs.of(self._ref.namespace, self._ref.uid)

    @property
    def pods(self) -> Sequence[Object]:
        """Its pods, trials' and controllers', and what is remembered of those that are gone."""
        return self._shared.pods.of(self._ref.namespace, self._ref.uid)

    def attempt_of(self, object: Object) -> Key | None:
        """Which attempt a Job or pod belongs to; None: to none."""
        return attempt_of(object, self._ref.uid)

    def pods_of(self, key: Key | None) -> list[Object]:
        """Pods of an attempt that are still there."""
        return [pod for pod in self.pods if self.attempt_of(pod) == key and not is_gone(pod)]

    def has_ended(self, job: Object) -> bool:
        """Whether the program of a Job has ended in a pod that is there to tell: the Job is complete in a moment."""
        return any(trial_ended(pod) for pod in self.pods_of(self.attempt_of(job)))

    async def delete(self, kind: Resource, object: Object) -> None:
        """Delete an object, unless that is under way.

        Raises:
            ClusterError: it is not known whether it goes.
        """
        metadata = object["metadata"]
        if "deletionTimestamp" not in metadata:
            await self._shared.port.delete(kind, metadata["namespace"], metadata["name"], uid=metadata["uid"])

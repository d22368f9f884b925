"""Letting Jobs go whose reports are in the ledger, and forgetting what is gone."""

import logging
from collections.abc import Callable

from archsearch.operator.cache import is_gone
from archsearch.operator.holdings import Holdings
from archsearch.operator.observing import Key
from archsearch.operator.pods import is_over, other_containers
from archsearch.operator.port import JOB, ClusterError, NotFound, Object
from archsearch.operator.recording import in_bunches
from archsearch.operator.shared import Shared

_log = logging.getLogger(__name__)
LINGERS_FOR = 30.0
"""Seconds for which a pod may hold its slot after its trial's report has been taken in."""
_SIDECARS = (
    "containers of spec.trial.podTemplate do not end when the trial does ({}): each Job is deleted {:.0f} s after its "
    "trial has ended, and its slot is idle until then; make them initContainers with restartPolicy: Always"
)


class Tidying:
    """Tidies up after the attempts of one search."""

    def __init__(self, shared: Shared, holdings: Holdings, settled: Callable[[Key], bool]) -> None:
        """``settled`` says whether everything about an attempt is in the ledger."""
        self._shared = shared
        self._holdings = holdings
        self._settled = settled
        self._bound: set[str] = set()
        """Uids of Jobs that are bound to go by themselves once they are over."""
        self._over: set[str] = set()
        """Uids of those that are over."""
        self._lingering: dict[str, float] = {}
        """Uids of Jobs that are not over though their trial's report is in the ledger, and since when."""
        self.warnings: tuple[str, ...] = ()
        """What people should be told of how their pods behave."""

    def is_history(self, job: Object) -> bool:
        """Whether the report of a Job is taken in and its end in sight, so that it tells nothing of its attempt."""
        return job["metadata"]["uid"] in self._bound

    async def tidy(self) -> float | None:
        """Let Jobs go whose report is in the ledger, and forget what is gone; seconds until to look again, or None.

        One whose program has ended goes by itself (ttlSecondsAfterFinished), unless other containers of its pod hold
        on to its slot; one whose program was lost, or stopped, would start it again once it could, and is deleted.
        """
        done = [job for job in self._holdings.jobs if self._is_done(job)]
        await in_bunches([lambda job=job: self._let_go(job) for job in done])  # type: ignore[misc]
        for pod in self._holdings.pods:
            key = self._holdings.attempt_of(pod)
            if key is not None and is_gone(pod) and self._settled(key):
                self._shared.pods.forget(pod["metadata"]["uid"])
        there, now = {job["metadata"]["uid"] for job in done}, self._shared.monotonic()
        self._lingering = {uid: since for uid, since in self._lingering.items() if uid in there}
        return min((max(1.0, since + LINGERS_FOR - now) for since in self._lingering.values()), default=None)

    def _is_done(self, job: Object) -> bool:
        key = self._holdings.attempt_of(job)
        return job["metadata"]["uid"] not in self._over and key is not None and self._settled(key)

    async def _let_go(self, job: Object) -> None:
        metadata = job["metadata"]
        try:
            if not is_over(job) and (not self._holdings.has_ended(job) or self._lingers(job)):
                await self._holdings.delete(JOB, job)
            elif "deletionTimestamp" not in metadata and not self.is_history(job):
                await self._bind(job)
        except NotFound:
            pass
        except ClusterError as error:
            _log.info("Job %s cannot be bound to go yet: %s", metadata["name"], error)
            return
        self._bound.add(metadata["uid"])
        if is_over(job):
            self._over.add(metadata["uid"])

    async def _bind(self, job: Object) -> None:
        if "ttlSecondsAfterFinished" not in job.get("spec", {}):
            metadata, after = job["metadata"], self._shared.settings.finished_ttl
            patch = {"spec": {"ttlSecondsAfterFinished": after}}
            await self._shared.port.patch(JOB, metadata["namespace"], metadata["name"], patch)

    def _lingers(self, job: Object) -> bool:
        """Whether a pod of a Job whose trial has ended holds on to its slot for too long; people are told why."""
        metadata, now = job["metadata"], self._shared.monotonic()
        if now - self._lingering.setdefault(metadata["uid"], now) < LINGERS_FOR:
            return False
        pods = self._holdings.pods_of(self._holdings.attempt_of(job))
        others = sorted({name for pod in pods for name in other_containers(pod)})
        _log.warning("the trial of Job %s has ended and its pod has not; it is deleted", metadata["name"])
        if others:
            self.warnings = (_SIDECARS.format(", ".join(others), LINGERS_FOR),)
        return True

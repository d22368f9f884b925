"""Making Jobs: what the API server refuses today (a quota, an admission rule) it may accept tomorrow."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from archsearch.api import ArchitectureSearch
from archsearch.engine.model import Phase, Start
from archsearch.operator import names
from archsearch.operator.builders.job import build_job
from archsearch.operator.builders.refusing import PodTemplateError, TrialInputError
from archsearch.operator.leftovers import refuse_stranger
from archsearch.operator.observing import Key
from archsearch.operator.port import JOB, AlreadyExists, ClusterError, Object, Rejected
from archsearch.operator.problems import Problem
from archsearch.operator.recording import Recording, in_bunches
from archsearch.operator.shared import SearchRef, Shared

_log = logging.getLogger(__name__)
_LONGEST_BACK_OFF = 30.0


@dataclass(frozen=True)
class _Waiting:
    start: Start
    due: float = 0.0
    failures: int = 0
    refusal: str | None = None


class Launching:
    """The starts of one search that have no Job yet; the ledger says already that they run."""

    def __init__(self, shared: Shared, ref: SearchRef, recording: Recording, pinned_image: str | None) -> None:
        self._shared = shared
        self._ref = ref
        self._recording = recording
        self._pinned_image = pinned_image
        self._waiting: dict[Key, _Waiting] = {}

    def has(self, key: Key) -> bool:
        """Whether this attempt waits for its Job."""
        return key in self._waiting

    def drop(self, key: Key) -> None:
        """This attempt is not to be started any more."""
        self._waiting.pop(key, None)

    @property
    def due_in(self) -> float | None:
        """Seconds until the next Job is tried again; None: none waits."""
        now = self._shared.monotonic()
        return min((max(0.0, one.due - now) for one in self._waiting.values()), default=None)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why Jobs cannot be made, each refusal once."""
        told: dict[str, Problem] = {}
        for key, one in sorted(self._waiting.items()):
            if one.refusal is not None:
                name = names.job_name(self._ref.name, *key)
                told.setdefault(one.refusal, Problem("JobRefused", one.refusal, name, None))
        return tuple(told.values())

    async def launch(self, search: ArchitectureSearch, starts: Sequence[Start]) -> None:
        """Make the Jobs of ``starts`` and of all that are due, of those that the ledger says run.

        Where it is in doubt what the ledger says, a start waits until that is known.
        """
        for start in starts:
            self._waiting[start.index, start.attempt] = _Waiting(start)
        now = self._shared.monotonic()
        for key in [key for key in self._waiting if not self._is_wanted(key)]:
            del self._waiting[key]
        ready = [one for key, one in sorted(self._waiting.items()) if key[0] not in self._recording.doubtful]
        due = [one.start for one in ready if one.due <= now]
        await in_bunches([lambda start=start: self._make(search, start) for start in due])  # type: ignore[misc]

    def _is_wanted(self, key: Key) -> bool:
        index, attempt = key
        ledger = self._recording.ledger
        if index in self._recording.doubtful:
            return True
        running = index < len(ledger) and ledger[index].phase is Phase.RUNNING
        return running and ledger[index].attempts == attempt

    async def _make(self, search: ArchitectureSearch, start: Start) -> None:
        key = (start.index, start.attempt)
        uid = self._recording.uids[start.index]
        try:
            job = build_job(search, self._ref.uid, uid, start, self._shared.settings, pinned=self._pinned_image)
            made = await self._create(job)
        except (PodTemplateError, TrialInputError, Rejected) as error:
            self._later(key, f"the Job is refused: {error}")
        except ClusterError as error:
            _log.info("the Job of %s cannot be made yet: %s", key, error)
            self._later(key, None)
        else:
            self._shared.jobs.put(made)
            del self._waiting[key]

    async def _create(self, job: Object) -> Object:
        """The Job, made now or by an earlier call whose answer was lost."""
        try:
            return await self._shared.port.create(JOB, job)
        except AlreadyExists:
            metadata = job["metadata"]
            there = await self._shared.port.get(JOB, metadata["namespace"], metadata["name"])
            refuse_stranger(there, self._ref.uid)
            return there

    def _later(self, key: Key, refusal: str | None) -> None:
        one = self._waiting[key]
        failures = one.failures + 1
        due = self._shared.monotonic() + min(_LONGEST_BACK_OFF, 0.5 * 2 ** min(failures, 8))
        self._waiting[key] = replace(one, due=due, failures=failures, refusal=refusal)

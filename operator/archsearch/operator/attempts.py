"""Attempts of trials as Jobs: started, stopped, observed, and tidied up once their reports are in the ledger."""

import logging
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archsearch.api import ArchitectureSearch
from archsearch.engine.model import Attempt, AttemptState, Phase, Start, Stop
from archsearch.local.attempts import LOG_END
from archsearch.operator import names
from archsearch.operator.cache import is_gone
from archsearch.operator.clockwork import due_in
from archsearch.operator.holdings import Holdings
from archsearch.operator.launching import Launching
from archsearch.operator.observing import Key, Observed, attempt_of, lingering_slots, observe_attempts
from archsearch.operator.pods import is_over
from archsearch.operator.port import JOB, POD, ClusterError, NotFound, Object
from archsearch.operator.problems import Problem, problems
from archsearch.operator.recording import Detail, Recording, in_bunches
from archsearch.operator.shared import SearchRef, Shared
from archsearch.operator.tidying import Tidying
from archsearch.report_parsing import printable, shorten

_log = logging.getLogger(__name__)
_LOG_AGAIN = 2.0
"""Seconds until a log that cannot be read is asked for again."""
_LONGEST_MESSAGE = 1024


@dataclass(frozen=True)
class Seen:
    """What a pass has seen of the attempts."""

    attempts: tuple[Attempt, ...] = ()
    lingering: int = 0
    """Slots held by pods whose trial is over."""
    running: int = 0
    """Trial pods that run."""
    problems: tuple[Problem, ...] = ()
    wake_after: float | None = None
    """Seconds after which to look again although nothing has happened."""


class Attempts:
    """The attempts of one search."""

    def __init__(self, shared: Shared, ref: SearchRef, recording: Recording, pinned_image: str | None) -> None:
        self._shared = shared
        self._ref = ref
        self._recording = recording
        self._holdings = Holdings(shared, ref)
        self._launching = Launching(shared, ref, recording, pinned_image)
        self._tidying = Tidying(shared, self._holdings, self._settled)
        self._logs: dict[Key, bytes] = {}
        self._unread: dict[Key, float] = {}
        """Since when logs could not be read."""
        self._lost_logs: dict[Key, str] = {}
        """Attempts whose log will not be read any more, and why."""
        self._stops: dict[Key, str] = {}
        """Why attempts that are not settled have been stopped: their Jobs are gone at once, and say nothing."""
        self.times: dict[Key, tuple[int | None, int | None]] = {}
        """Start and end of the program of attempts that have ended and may not be in the ledger yet."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people should be told of how their pods behave."""
        return self._tidying.warnings

    # --- seeing -------------------------------------------------------------------------------------------------------

    async def observe(self, search: ArchitectureSearch, pods: Sequence[Object]) -> Seen:
        """Where every attempt stands that the ledger holds as running, and any other that can be seen.

        Raises:
            ClusterError: a log or a Job in doubt cannot be read now.
        """
        jobs = [job for job in self._holdings.jobs if not self._tells_nothing(job)]
        trial_pods = [_as_ended(pod) for pod in pods if pod["metadata"]["labels"].get(names.COMPONENT) == names.TRIAL]
        trial_pods = [pod for pod in trial_pods if not self._is_history(pod)]
        observed = self._look(search, jobs, trial_pods)
        wanting = [one for one in observed if one.needs_log and one.key not in self._lost_logs]
        if wanting:
            await in_bunches([lambda one=one: self._read_log(one) for one in wanting])  # type: ignore[misc]
            observed = self._look(search, jobs, trial_pods)
        observed = tuple([replace(one, attempt=await self._beyond_doubt(one)) for one in observed])
        self._note(observed)
        troubles = problems(trial_pods, jobs, self._shared.now()) + self._controller_problems(pods)
        return Seen(
            attempts=tuple(one.attempt for one in observed),
            lingering=lingering_slots(observed, self._recording.ledger),
            running=sum(pod.get("status", {}).get("phase") == "Running" for pod in trial_pods),
            problems=troubles + self._launching.problems,
            wake_after=self._wake_after(observed, jobs, pods),
        )

    def _wake_after(self, observed: Iterable[Observed], jobs: Sequence[Object], pods: Sequence[Object]) -> float | None:
        """Seconds until the clock alone makes something of what is seen: no event tells of what does not happen."""
        waits = [self._launching.due_in, *(_LOG_AGAIN for one in observed if one.needs_log)]
        waits += [due_in(jobs, pods, self._shared.now(), self._shared.settings.node_lost_after)]
        return min((wait for wait in waits if wait is not None), default=None)

    def _look(self, search: ArchitectureSearch, jobs: Sequence[Object], pods: Sequence[Object]) -> tuple[Observed, ...]:
        running = [trial for trial in self._recording.ledger.active if trial.phase is Phase.RUNNING]
        return observe_attempts(
            jobs,
            pods,
            now=self._shared.now(),
            search=search,
            search_uid=self._ref.uid,
            node_lost_after=self._shared.settings.node_lost_after,
            expected=[(trial.index, trial.attempts) for trial in running],
            logs=self._logs,
            stops=self._stops,
        )

    def _tells_nothing(self, job: Object) -> bool:
        """Whether the ledger has all about a Job; its pod is passed over, without which it would seem to run."""
        key = self._holdings.attempt_of(job)
        if self._tidying.is_history(job):
            return True
        return key is not None and self._settled(key) and not is_over(job) and self._holdings.has_ended(job)

    def _is_history(self, pod: Object) -> bool:
        """A pod that is over, of an attempt that the ledger has settled."""
        key = attempt_of(pod, self._ref.uid)
        over = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
        return over and key is not None and self._settled(key)

    def _settled(self, key: Key) -> bool:
        """Whether everything about this attempt is in the ledger."""
        index, attempt = key
        ledger = self._recording.ledger
        if index >= len(ledger):
            return False
        trial = ledger[index]
        return trial.phase.terminal or attempt < trial.attempts or trial.phase is Phase.PENDING

    def _controller_problems(self, pods: Sequence[Object]) -> tuple[Problem, ...]:
        controllers = [pod for pod in pods if pod["metadata"]["labels"].get(names.COMPONENT) == names.CONTROLLER]
        return problems(controllers, now=self._shared.now())

    async def _read_log(self, one: Observed) -> None:
        assert one.pod is not None
        try:
            read = await self._shared.port.log(self._ref.namespace, one.pod, names.TRIAL_CONTAINER, tail_bytes=LOG_END)
        except NotFound:
            self._lost_logs[one.key] = "its pod was deleted before its log, and the report in it, was read"
        except ClusterError as error:
            # Its node may be away, or not have it at hand: this one waits, the others go on.
            self._not_read(one, error)
        else:
            self._logs[one.key] = read

    def _not_read(self, one: Observed, error: ClusterError) -> None:
        _log.info("the log of pod %s cannot be read yet: %s", one.pod, error)
        since = self._unread.setdefault(one.key, self._shared.monotonic())
        limit = self._shared.settings.node_lost_after
        if self._shared.monotonic() - since >= limit:
            told = f"its log, and the report in it, could not be read for {limit:.0f} s: {error}"
            self._lost_logs[one.key] = shorten(printable(told), _LONGEST_MESSAGE)

    async def _beyond_doubt(self, one: Observed) -> Attempt:
        """The fact of one attempt; a Job that seems to be gone is asked for, since a cache may lag behind."""
        attempt = one.attempt
        message = self._lost_logs.get(one.key)
        if message is not None and one.needs_log:
            return replace(attempt, state=AttemptState.LOST, reason="ReportLost", message=message)
        if attempt.state is not AttemptState.LOST or attempt.reason != "JobMissing":
            return attempt
        if self._launching.has(one.key):
            return replace(attempt, state=AttemptState.RUNNING, reason=None, message=None)
        name = names.job_name(self._ref.name, *one.key)
        try:
            job = await self._shared.port.get(JOB, self._ref.namespace, name)
        except NotFound:
            return attempt
        self._shared.jobs.put(job)
        return replace(attempt, state=AttemptState.RUNNING, reason=None, message=None)

    def _note(self, observed: Iterable[Observed]) -> None:
        for one in observed:
            if one.pod is None or self._settled(one.key):
                continue
            index = one.key[0]
            self._recording.details[index] = Detail(one.node, one.process_started, one.process_ended)
            if one.over:
                self.times[one.key] = (one.process_started, one.process_ended)

    # --- doing --------------------------------------------------------------------------------------------------------

    async def start(self, search: ArchitectureSearch, starts: Sequence[Start]) -> None:
        """Make the Jobs of ``starts``, and of those before that could not be made yet; what fails is tried again."""
        await self._launching.launch(search, starts)

    async def stop(self, stops: Iterable[Stop]) -> None:
        """Stop attempts: their programs get SIGTERM at once.

        Raises:
            ClusterError: of some it is not known whether they were told; they are seen as running until they are.
        """
        await in_bunches([lambda stop=stop: self._stop(stop) for stop in stops])  # type: ignore[misc]

    async def _stop(self, stop: Stop) -> None:
        key = (stop.index, stop.attempt)
        self._launching.drop(key)
        jobs = [job for job in self._holdings.jobs if attempt_of(job, self._ref.uid) == key]
        for job in jobs:
            await self._stop_job(job, stop.reason)
        if not jobs:
            for pod in self._holdings.pods_of(key):
                await self._holdings.delete(POD, pod)
            self._stops[key] = stop.reason

    async def stop_all(self, reason: str) -> None:
        """Stop whatever still runs, whoever started it: the search is over."""
        jobs = [job for job in self._holdings.jobs if not is_over(job) and not self._holdings.has_ended(job)]
        await in_bunches([lambda job=job: self._stop_job(job, reason) for job in jobs])  # type: ignore[misc]

    async def _stop_job(self, job: Object, reason: str) -> None:
        """Say why, then delete it. One that says so and is there all the same is seen as running, and told again."""
        metadata, key = job["metadata"], attempt_of(job, self._ref.uid)
        if "deletionTimestamp" in metadata:
            return
        annotated = {"metadata": {"annotations": {names.STOP_REASON: reason}}}
        try:
            stopping = await self._shared.port.patch(JOB, metadata["namespace"], metadata["name"], annotated)
        except NotFound:
            stopping = None
        if key is not None:
            self._stops[key] = reason
        if stopping is not None:
            self._shared.jobs.put(stopping)
            await self._holdings.delete(JOB, job)

    async def tidy(self) -> float | None:
        """Let go what the ledger has all about; seconds until to look again, or None."""
        wait = await self._tidying.tidy()
        for kept in (self.times, self._logs, self._stops, self._unread, self._lost_logs):
            _drop(kept, self._settled)
        return wait


def _drop(kept: MutableMapping[Key, Any], which: Callable[[Key], bool]) -> None:
    for key in [key for key in kept if which(key)]:
        del kept[key]


def _as_ended(pod: Object) -> Object:
    """A pod that is gone from the cluster holds nothing, whatever its last state said."""
    if not is_gone(pod) or pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return pod
    return {**pod, "status": {**pod.get("status", {}), "phase": "Failed"}}

"""The ledger of a search as ArchitectureTrials: read once, written in an order that any crash leaves whole."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from archsearch.engine.ledger import Ledger
from archsearch.engine.model import Trial
from archsearch.engine.running import trial_name
from archsearch.operator import names
from archsearch.operator.codec import LedgerObjectError, read_trial, trial_object, trial_status
from archsearch.operator.leftovers import refuse_stranger
from archsearch.operator.port import SEARCH, TRIAL, AlreadyExists, Conflict, NotFound, Object, Rejected
from archsearch.operator.shared import SearchRef, Shared
from archsearch.space.base import Space

AT_ONCE = 16
"""Calls for one search that are under way together."""


class SearchGone(Exception):  # noqa: N818 - it says what is the matter
    """The search has been deleted: nothing must be written for it any more."""


class LedgerMoved(Exception):  # noqa: N818 - it says what is the matter
    """The cluster holds another child under this index; it has been taken in, and the pass must begin anew."""


@dataclass(frozen=True)
class Detail:
    """What is known of a trial's last attempt and is no matter of the engine."""

    node: str | None = None
    process_started: int | None = None
    """Nanoseconds since the epoch."""
    process_ended: int | None = None


class Recording:
    """Keeps the ledger in memory and its ArchitectureTrials in step; memory follows what has been written."""

    def __init__(self, shared: Shared, ref: SearchRef, space: Space, gpus: float) -> None:
        self._shared = shared
        self._ref = ref
        self._space = space
        self._gpus = gpus
        self.ledger = Ledger()
        self.uids: dict[int, str] = {}
        """Uids of the ArchitectureTrials that are not terminal."""
        self.details: dict[int, Detail] = {}
        """Details of trials that are not terminal."""

    async def load(self) -> None:
        """Read the whole ledger.

        Raises:
            LedgerObjectError, LedgerError: an ArchitectureTrial is garbled, or one is missing.
            ClusterError: it cannot be read now.
        """
        selector = f"{names.SEARCH_UID_LABEL}={self._ref.uid}"
        listing = await self._shared.port.list(TRIAL, self._ref.namespace, selector)
        trials = [read_trial(item, self._space) for item in listing.items]
        self.ledger = Ledger(trials)
        self.uids = {
            trial.index: item["metadata"]["uid"]
            for trial, item in zip(trials, listing.items, strict=True)
            if not trial.phase.terminal
        }

    async def write(self, trials: Iterable[Trial]) -> tuple[Trial, ...]:
        """Write whole new values of trials that are new or have changed; what they were before, or none, is replaced.

        New ones first, in the order of their indices; then what has an observation number, in the order of numbers;
        then the others, together. So a ledger that is read back after a crash has no gaps in either order.

        Raises:
            SearchGone, LedgerMoved, ClusterError: what was written until then stays, in the cluster and in memory.
        """
        changed = sorted(trials, key=lambda trial: trial.index)
        for trial in changed:
            if trial.index >= len(self.ledger):
                await self._create(trial)
        fresh = [trial for trial in changed if trial != self.ledger[trial.index]]
        numbered = [trial for trial in fresh if self._is_numbered_now(trial)]
        for trial in sorted(numbered, key=lambda trial: trial.observation or 0):
            await self._patch(trial)
        rest = [trial for trial in fresh if trial.observation is None]
        await in_bunches([lambda trial=trial: self._patch(trial) for trial in rest])  # type: ignore[misc]
        return tuple(fresh)

    def _is_numbered_now(self, trial: Trial) -> bool:
        return trial.observation is not None and trial != self.ledger[trial.index]

    async def _create(self, trial: Trial) -> None:
        bare = _bare(trial)
        body = trial_object(self._ref.name, self._ref.namespace, self._ref.uid, bare)
        try:
            made = await self._shared.port.create(TRIAL, body)
        except AlreadyExists:
            made = await self._stored(trial)
            bare = read_trial(made, self._space)
        self.uids[trial.index] = made["metadata"]["uid"]
        self.ledger.put([bare])
        if bare.genotype != trial.genotype or bare.phase.terminal:
            raise LedgerMoved(f"trial {trial.index} of {self._ref.name} is in the cluster already")

    async def _stored(self, trial: Trial) -> Object:
        stored = await self._shared.port.get(TRIAL, self._ref.namespace, trial_name(self._ref.name, trial.index))
        try:
            refuse_stranger(stored, self._ref.uid)
        except Conflict as leaving:
            raise LedgerMoved(str(leaving)) from None
        except Rejected as stays:
            field = f'metadata.labels["{names.SEARCH_UID_LABEL}"]'
            raise LedgerObjectError(stored["metadata"]["name"], field, str(stays)) from None
        return stored

    async def _patch(self, trial: Trial) -> None:
        detail = self.details.get(trial.index, Detail())
        status = trial_status(
            trial,
            gpus=self._gpus,
            node=detail.node,
            process_started=detail.process_started,
            process_ended=detail.process_ended,
        )
        name = trial_name(self._ref.name, trial.index)
        try:
            await self._shared.port.patch(TRIAL, self._ref.namespace, name, {"status": status}, subresource="status")
        except NotFound:
            await self._heal(trial)
            await self._shared.port.patch(TRIAL, self._ref.namespace, name, {"status": status}, subresource="status")
        self.ledger.put([trial])
        if trial.phase.terminal and trial.index in self.uids:
            del self.uids[trial.index]
            self.details.pop(trial.index, None)

    async def _heal(self, trial: Trial) -> None:
        """Somebody has deleted the record of a child: make it again, unless it is the search that is being deleted."""
        try:
            search = await self._shared.port.get(SEARCH, self._ref.namespace, self._ref.name)
        except NotFound:
            raise SearchGone(self._ref.name) from None
        metadata = search["metadata"]
        if metadata["uid"] != self._ref.uid or "deletionTimestamp" in metadata:
            raise SearchGone(self._ref.name)
        body = trial_object(self._ref.name, self._ref.namespace, self._ref.uid, _bare(trial))
        made = await self._shared.port.create(TRIAL, body)
        self.uids[trial.index] = made["metadata"]["uid"]


def _bare(trial: Trial) -> Trial:
    """The trial as its spec alone tells it: recorded, nothing started."""
    return Trial(
        index=trial.index,
        genotype=trial.genotype,
        architecture=trial.architecture,
        policy_version=trial.policy_version,
        log_probability=trial.log_probability,
        created=trial.created,
        duplicate_of=trial.duplicate_of,
        reuse_of=trial.reuse_of,
    )


async def in_bunches(calls: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Make all ``calls``, a few at once; the first error is raised once those under way are over."""
    for first in range(0, len(calls), AT_ONCE):
        results = await asyncio.gather(*(call() for call in calls[first : first + AT_ONCE]), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

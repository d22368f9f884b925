"""The ledger of a search as ArchitectureTrials: read once, written in an order that any crash leaves whole."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from archsearch.api import Objective
from archsearch.engine.ledger import Ledger, LedgerError
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
    """Keeps the ledger in memory and its ArchitectureTrials in step; memory follows what has been written.

    What a plan changes is written in two halves, and its Jobs are made between them: a slot waits for those, and for
    the second half nothing waits but the next observation. After a crash at any point in between a new operator reads
    a ledger without gaps, from which a pass starts as from any other:

    - Only some new trials are there: the others are proposed again, with the same indices.
    - A trial is Running and has no Job: its attempt counts as lost, which uses up no retry.
    - A trial is Running, its Job is there, and the child before it in its slot still counts as Running though it has
      ended: that one's Job is kept until its report is in the ledger, so the report is read again, and says the same.
    - Only some observations have their number: those that have are a prefix, and the controller has been taught none
      of this plan's, for it is called last.

    A write that fails is in doubt, since its answer alone may be lost: what is stored is read, and taken in, before
    anything is planned (:meth:`settle`). So no second value is ever written over a first that may be there, and no
    observation number is given to one child that another may hold.
    """

    def __init__(self, shared: Shared, ref: SearchRef, space: Space, gpus: float, objective: Objective) -> None:
        self._shared = shared
        self._ref = ref
        self._space = space
        self._gpus = gpus
        self._doubtful: set[int] = set()
        """Indices of trials that were being written when memory last had what is stored."""
        self._objective = objective
        self.ledger = Ledger(objective=objective)
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
        self._refuse_gaps({trial.index for trial in trials})
        self.ledger = Ledger(trials, objective=self._objective)
        self.uids = {
            trial.index: item["metadata"]["uid"]
            for trial, item in zip(trials, listing.items, strict=True)
            if not trial.phase.terminal
        }

    def _refuse_gaps(self, indices: set[int]) -> None:
        missing = next((index for index in range(max(indices, default=-1)) if index not in indices), None)
        if missing is not None:
            name = trial_name(self._ref.name, missing)
            raise LedgerError(f"trial {missing} is missing: ArchitectureTrial {name} was deleted; indices have no gaps")

    # --- writing ------------------------------------------------------------------------------------------------------

    @property
    def doubtful(self) -> frozenset[int]:
        """Indices of trials of which it is not known what is stored."""
        return frozenset(self._doubtful)

    async def begin(self, trials: Iterable[Trial]) -> None:
        """Write the first half of a plan: new trials in the order of their indices, then those that go on, together.

        Raises:
            SearchGone, LedgerMoved, ClusterError: what was written until then stays, in the cluster and in memory.
        """
        changed = sorted(trials, key=lambda trial: trial.index)
        for trial in changed:
            if trial.index >= len(self.ledger):
                await self._create(trial)
        await self._patch_together(trial for trial in changed if not trial.phase.terminal)

    async def finish(self, trials: Iterable[Trial]) -> None:
        """Write the second half: trials that are over, first those with a new number, in the order of the numbers.

        The others follow, those that take over another's outcome last: none has it before that other one.

        Raises:
            SearchGone, ClusterError: what was written until then stays, in the cluster and in memory.
        """
        over = [trial for trial in trials if trial.phase.terminal and trial != self.ledger[trial.index]]
        numbered = [trial for trial in over if trial.observation is not None]
        for trial in sorted(numbered, key=lambda trial: trial.observation or 0):
            await self._patch(trial)
        rest = [trial for trial in over if trial.observation is None]
        await self._patch_together(trial for trial in rest if trial.reuse_of is None)
        await self._patch_together(trial for trial in rest if trial.reuse_of is not None)

    async def _patch_together(self, trials: Iterable[Trial]) -> None:
        fresh = [trial for trial in trials if trial != self.ledger[trial.index]]
        await in_bunches([lambda trial=trial: self._patch(trial) for trial in fresh])  # type: ignore[misc]

    # --- doubt --------------------------------------------------------------------------------------------------------

    async def settle(self) -> tuple[Trial, ...]:
        """Read what is stored of every trial in doubt, and take it in; what has changed in memory by that.

        Raises:
            LedgerObjectError, LedgerError: what is stored is garbled.
            LedgerMoved, ClusterError: it cannot be read now.
        """
        found: list[tuple[Trial, str]] = []
        for index in sorted(self._doubtful):
            try:
                stored = await self._stored(index)
            except NotFound:
                # It was never made, or somebody has deleted it: the next write of it makes it.
                self._doubtful.discard(index)
                continue
            found.append((self._as_known(read_trial(stored, self._space)), stored["metadata"]["uid"]))
        changed = []
        for trial, uid in sorted(found, key=_order):
            if trial.index >= len(self.ledger) or trial != self.ledger[trial.index]:
                self.ledger.put([trial])
                changed.append(trial)
            self._follow(trial, uid)
            self._doubtful.discard(trial.index)
        return tuple(changed)

    def _as_known(self, stored: Trial) -> Trial:
        """``stored``, with times as exact as memory has them where memory knows that it is over."""
        known = self.ledger[stored.index] if stored.index < len(self.ledger) else None
        if known is None or not known.phase.terminal:
            return stored
        if not stored.phase.terminal:
            return known  # its record was deleted and made anew; the next write fills it in
        if stored.phase is not known.phase:
            told = f"is {stored.phase.value}, and was {known.phase.value}: somebody has changed it"
            raise LedgerObjectError(trial_name(self._ref.name, stored.index), "status.phase", told)
        return replace(known, observation=stored.observation)

    def _follow(self, trial: Trial, uid: str | None = None) -> None:
        if trial.phase.terminal:
            self.uids.pop(trial.index, None)
            self.details.pop(trial.index, None)
        elif uid is not None:
            self.uids[trial.index] = uid

    # --- single writes ------------------------------------------------------------------------------------------------

    async def _create(self, trial: Trial) -> None:
        bare = _bare(trial)
        body = trial_object(self._ref.name, self._ref.namespace, self._ref.uid, bare)
        self._doubtful.add(trial.index)
        try:
            made = await self._shared.port.create(TRIAL, body)
        except AlreadyExists:
            made = await self._stored(trial.index)
            bare = read_trial(made, self._space)
        self.ledger.put([bare])
        self._follow(bare, made["metadata"]["uid"])
        self._doubtful.discard(trial.index)
        if replace(bare, created=trial.created) != _bare(trial):
            raise LedgerMoved(f"trial {trial.index} of {self._ref.name} is in the cluster already")

    async def _stored(self, index: int) -> Object:
        stored = await self._shared.port.get(TRIAL, self._ref.namespace, trial_name(self._ref.name, index))
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
        self._doubtful.add(trial.index)
        try:
            await self._shared.port.patch(TRIAL, self._ref.namespace, name, {"status": status}, subresource="status")
        except NotFound:
            await self._heal(trial)
            await self._shared.port.patch(TRIAL, self._ref.namespace, name, {"status": status}, subresource="status")
        self.ledger.put([trial])
        self._follow(trial)
        self._doubtful.discard(trial.index)

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
        confirm_of=trial.confirm_of,
        ask=trial.ask,
    )


def _order(found: tuple[Trial, str]) -> tuple[bool, int, int]:
    """New trials in the order of indices, then observations in the order of their numbers."""
    trial = found[0]
    return trial.observation is not None, trial.observation or 0, trial.index


async def in_bunches(calls: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Make all ``calls``, a few at once; the first error is raised once those under way are over."""
    for first in range(0, len(calls), AT_ONCE):
        results = await asyncio.gather(*(call() for call in calls[first : first + AT_ONCE]), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

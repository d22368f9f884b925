"""What a search tells the world: its status, written only where it has changed, then events, then metrics."""

import logging
from collections.abc import Iterable, Sequence

from archsearch.api.status import SearchStatus
from archsearch.engine.model import Plan, Trial
from archsearch.operator.acceptance import Refused
from archsearch.operator.events import Subject, controller_replaced, events_for
from archsearch.operator.port import EVENT, SEARCH, AlreadyExists, ClusterError, NotFound, Object
from archsearch.operator.problems import Problem
from archsearch.operator.recording import SearchGone
from archsearch.operator.search_status import View, patch_of, read_status, refused_status, status_of
from archsearch.operator.shared import SearchRef, Shared

_log = logging.getLogger(__name__)
AT_MOST_EVERY = 1.0
"""Seconds between two writes in which nothing but figures has changed: a status is for people and their tools."""


class Teller:
    """Writes the status of one search; ``status`` is what has been written last, or found since."""

    def __init__(self, shared: Shared, ref: SearchRef, stored: Object) -> None:
        self._shared = shared
        self._ref = ref
        self._subject = Subject(ref.name, ref.namespace, ref.uid, shared.settings.identity)
        self._problems: Sequence[Problem] = ()
        self._written: dict[int, Trial] = {}
        """Trials written since the last write of the status: events tell of them once it stands there."""
        self._written_at = -AT_MOST_EVERY
        self.status: SearchStatus = read_status(stored)

    def found(self, stored: Object) -> None:
        """This is what is stored: where it is not what was written last, it is written again."""
        self.status = read_status(stored)

    def wrote(self, trials: Iterable[Trial]) -> None:
        """These new values of trials are in the ledger."""
        self._written |= {trial.index: trial for trial in trials}

    async def tell(self, view: View, *, has_deadline: bool) -> float | None:
        """Write the status of ``view`` if it has changed; seconds until what was held back may be written, or None.

        Raises:
            SearchGone, ClusterError.
        """
        status = status_of(view)
        patch = patch_of(self.status, status, has_deadline=has_deadline)
        if patch is None:
            return None
        wait = self._written_at + AT_MOST_EVERY - self._shared.monotonic()
        if wait > 0 and not _turns(self.status, status):
            return wait
        await self._write(patch)
        before, self.status = self.status, status
        written, self._written = Plan(trials=tuple(self._written.values())), {}
        events = events_for(
            before, status, written, self._subject, view.now, problems=view.problems, problems_before=self._problems
        )
        self._problems = view.problems
        await self._post(events)
        return None

    async def refused(self, refused: Refused, generation: int) -> None:
        """The manifest is refused: say so where it is looked for.

        Raises:
            SearchGone, ClusterError.
        """
        now = self._shared.now()
        status = refused_status(self.status, refused, generation, now)
        patch = patch_of(self.status, status)
        if patch is not None:
            await self._write(patch)
            before, self.status = self.status, status
            await self._post(events_for(before, status, None, self._subject, now))

    async def replaced(self, pod: str, why: str) -> None:
        """A controller pod has been made in place of one that is gone."""
        await self._post([controller_replaced(self._subject, pod, why, self._shared.now())])

    async def _write(self, patch: Object) -> None:
        # The uid makes it conditional: a search made anew under this name is another one.
        body = {"metadata": {"uid": self._ref.uid}, "status": patch}
        try:
            await self._shared.port.patch(SEARCH, self._ref.namespace, self._ref.name, body, subresource="status")
        except NotFound:
            raise SearchGone(self._ref.name) from None
        self._written_at = self._shared.monotonic()

    async def _post(self, events: Sequence[Object]) -> None:
        """Events are a courtesy: one that cannot be posted is no reason to do anything again."""
        for event in events:
            try:
                await self._shared.port.create(EVENT, event)
            except AlreadyExists:
                pass
            except ClusterError as error:
                _log.warning("%s/%s: an event cannot be posted: %s", self._ref.namespace, self._ref.name, error)


def _turns(before: SearchStatus, after: SearchStatus) -> bool:
    """Whether a condition has changed, or what the search was accepted with: that is written at once."""
    return before.conditions != after.conditions or before.resolved != after.resolved

"""What all searches of one operator share."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from archsearch.operator.metrics import Metrics
from archsearch.operator.port import ClusterPort
from archsearch.operator.settings import Settings
from archsearch.operator.watching import Watcher


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Shared:
    """One connection, one cache of each watched kind, one set of metrics, one clock."""

    port: ClusterPort
    settings: Settings
    jobs: Watcher
    pods: Watcher
    metrics: Metrics
    now: Callable[[], datetime] = _now
    """Time to record, UTC."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds of a clock that never jumps, for waits and active time."""


@dataclass(frozen=True)
class SearchRef:
    """Which search: names may come again, uids never do."""

    namespace: str
    name: str
    uid: str

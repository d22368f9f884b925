"""Crash points: where a test may have the process killed, to prove that nothing is lost or doubled there.

``ARCHSEARCH_CRASH_AT=<point>[:n]`` kills this process with SIGKILL at the n-th passage (from 1) of a point. Every
durable write has one before and one after it: ``before-<kind>`` and ``after-<kind>``, for the kinds in KINDS.
"""

import os
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

VARIABLE = "ARCHSEARCH_CRASH_AT"
KINDS = (
    "create",
    "amend",
    "propose",
    "confirm",
    "start",
    "end",
    "number",
    "policy",
    "outcome",
    "human",
    "best",
    "page",
    "finish",
)
"""Kinds of durable writes: a new ledger, an edited manifest or a reopened search, a new child, the confirmations of the
best, the start of an attempt, the end of a trial, its observation number, a state of the policy, the outcome, the human
baseline, best/, the page, the mark that all is done."""

_passed: Counter[str] = Counter()


def passing(point: str) -> None:
    """Say that ``point`` is passed; does not return when the environment says that the process dies here."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    _passed[point] += 1
    name, _, count = wanted.partition(":")
    if name == point and _passed[point] == int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def durable(kinds: Iterable[str]) -> Iterator[None]:
    """Around one durable write of these kinds."""
    named = tuple(kinds)
    for kind in named:
        passing(f"before-{kind}")
    yield
    for kind in named:
        passing(f"after-{kind}")

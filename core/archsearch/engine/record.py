"""A search as it is read back: everything that tables, pages and audits need, from whatever ledger holds it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from archsearch.api import ArchitectureSearch, Strategy
from archsearch.controller_contract import PolicyState
from archsearch.engine.model import Outcome, Trial
from archsearch.space.base import Architecture


@dataclass(frozen=True)
class HumanBaseline:
    """The network that a person would draw, trained as one more child with the same task and budget."""

    architecture: Architecture
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    reason: str | None = None
    """Why there are no metrics, if there are none."""


@dataclass(frozen=True)
class SearchRecord:
    """A search, finished or not."""

    manifest: ArchitectureSearch
    strategy: Strategy
    """The strategy in force, every default filled in (status.resolved)."""
    trials: tuple[Trial, ...]
    """Children and confirmations, in the order of their indices."""
    policy: tuple[PolicyState, ...]
    """The policy over time, by version; the last is the newest."""
    outcome: Outcome | None
    """None: not finished."""
    started: datetime
    active_seconds: float
    human: HumanBaseline | None = None
    warnings: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions that a reward depends on: archsearch, torch, python, platform."""

"""Audit: derive every child of a ledger anew, and say where one differs."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from archsearch.controller_contract import Mismatch, PolicyState
from archsearch.engine.ledger import Ledger
from archsearch.engine.record import SearchRecord
from archsearch.local.controller_process import derive, write_config


@dataclass(frozen=True)
class Audit:
    """What an audit found."""

    children: int
    """Children that were derived; confirmations are none, nobody was asked for them."""
    observations: int
    mismatches: tuple[Mismatch, ...]
    """Children that the policy would not have proposed, in order."""
    derived_hash: str
    stored_hash: str | None
    """Hash of the policy as the search kept it; None while nothing of the same moment is kept (unfinished)."""

    @property
    def agrees(self) -> bool:
        """Whether every child and the policy are what the ledger says."""
        return not self.mismatches and self.stored_hash in (None, self.derived_hash)


async def audit(record: SearchRecord) -> Audit:
    """Derive every child of ``record`` by a controller of its own.

    Raises:
        ProcessFailedError: the controller cannot do it.
    """
    ledger = Ledger(record.trials, objective=record.manifest.spec.objective)
    spec = record.manifest.spec
    with tempfile.TemporaryDirectory(prefix="archsearch-audit-") as place:
        config, log = Path(place) / "controller.json", Path(place) / "controller.log"
        write_config(config, record.manifest.metadata.name, spec.search_space, record.strategy, spec.seed)
        state, mismatches = await derive(config, log, ledger, verify=True)
    return Audit(
        children=ledger.asked,
        observations=ledger.taught,
        mismatches=tuple(one.model_copy(update={"index": ledger.index_of(one.index)}) for one in mismatches),
        derived_hash=state.hash,
        stored_hash=_stored(record, state),
    )


def _stored(record: SearchRecord, derived: PolicyState) -> str | None:
    same = [s for s in record.policy if (s.version, s.asked) == (derived.version, derived.asked)]
    return same[-1].hash if same else None

"""Builders of the engine's tables: each case says only what differs."""

import json
from datetime import UTC, datetime
from typing import Any

from archsearch.api import ArchitectureSearch
from archsearch.controller_contract import Proposal
from archsearch.engine.decide import decide
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import (
    Attempt,
    AttemptState,
    ControllerFact,
    Facts,
    Phase,
    Plan,
    Trial,
)
from archsearch.space import build

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def manifest(*, suspend: bool = False, objective: dict[str, Any] | None = None, **trials: Any) -> ArchitectureSearch:
    spec = {
        "objective": objective or {"metric": "accuracy"},
        "searchSpace": {"choices": [{"name": "a", "values": [0, 1, 2, 3]}, {"name": "b", "values": [0, 1, 2, 3]}]},
        "trials": {"max": 10} | trials,
        "trial": {"task": {"custom": {}}, "command": ["x"]},
        "suspend": suspend,
    }
    kind = {"apiVersion": "archsearch.io/v1alpha1", "kind": "ArchitectureSearch"}
    return ArchitectureSearch.model_validate_json(json.dumps(kind | {"metadata": {"name": "s"}, "spec": spec}))


def trial(index: int, phase: Phase = Phase.SUCCEEDED, **more: Any) -> Trial:
    given: dict[str, Any] = {}
    if phase is Phase.SUCCEEDED:
        given = {"reward": 0.5, "metrics": {"accuracy": 0.5}, "observation": index}
    if phase is Phase.FAILED:
        given = {"observation": index, "reason": "Diverged"}
    if phase is not Phase.PENDING:
        given |= {"attempts": 1}
    genotype = (index // 4 % 4, index % 4)
    architecture = {"kind": "choices", "values": {"a": genotype[0], "b": genotype[1]}}
    values = {"policy_version": 0, "log_probability": -1.0, "created": NOW, "phase": phase} | given | more
    return Trial(**({"index": index, "genotype": genotype, "architecture": architecture} | values))


def proposal(index: int, genotype: tuple[int, int]) -> Proposal:
    return Proposal(index=index, genotype=genotype, policy_version=0, log_probability=-1.0)


def plan(search: ArchitectureSearch, trials: list[Trial], **facts: Any) -> Plan:
    numbered = sum(t.observation is not None for t in trials)
    facts.setdefault("controller", ControllerFact(version=numbered, asked=len(trials)))
    return decide(
        search, build(search.spec.search_space), Ledger(trials, objective=search.spec.objective), Facts(**facts), NOW
    )


def report(accuracy: float = 0.75) -> bytes:
    return json.dumps({"version": 1, "metrics": {"accuracy": accuracy, "loss": 1.0}}).encode()


def exited(code: int = 0, data: bytes | None = None, **more: Any) -> Attempt:
    return Attempt(0, 1, AttemptState.EXITED, exit_code=code, report=data, seconds=2.0, cpu_seconds=3.0, **more)

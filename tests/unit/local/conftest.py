"""A search, its trials and its ledger, small enough to write by hand."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from archsearch.api import ArchitectureSearch
from archsearch.engine.model import Phase, Trial
from archsearch.local.store import Store

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def make_search(**spec: Any) -> ArchitectureSearch:
    """A search over two choices, trained by a command."""
    base: dict[str, Any] = {
        "searchSpace": {"choices": [{"name": "a", "values": [0, 1]}, {"name": "b", "values": [0, 1]}]},
        "trial": {"task": {"custom": {}}, "command": ["true"]},
    }
    manifest = {
        "apiVersion": "archsearch.io/v1alpha1",
        "kind": "ArchitectureSearch",
        "metadata": {"name": "small"},
        "spec": base | spec,
    }
    return ArchitectureSearch.model_validate_json(json.dumps(manifest))


def make_trial(index: int, **fields: Any) -> Trial:
    """A trial that has succeeded, unless ``fields`` say otherwise."""
    values: dict[str, Any] = {
        "genotype": (index % 2, 1),
        "architecture": {"kind": "choices", "values": {"a": index % 2, "b": 1}},
        "policy_version": 0,
        "log_probability": -1.3862943611198906,
        "created": NOW,
        "phase": Phase.SUCCEEDED,
        "attempts": 1,
        "reward": 0.1 + index / 7,
        "metrics": {"accuracy": 0.1 + index / 7},
        "observation": index,
        "seconds": 0.25,
    }
    return Trial(index=index, **(values | fields))


@pytest.fixture
def search() -> Callable[..., ArchitectureSearch]:
    """Makes searches: fields of the spec as keywords."""
    return make_search


@pytest.fixture
def trial() -> Callable[..., Trial]:
    """Makes trials: an index, and fields as keywords."""
    return make_trial


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A new ledger in ``tmp_path``."""
    manifest = make_search()
    return Store.create(tmp_path / "ledger.db", manifest, manifest.spec.strategy.resolved(), NOW, {"python": "3"})

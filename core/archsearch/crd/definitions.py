"""The two CustomResourceDefinitions."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML

from archsearch.api.base import GROUP, VERSION, Model
from archsearch.api.search import ArchitectureSearch
from archsearch.api.status import SearchStatus
from archsearch.api.trial import ArchitectureTrial
from archsearch.crd import changing
from archsearch.crd.rules import Rule, general
from archsearch.crd.search_rules import RULES, name
from archsearch.crd.structural import Schema, structural

_HEAD = "# Written by `make crds` from the models in core/archsearch/api; do not edit.\n"
_CATEGORY = "nas"
"""Not a short name: `kubectl get archsearch NAME` fails where the word names a category too."""
_SERVED: Mapping[str, Schema] = {
    "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
    "kind": {"type": "string"},
    "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
}
"""What every object has and the API server itself checks."""


def _column(name: str, kind: str, path: str, description: str, *, wide: bool = False) -> dict[str, Any]:
    column = {"name": name, "type": kind, "jsonPath": path, "description": description}
    return {**column, "priority": 1} if wide else column


_SEARCH_COLUMNS = (
    _column("Status", "string", '.status.conditions[?(@.type=="Progressing")].reason', "What the search is doing."),
    _column("Children", "string", ".status.progress", "Children over, of those allowed."),
    _column("Best", "number", ".status.bestReward", "Reward of the best child."),
    _column("Failed", "integer", ".status.counts.failed", "Children without a reward, for good.", wide=True),
    _column("Reused", "integer", ".status.counts.reused", "Children that took over an equal one's result.", wide=True),
    _column("GPU-Seconds", "number", ".status.gpuSeconds", "Time that children have held GPUs, in s.", wide=True),
    _column("Strategy", "string", ".status.policy.strategy", "How children are chosen.", wide=True),
    _column("Entropy", "number", ".status.policy.entropy", "Entropy of a decision, in nats.", wide=True),
    _column("Age", "date", ".metadata.creationTimestamp", "Time since it was made."),
)
_TRIAL_COLUMNS = (
    _column("Search", "string", ".spec.searchName", "The search that it belongs to."),
    _column("Index", "integer", ".spec.index", "Its place in the order of asks."),
    _column("Phase", "string", ".status.phase", "Where it stands."),
    _column("Reward", "number", ".status.reward", "The number that teaches."),
    _column("Attempts", "integer", ".status.attempts", "Attempts started."),
    _column("Reason", "string", ".status.reason", "Why it failed, or how it ended."),
    _column("Node", "string", ".status.node", "Node of the last attempt.", wide=True),
    _column("GPU-Seconds", "number", ".status.gpuSeconds", "Time that it has held GPUs, in s.", wide=True),
    _column("Age", "date", ".metadata.creationTimestamp", "Time since it was made."),
)


def definitions() -> tuple[Schema, Schema]:
    """The definitions of ArchitectureSearch and ArchitectureTrial, as an API server takes them."""
    search = structural(ArchitectureSearch, _search_rules)
    search["properties"]["status"] = structural(SearchStatus, _status_rules)
    trial = structural(ArchitectureTrial, _trial_rules)
    del trial["properties"]["status"]["default"]  # left out: recorded, nothing started
    return (
        _definition(ArchitectureSearch, "architecturesearches", "archsearch", search, _SEARCH_COLUMNS),
        _definition(ArchitectureTrial, "architecturetrials", "archtrial", trial, _TRIAL_COLUMNS),
    )


def texts() -> dict[str, str]:
    """The definitions as YAML, by the name of their file."""
    return {f"{GROUP}_{made['spec']['names']['plural']}.yaml": _text(made) for made in definitions()}


def _search_rules(model: str, found: Mapping[str, Any]) -> Sequence[Rule]:
    fixed = tuple(changing.of_search()) if model == "SearchSpec" else ()
    return (*general(found), *RULES.get(model, ()), *fixed)


def _status_rules(model: str, found: Mapping[str, Any]) -> Sequence[Rule]:
    """None: the operator alone writes it, from models that have been checked."""
    return ()


def _trial_rules(model: str, found: Mapping[str, Any]) -> Sequence[Rule]:
    """What is recorded stays; the rest is the operator's, which alone writes it."""
    if model == "TrialSpec":
        return (changing.of_trial_spec(),)
    if model == "ArchitectureTrial":
        return (name(53),)
    return tuple(changing.of_trial_status()) if model == "TrialStatus" else ()


def _definition(
    model: type[Model], plural: str, short: str, schema: Schema, columns: Sequence[Mapping[str, Any]]
) -> Schema:
    kind = model.__name__
    schema["properties"] |= {**_SERVED, "kind": {"type": "string", "description": f"{kind}."}}
    schema["required"] = ["spec"]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                "categories": [_CATEGORY],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [dict(column) for column in columns],
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def _text(definition: Schema) -> str:
    writer = YAML()
    writer.default_flow_style = False
    writer.width = 120
    writer.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    writer.dump(definition, stream)
    return _HEAD + stream.getvalue()

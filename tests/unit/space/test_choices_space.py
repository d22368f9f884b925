"""The choices space: any named finite decisions."""

import json
from typing import Any

import pytest

from archsearch.api import SearchSpace
from archsearch.space import Choices, Edge, GenotypeError, Node, build, walk

VALUES: list[tuple[str, list[Any]]] = [
    ("width", [32, 64]),
    ("rate", [0.5, 1.0, 1, True, "1"]),
    ("dropout", [0.0, 2.0]),
    ("norm", ["batch", "", "layer"]),
]


def _space(values: list[tuple[str, list[Any]]] = VALUES) -> Choices:
    manifest = {"choices": [{"name": name, "values": options} for name, options in values]}
    space = build(SearchSpace.model_validate_json(json.dumps(manifest)))
    assert isinstance(space, Choices)
    return space


def _architecture(**values: Any) -> dict[str, Any]:
    return {"kind": "choices", "values": {"width": 32, "rate": 0.5, "dropout": 0.0, "norm": "batch", **values}}


def test_a_child_is_the_chosen_value_of_each_name() -> None:
    space = _space()
    assert space.decode((1, 4, 0, 1)) == _architecture(width=64, rate="1", norm="")
    assert list(space.decode((0, 0, 0, 0))["values"]) == ["width", "rate", "dropout", "norm"]
    assert space.size() == 2 * 5 * 2 * 3


def test_a_decision_has_the_name_and_the_kind_of_its_choice_and_no_anchor() -> None:
    space = _space()
    decisions = walk(space, (0, 0, 0, 0), 0)
    assert [(decision.name, decision.kind, decision.anchor) for decision in decisions] == [
        (name, name, None) for name, _ in VALUES
    ]
    assert [list(decision.options) for decision in decisions] == [options for _, options in VALUES]
    assert [space.stage(index) for index in (0, 1, 10**9)] == [0, 0, 0]


TYPED = [
    # value, token of `rate` [0.5, 1.0, 1, True, "1"]
    (1.0, 1),
    (1, 2),
    (True, 3),
    ("1", 4),
]


@pytest.mark.parametrize(("value", "token"), TYPED, ids=repr)
def test_options_that_python_calls_equal_are_told_apart_by_type(value: Any, token: int) -> None:
    space = _space()
    assert space.encode(_architecture(rate=value)) == (0, token, 0, 0)
    decoded = space.decode((0, token, 0, 0))["values"]["rate"]
    assert (type(decoded), decoded) == (type(value), value)


def test_a_whole_number_stands_for_an_equal_float_where_nothing_else_is_equal() -> None:
    space = _space()
    assert space.encode(_architecture(dropout=2)) == (0, 0, 1, 0)
    assert space.encode(_architecture(width=64.0)) == (1, 0, 0, 0)


def test_names_may_come_in_any_order() -> None:
    architecture = _architecture()
    architecture["values"] = dict(reversed(architecture["values"].items()))
    assert _space().encode(architecture) == (0, 0, 0, 0)


NAMES = "width, rate, dropout, norm"
BROKEN: list[tuple[Any, str]] = [
    (3, "architecture is 3; allowed: an object with kind, values"),
    ({"kind": "choices"}, "architecture lacks values; needed: kind, values"),
    ({"values": {}}, "architecture lacks kind; needed: kind, values"),
    ({**_architecture(), "layers": []}, "architecture has the unknown field 'layers' ([]); allowed: kind, values"),
    ({**_architecture(), "kind": "convolutional"}, "kind is 'convolutional'; allowed: 'choices'"),
    ({"kind": "choices", "values": [32]}, f"values is [32]; allowed: an object with {NAMES}"),
    ({"kind": "choices", "values": {"width": 32}}, f"values lacks rate; needed: {NAMES}"),
    (_architecture(widht=32), f"values has the unknown field 'widht' (32); allowed: {NAMES}"),
    (_architecture(width=33), "values.width is 33; allowed: 32, 64"),
    (_architecture(width="32"), "values.width is '32'; allowed: 32, 64"),
    (_architecture(width=None), "values.width is None; allowed: 32, 64"),
    (_architecture(width=[32]), "values.width is [32]; allowed: 32, 64"),
    (_architecture(dropout=False), "values.dropout is False; allowed: 0.0, 2.0"),
    (_architecture(dropout=float("nan")), "values.dropout is nan; allowed: 0.0, 2.0"),
    (_architecture(norm="Batch"), "values.norm is 'Batch'; allowed: 'batch', '', 'layer'"),
]


@pytest.mark.parametrize(("architecture", "told"), BROKEN, ids=[told for _, told in BROKEN])
def test_a_mistake_is_told(architecture: Any, told: str) -> None:
    with pytest.raises(GenotypeError) as refused:
        _space().encode(architecture)
    assert str(refused.value) == told


def test_the_graph_is_a_chain_of_the_choices() -> None:
    space = _space([("width", [32, 64]), ("norm", ["batch"])])
    graph = space.graph(space.decode((1, 0)))
    assert graph.nodes == (
        Node("choice1", "choice", "width = 64", {"name": "width", "value": 64}),
        Node("choice2", "choice", "norm = batch", {"name": "norm", "value": "batch"}),
    )
    assert graph.edges == (Edge("choice1", "choice2"),)


def test_each_field_of_the_manifest_has_its_space() -> None:
    from archsearch.space import SPACES

    assert set(SPACES) == {field.alias or name for name, field in SearchSpace.model_fields.items()}

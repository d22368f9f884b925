"""Convolutional architecture JSON is read strictly: every mistake is told with its path, value and what is allowed."""

import copy
from typing import Any

import pytest

from archsearch.space import GenotypeError
from archsearch.space.network import read_network

KEYS = "filterHeight, filterWidth, strideHeight, strideWidth, filters, inputs"


def _layer(*inputs: int) -> dict[str, Any]:
    numbers = {"filterHeight": 3, "filterWidth": 5, "strideHeight": 2, "strideWidth": 1, "filters": 24}
    return {**numbers, "inputs": list(inputs)}


def _good() -> dict[str, Any]:
    return {"kind": "convolutional", "layers": [_layer(0), _layer(1), _layer(0, 1)], "outputs": [2, 3]}


def _with(path: list[str | int], value: Any) -> dict[str, Any]:
    broken: Any = copy.deepcopy(_good())
    target = broken
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return broken  # type: ignore[no-any-return]


def _without(path: list[str | int]) -> dict[str, Any]:
    broken: Any = copy.deepcopy(_good())
    target = broken
    for step in path[:-1]:
        target = target[step]
    del target[path[-1]]
    return broken  # type: ignore[no-any-return]


def test_a_good_architecture_is_read_and_written_exactly() -> None:
    network = read_network(_good())
    assert network.to_json() == _good()
    assert network.outputs == (2, 3)
    assert network.layers[2].inputs == (0, 1)
    assert network.layers[0].numbers == {
        "filterHeight": 3,
        "filterWidth": 5,
        "strideHeight": 2,
        "strideWidth": 1,
        "filters": 24,
    }


BEFORE_2 = "allowed: 0 (the image) to 1, the layers before layer 2"
BEFORE_3 = "allowed: 0 (the image) to 2, the layers before layer 3"
NOT_EMPTY = "allowed: at least one number; a layer that reads no layer reads [0]"
LAYERS_NOBODY_READS = "allowed: [2, 3], the layers that no layer reads"
BROKEN: list[tuple[Any, str]] = [
    (None, "architecture is None; allowed: an object with kind, layers, outputs"),
    ([], "architecture is []; allowed: an object with kind, layers, outputs"),
    ({}, "architecture lacks kind; needed: kind, layers, outputs"),
    (_without(["kind"]), "architecture lacks kind; needed: kind, layers, outputs"),
    (_without(["layers"]), "architecture lacks layers; needed: kind, layers, outputs"),
    (_without(["outputs"]), "architecture lacks outputs; needed: kind, layers, outputs"),
    (_with(["depth"], 3), "architecture has the unknown field 'depth' (3); allowed: kind, layers, outputs"),
    (_with(["kind"], "choices"), "kind is 'choices'; allowed: 'convolutional'"),
    (_with(["kind"], None), "kind is None; allowed: 'convolutional'"),
    (_with(["layers"], {"0": 1}), "layers is {'0': 1}; allowed: a list"),
    (_with(["layers"], "abc"), "layers is 'abc'; allowed: a list"),
    (_with(["layers"], (1,)), "layers is (1,); allowed: a list"),
    (_with(["layers"], []), "layers is []; allowed: at least one layer"),
    (_with(["layers", 1], 7), f"layers[1] is 7; allowed: an object with {KEYS}"),
    (_without(["layers", 1, "filters"]), f"layers[1] lacks filters; needed: {KEYS}"),
    (_without(["layers", 2, "inputs"]), f"layers[2] lacks inputs; needed: {KEYS}"),
    (_with(["layers", 0, "filterHight"], 3), f"layers[0] has the unknown field 'filterHight' (3); allowed: {KEYS}"),
    (_with(["layers", 0, 5], 3), f"layers[0] has the unknown field 5 (3); allowed: {KEYS}"),
    (_with(["layers", 0, "filterHeight"], "3"), "layers[0].filterHeight is '3'; allowed: a whole number from 1"),
    (_with(["layers", 0, "filterWidth"], 3.0), "layers[0].filterWidth is 3.0; allowed: a whole number from 1"),
    (_with(["layers", 1, "strideHeight"], True), "layers[1].strideHeight is True; allowed: a whole number from 1"),
    (_with(["layers", 1, "strideWidth"], 0), "layers[1].strideWidth is 0; allowed: a whole number from 1"),
    (_with(["layers", 2, "filters"], -24), "layers[2].filters is -24; allowed: a whole number from 1"),
    (_with(["layers", 2, "filters"], None), "layers[2].filters is None; allowed: a whole number from 1"),
    (_with(["layers", 1, "inputs"], 1), "layers[1].inputs is 1; allowed: a list"),
    (
        _with(["layers", 1, "inputs"], []),
        f"layers[1].inputs is []; {NOT_EMPTY}",
    ),
    (_with(["layers", 0, "inputs"], [1]), "layers[0].inputs[0] is 1; allowed: 0 (the image)"),
    (
        _with(["layers", 1, "inputs"], [2]),
        f"layers[1].inputs[0] is 2; {BEFORE_2}",
    ),
    (
        _with(["layers", 1, "inputs"], [1, 3]),
        f"layers[1].inputs[1] is 3; {BEFORE_2}",
    ),
    (
        _with(["layers", 2, "inputs"], [-1]),
        f"layers[2].inputs[0] is -1; {BEFORE_3}",
    ),
    (
        _with(["layers", 2, "inputs"], [True]),
        f"layers[2].inputs[0] is True; {BEFORE_3}",
    ),
    (
        _with(["layers", 2, "inputs"], ["1"]),
        f"layers[2].inputs[0] is '1'; {BEFORE_3}",
    ),
    (_with(["layers", 2, "inputs"], [1, 1]), "layers[2].inputs[1] is 1 after 1; allowed: ascending numbers"),
    (_with(["layers", 2, "inputs"], [2, 0]), "layers[2].inputs[1] is 0 after 2; allowed: ascending numbers"),
    (_with(["outputs"], 3), "outputs is 3; allowed: a list"),
    (_with(["outputs"], []), f"outputs is []; {LAYERS_NOBODY_READS}"),
    (_with(["outputs"], [3]), f"outputs is [3]; {LAYERS_NOBODY_READS}"),
    (_with(["outputs"], [3, 2]), f"outputs is [3, 2]; {LAYERS_NOBODY_READS}"),
    (_with(["outputs"], [1, 2, 3]), f"outputs is [1, 2, 3]; {LAYERS_NOBODY_READS}"),
    (_with(["outputs"], [2, 3.0]), f"outputs is [2, 3.0]; {LAYERS_NOBODY_READS}"),
    (_with(["outputs"], [2, [3]]), f"outputs is [2, [3]]; {LAYERS_NOBODY_READS}"),
]


@pytest.mark.parametrize(("architecture", "told"), BROKEN, ids=[told for _, told in BROKEN])
def test_a_mistake_is_told(architecture: Any, told: str) -> None:
    with pytest.raises(GenotypeError) as refused:
        read_network(architecture)
    assert str(refused.value) == told


def test_true_does_not_pass_for_layer_one_among_the_outputs() -> None:
    with pytest.raises(GenotypeError, match=r"^outputs is \[True\]; allowed: \[1\]"):
        read_network({"kind": "convolutional", "layers": [_layer(0)], "outputs": [True]})


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(GenotypeError) as refused:
        read_network(_with(["kind"], "x" * 1_000_000))
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("value", [-(10**5000), 10**5000], ids=["negative", "positive"])
def test_a_number_that_python_refuses_to_write_is_refused_all_the_same(value: int) -> None:
    with pytest.raises(
        GenotypeError, match=r"^layers\[2\].inputs\[0\] is a value of type int, too long to show; allowed: 0"
    ):
        read_network(_with(["layers", 2, "inputs"], [value]))

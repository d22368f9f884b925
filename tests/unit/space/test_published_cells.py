"""The published cells are those of the papers; the spaces read and draw them, and hold all but a released concat."""

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from archsearch.api import SearchSpace
from archsearch.space import PUBLISHED, Architecture, GenotypeError, build
from archsearch.space.cell_network import read_cells, unread
from archsearch.space.recurrent_tree import read_tree

EVERY = [(kind, name) for kind, named in PUBLISHED.items() for name in named]
NAMES = {"none": "identity", "separable_3x3_2": "separable_3x3", "separable_5x5_2": "separable_5x5"}
NAMES |= {"separable_7x7_2": "separable_7x7"}


@pytest.fixture(scope="module")
def fidelity(shared_data: Path) -> dict[str, Any]:
    """Facts of the papers and of the released code, gathered beside the checkout."""
    path = shared_data.parent / "fidelity.yaml"
    if not path.is_file():
        pytest.skip("needs ../shared/fidelity.yaml beside the checkout")
    facts: dict[str, Any] = YAML(typ="safe").load(path.read_text())
    return facts


@pytest.mark.parametrize("name", ["NASNet-A", "PNASNet-5"])
def test_a_published_cell_is_that_of_the_gathered_facts(fidelity: dict[str, Any], name: str) -> None:
    facts = fidelity["cells"][name]
    assert facts["inputOrder"] == "previousFirst"
    architecture = PUBLISHED["cell"][name]()
    reduction = facts["normal"] if facts["reduction"] == "stridedNormal" else facts["reduction"]
    for found, told in ((architecture["normal"], facts["normal"]), (architecture["reduction"], reduction)):
        blocks = [
            {**block, "operations": [NAMES.get(operation, operation) for operation in block["operations"]]}
            for block in told["blocks"]
        ]
        assert found == {"blocks": blocks, "concat": told["concat"]}


def test_the_published_recurrent_cell_is_that_of_the_gathered_facts(fidelity: dict[str, Any]) -> None:
    facts = fidelity["recurrentCell"]
    tree = read_tree(PUBLISHED["recurrentCell"]["NAS cell"]())
    assert tree.base == facts["base"]
    sign = {"add": "+", "elem_mult": "*"}
    leaves = [f"a{k}={node.activation}(x{k}{sign[node.combine]}h{k})" for k, node in enumerate(tree.nodes[: tree.base])]
    assert leaves == facts["leaves"]
    level2 = [
        f"b{k}={node.activation}(a{2 * k}{sign[node.combine]}a{2 * k + 1})" for k, node in enumerate(tree.nodes[8:12])
    ]
    assert level2 == facts["level2"]
    assert facts["cell_inject"] == "b0 <- tanh(b0 + c_{t-1})"
    assert (tree.inject_node, tree.inject.combine, tree.inject.activation) == (8, "add", "tanh")
    assert facts["level3"] == ["d0=b0*b1 (identity)", "d1=tanh(b2+b3)"]
    assert [(node.combine, node.activation) for node in tree.nodes[12:14]] == [
        ("elem_mult", "identity"),
        ("add", "tanh"),
    ]
    assert facts["cell_out"].endswith("(pre-activation of the level-3 left node)")
    assert tree.output == 12
    assert facts["root"] == "h_t = tanh(d0*d1)"
    assert (tree.nodes[14].combine, tree.nodes[14].activation) == ("elem_mult", "tanh")


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_published_cell_is_plain_json_that_is_drawn_and_given_anew_to_each(kind: str, name: str) -> None:
    make = PUBLISHED[kind][name]
    architecture = make()
    assert architecture["kind"] == kind
    assert json.loads(json.dumps(architecture)) == architecture
    space = build(SearchSpace.model_validate_json(json.dumps({kind: {}})))
    assert {node.kind for node in space.graph(architecture).nodes} >= {"input", "output"}
    architecture.clear()
    assert make()["kind"] == kind


@pytest.mark.parametrize("name", PUBLISHED["recurrentCell"])
def test_a_published_recurrent_cell_is_a_child_of_the_paper_s_space(name: str) -> None:
    space = build(SearchSpace.model_validate_json('{"recurrentCell": {}}'))
    architecture = PUBLISHED["recurrentCell"][name]()
    assert space.decode(space.encode(architecture)) == architecture


@pytest.mark.parametrize("name", PUBLISHED["cell"])
def test_a_published_cell_is_a_child_once_its_concatenation_is_that_of_the_space(name: str) -> None:
    """The release concatenates by fixed masks, some of whose states are read as well."""
    space = build(SearchSpace.model_validate_json('{"cell": {}}'))
    architecture = PUBLISHED["cell"][name]()
    with pytest.raises(GenotypeError, match=r"^normal\.concat is .*the blocks that no block reads$"):
        space.encode(architecture)
    child = _concatenated_by_rule(architecture)
    assert space.decode(space.encode(child)) == child


def _concatenated_by_rule(architecture: Architecture) -> Architecture:
    network = read_cells(architecture)
    rules = {"normal": unread(network.normal.blocks), "reduction": unread(network.reduction.blocks)}
    cells = {name: {**architecture[name], "concat": list(states)} for name, states in rules.items()}
    return {"kind": "cell", **cells}

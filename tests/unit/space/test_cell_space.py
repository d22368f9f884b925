"""The space of cells: layout, architecture JSON and its mistakes, mutations, pictures."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from archsearch.api import SearchSpace
from archsearch.space import Cells, Edge, GenotypeError, build, cell_graphs, walk

OPERATIONS = [
    "identity",
    "conv_1x3_3x1",
    "conv_1x7_7x1",
    "dilated_3x3",
    "avg_pool_3x3",
    "max_pool_3x3",
    "max_pool_5x5",
    "max_pool_7x7",
    "conv_1x1",
    "conv_3x3",
    "separable_3x3",
    "separable_5x5",
    "separable_7x7",
]


def _space(**settings: Any) -> Cells:
    space = build(SearchSpace.model_validate_json(json.dumps({"cell": settings})))
    assert isinstance(space, Cells)
    return space


SMALL = _space(blocks=2, operations=["identity", "conv_3x3", "max_pool_3x3"])
GENOTYPE = (*(0, 1, 1, 2, 0, 2, 0, 0, 0, 1), *(1, 1, 0, 1, 1, 0, 1, 2, 2, 0))
ARCHITECTURE = {
    "kind": "cell",
    "normal": {
        "blocks": [
            {"inputs": [0, 1], "operations": ["conv_3x3", "max_pool_3x3"], "combine": "add"},
            {"inputs": [2, 0], "operations": ["identity", "identity"], "combine": "concat"},
        ],
        "concat": [3],
    },
    "reduction": {
        "blocks": [
            {"inputs": [1, 1], "operations": ["identity", "conv_3x3"], "combine": "concat"},
            {"inputs": [0, 1], "operations": ["max_pool_3x3", "max_pool_3x3"], "combine": "add"},
        ],
        "concat": [2, 3],
    },
}


def test_a_genotype_lists_the_blocks_of_the_normal_and_then_of_the_reduction_cell() -> None:
    assert SMALL.decode(GENOTYPE) == ARCHITECTURE
    assert SMALL.encode(ARCHITECTURE) == GENOTYPE


def test_the_paper_s_space_has_ten_decisions_for_each_of_five_blocks() -> None:
    space = _space()
    decisions = walk(space, (0,) * 50, 0)
    assert [decision.name for decision in decisions[:5]] == [
        "normal.block1.input1",
        "normal.block1.input2",
        "normal.block1.operation1",
        "normal.block1.operation2",
        "normal.block1.combination",
    ]
    assert decisions[25].name == "reduction.block1.input1"
    assert decisions[49].name == "reduction.block5.combination"
    assert {decision.kind for decision in decisions[25:]} == {
        "reduction.input",
        "reduction.operation",
        "reduction.combination",
    }
    assert [list(decisions[place].options) for place in (0, 2, 4)] == [
        [0, 1, 2, 3, 4, 5],
        OPERATIONS,
        ["add", "concat"],
    ]
    # Block k reads the two states that the cell is given and the k - 1 blocks before.
    assert [decisions[place].legal for place in (0, 5, 21, 25, 46)] == [
        (0, 1),
        (0, 1, 2),
        (0, 1, 2, 3, 4, 5),
        (0, 1),
        (0, 1, 2, 3, 4, 5),
    ]


SIZES: list[tuple[dict[str, Any], int]] = [
    ({}, (720**2 * 13**10 * 2**5) ** 2),
    ({"blocks": 1}, (2**2 * 13**2 * 2) ** 2),
    ({"blocks": 2, "operations": ["conv_3x3"], "combinations": ["add"]}, (2**2 * 3**2) ** 2),
]


@pytest.mark.parametrize(("settings", "size"), SIZES)
def test_the_size_counts_states_operations_and_combinations_of_both_cells(settings: dict[str, Any], size: int) -> None:
    assert _space(**settings).size() == size


def test_the_size_of_the_paper_s_space_in_full() -> None:
    assert _space().size() == 5_229_943_396_058_757_337_940_161_399_357_440_000


MUTATIONS: list[tuple[int, int, str]] = [
    # place, token, name
    (0, 1, "hiddenState"),
    (6, 2, "hiddenState"),
    (2, 0, "operation"),
    (13, 2, "operation"),
    (4, 1, "combination"),
    (19, 1, "combination"),
]


@pytest.mark.parametrize(("place", "token", "name"), MUTATIONS)
def test_a_mutation_is_named_by_what_it_changes(place: int, token: int, name: str) -> None:
    changed = (*GENOTYPE[:place], token, *GENOTYPE[place + 1 :])
    assert changed in {mutation.genotype for mutation in SMALL.neighbours(GENOTYPE, 0, name)}
    assert SMALL.mutations(0) == ("hiddenState", "operation", "combination")


def test_options_that_leave_no_choice_have_no_mutation() -> None:
    space = _space(blocks=1, operations=["conv_1x1"], combinations=["add"])
    assert space.mutations(0) == ("hiddenState",)


Edit = Callable[[dict[str, Any]], object]
UNREAD = "the blocks that no block reads"
BROKEN: list[tuple[Edit, str]] = [
    (lambda a: a.pop("reduction"), "architecture lacks reduction; needed: kind, normal, reduction"),
    (
        lambda a: a.update(kind="cells"),
        "kind is 'cells'; allowed: 'cell'",
    ),
    (lambda a: a.update(normal=[]), "normal is []; allowed: an object with blocks, concat"),
    (lambda a: a["normal"].update(blocks={}), "normal.blocks is {}; allowed: a list"),
    (lambda a: a["normal"].update(blocks=[]), "normal.blocks is []; allowed: at least one block"),
    (
        lambda a: a["normal"]["blocks"].append(a["normal"]["blocks"][0]),
        "normal.concat is [3]; needed: [3, 4], " + UNREAD,
    ),
    (
        lambda a: a["normal"]["blocks"][0].pop("combine"),
        "normal.blocks[0] lacks combine; needed: inputs, operations, combine",
    ),
    (
        lambda a: a["normal"]["blocks"][0].update(stride=2),
        "normal.blocks[0] has the unknown field 'stride' (2); allowed: inputs, operations, combine",
    ),
    (lambda a: a["normal"]["blocks"][0].update(inputs=[0]), "normal.blocks[0].inputs has 1 entries; allowed: 2"),
    (lambda a: a["normal"]["blocks"][0].update(inputs="01"), "normal.blocks[0].inputs is '01'; allowed: a list"),
    (
        lambda a: a["normal"]["blocks"][0].update(inputs=[0, 2]),
        "normal.blocks[0].inputs[1] is 2; allowed: 0 to 1, the states before block 0",
    ),
    (
        lambda a: a["reduction"]["blocks"][1].update(inputs=[True, 0]),
        "reduction.blocks[1].inputs[0] is True; allowed: 0 to 2, the states before block 1",
    ),
    (
        lambda a: a["reduction"]["blocks"][1].update(inputs=[0, 1.0]),
        "reduction.blocks[1].inputs[1] is 1.0; allowed: 0 to 2, the states before block 1",
    ),
    (
        lambda a: a["normal"]["blocks"][1].update(operations=["identity", "conv_9x9"]),
        f"normal.blocks[1].operations[1] is 'conv_9x9'; allowed: {', '.join(OPERATIONS)}",
    ),
    (
        lambda a: a["normal"]["blocks"][1].update(operations=["identity", "conv_1x1"]),
        "normal.blocks[1].operations[1] is 'conv_1x1'; allowed: identity, conv_3x3, max_pool_3x3",
    ),
    (
        lambda a: a["normal"]["blocks"][1].update(combine=None),
        "normal.blocks[1].combine is None; allowed: add, concat",
    ),
    (lambda a: a["normal"].update(concat=[]), "normal.concat is []; needed: [3], " + UNREAD),
    (lambda a: a["normal"].update(concat=[3, 3]), "normal.concat[1] is 3 after 3; allowed: ascending numbers"),
    (lambda a: a["normal"].update(concat=[4]), "normal.concat[0] is 4; allowed: states, 0 to 3"),
    (
        lambda a: a["normal"].update(concat=[2, 3]),
        "normal.concat is [2, 3]; allowed: [3], " + UNREAD,
    ),
    (
        lambda a: a["normal"].update(concat=[0, 3]),
        "normal.concat is [0, 3]; allowed: [3], " + UNREAD,
    ),
]


@pytest.mark.parametrize(("edit", "told"), BROKEN, ids=[told for _, told in BROKEN])
def test_a_mistake_is_told(edit: Edit, told: str) -> None:
    broken: dict[str, Any] = copy.deepcopy(ARCHITECTURE)
    edit(broken)
    with pytest.raises(GenotypeError) as refused:
        SMALL.encode(broken)
    assert str(refused.value) == told


def test_a_cell_of_another_number_of_blocks_is_refused() -> None:
    with pytest.raises(GenotypeError, match=r"^normal\.blocks has 2 entries; allowed: 3$"):
        _space(blocks=3).encode(ARCHITECTURE)


def test_a_combination_that_the_space_does_not_offer_is_refused() -> None:
    space = _space(blocks=2, combinations=["add"])
    with pytest.raises(GenotypeError, match=r"^normal\.blocks\[1\]\.combine is 'concat'; allowed: add$"):
        space.encode(ARCHITECTURE)


def test_every_block_is_read_or_concatenated_so_that_no_genotype_has_a_dead_block() -> None:
    space = _space(blocks=3, operations=["conv_3x3"], combinations=["add"])
    half = [
        (a, b, 0, 0, 0, c, d, 0, 0, 0, e, f, 0, 0, 0)
        for a in range(2)
        for b in range(2)
        for c in range(3)
        for d in range(3)
        for e in range(4)
        for f in range(4)
    ]
    for tokens in half:
        cell = space.decode((*tokens, *half[0]))["normal"]
        used = set(cell["concat"])
        for number in (2, 1, 0):
            assert number + 2 in used
            used |= set(cell["blocks"][number]["inputs"])


def test_the_graph_of_a_cell_has_its_states_operations_and_combinations() -> None:
    normal, reduction = cell_graphs(ARCHITECTURE).values()
    assert [(node.id, node.kind, node.label) for node in normal.nodes] == [
        ("state0", "input", "h[i]"),
        ("state1", "input", "h[i-1]"),
        ("block1.operation1", "operation", "conv_3x3"),
        ("block1.operation2", "operation", "max_pool_3x3"),
        ("state2", "combination", "add"),
        ("block2.operation1", "operation", "identity"),
        ("block2.operation2", "operation", "identity"),
        ("state3", "combination", "concat"),
        ("output", "output", "h[i+1]"),
    ]
    assert Edge("state2", "block2.operation1") in normal.edges
    assert Edge("state0", "block2.operation2", skip=True) in normal.edges
    assert {node.kind for node in reduction.nodes} >= {"concat"}
    assert [edge.source for edge in reduction.edges if edge.target == "concat"] == ["state2", "state3"]
    assert normal.nodes[4].detail == {"block": 1, "state": 2, "combine": "add"}


def test_a_given_state_that_nothing_reads_is_not_drawn() -> None:
    architecture = SMALL.decode((0, 0, 1, 1, 0, 0, 2, 1, 1, 0) * 2)
    for graph in cell_graphs(architecture).values():
        assert [node.id for node in graph.nodes if node.kind == "input"] == ["state0"]


def test_the_graph_of_the_space_holds_both_cells_apart() -> None:
    graph, halves = SMALL.graph(ARCHITECTURE), cell_graphs(ARCHITECTURE)
    expected = [f"{name}.{node.id}" for name, half in halves.items() for node in half.nodes]
    assert [node.id for node in graph.nodes] == expected
    assert {node.detail["cell"] for node in graph.nodes} == {"normal", "reduction"}
    assert all(edge.source.split(".")[0] == edge.target.split(".")[0] for edge in graph.edges)

"""The convolutional space: the rules of 1611.01578 (sections 3.1 to 3.3), one table each, and every refusal."""

import json
from typing import Any

import pytest

from archsearch.api import SearchSpace
from archsearch.space import Anchor, Convolutional, GenotypeError, build, feature_sizes, walk


def _space(**settings: Any) -> Convolutional:
    manifest = {"convolutional": {"depth": {"initial": 3}, **settings}}
    space = build(SearchSpace.model_validate_json(json.dumps(manifest)))
    assert isinstance(space, Convolutional)
    return space


def _layer(inputs: list[int], height: int = 3, width: int = 3, filters: int = 24, **more: Any) -> dict[str, Any]:
    numbers = {"filterHeight": height, "filterWidth": width, "strideHeight": 1, "strideWidth": 1, "filters": filters}
    return {**numbers, **more, "inputs": inputs}


def _network(*inputs: list[int], outputs: list[int]) -> dict[str, Any]:
    return {"kind": "convolutional", "layers": [_layer(read) for read in inputs], "outputs": outputs}


# The 15-layer network of 1611.01578, figure 7, as others have transcribed it: filter height, filter width, filters,
# layers read (0: the image).
PAPER_LAYERS: list[tuple[int, int, int, list[int]]] = [
    (3, 3, 36, [0]),
    (3, 3, 48, [1]),
    (3, 3, 36, [1, 2]),
    (5, 5, 36, [1, 2, 3]),
    (3, 7, 48, [3, 4]),
    (7, 7, 48, [2, 3, 4, 5]),
    (7, 7, 48, [2, 3, 4, 5, 6]),
    (7, 3, 36, [1, 6, 7]),
    (7, 1, 36, [1, 5, 6, 8]),
    (7, 7, 36, [1, 3, 4, 5, 6, 7, 8, 9]),
    (5, 7, 36, [1, 2, 5, 6, 7, 8, 9, 10]),
    (7, 7, 48, [1, 2, 3, 4, 6, 11]),
    (7, 5, 48, [1, 3, 6, 7, 8, 9, 10, 11, 12]),
    (7, 5, 48, [3, 7, 12, 13]),
    (7, 5, 48, [6, 7, 11, 12, 13, 14]),
]
PAPER_NETWORK: dict[str, Any] = {
    "kind": "convolutional",
    "layers": [_layer(inputs, height, width, filters) for height, width, filters, inputs in PAPER_LAYERS],
    "outputs": [15],
}


def test_the_network_of_the_paper_is_a_child_of_its_space() -> None:
    space = _space(depth={"initial": 6, "final": 15})
    genotype = space.encode(PAPER_NETWORK)
    assert len(genotype) == 15 * 5 + 15 * 14 // 2
    assert space.problem(genotype, 15) is None
    assert space.decode(genotype) == PAPER_NETWORK


def test_the_network_of_the_paper_has_its_published_number_of_weights() -> None:
    sizes = feature_sizes(PAPER_NETWORK, 32, 32, 3)
    weights = [
        height * width * size.channels_in * size.channels_out
        for (height, width, _, _), size in zip(PAPER_LAYERS, sizes, strict=True)
    ]
    # The paper gives 4.2 million (table 1); normalisation and the classifier add less than 2,000.
    assert sum(weights) == 4_199_868


def test_decisions_come_layer_by_layer_the_numbers_first_and_then_a_skip_for_each_earlier_layer() -> None:
    space = _space(strides=[1, 2])
    decisions = walk(space, space.sample(lambda _: 0, 3), 3)
    numbers = ["filterHeight", "filterWidth", "strideHeight", "strideWidth", "filters"]
    assert [decision.name for decision in decisions] == [
        *(f"layer1.{name}" for name in numbers),
        *(f"layer2.{name}" for name in numbers),
        "layer2.skip1",
        *(f"layer3.{name}" for name in numbers),
        "layer3.skip1",
        "layer3.skip2",
    ]
    assert [decision.kind for decision in decisions[5:11]] == [*numbers, "skip"]
    assert [decision.anchor for decision in decisions if decision.anchor] == [
        Anchor(target=1, source=0),
        Anchor(target=2, source=0),
        Anchor(target=2, source=1),
    ]
    options = {decision.kind: decision.options for decision in decisions}
    assert options == {
        "filterHeight": (1, 3, 5, 7),
        "filterWidth": (1, 3, 5, 7),
        "strideHeight": (1, 2),
        "strideWidth": (1, 2),
        "filters": (24, 36, 48, 64),
        "skip": (False, True),
    }


SKIPS: list[tuple[str, list[int], list[list[int]], list[int]]] = [
    ("layers that read no layer read the image, unread ones go out", [0, 0, 0], [[0], [0], [0]], [1, 2, 3]),
    ("a chain", [1, 0, 1], [[0], [1], [2]], [3]),
    ("everything reads everything before", [1, 1, 1], [[0], [1], [1, 2]], [3]),
    ("a layer passed over goes out too", [1, 1, 0], [[0], [1], [1]], [2, 3]),
    ("only the last pair is joined", [0, 0, 1], [[0], [0], [2]], [1, 3]),
    ("the second layer starts anew", [0, 1, 1], [[0], [0], [1, 2]], [3]),
]


@pytest.mark.parametrize(("skips", "inputs", "outputs"), [case[1:] for case in SKIPS], ids=[case[0] for case in SKIPS])
def test_skip_decisions_make_inputs_and_outputs(skips: list[int], inputs: list[list[int]], outputs: list[int]) -> None:
    space = _space()
    numbers = [1, 1, 0, 0, 0]
    genotype = (*numbers, *numbers, skips[0], *numbers, skips[1], skips[2])
    architecture = _network(*inputs, outputs=outputs)
    assert space.decode(genotype) == architecture
    assert space.encode(architecture) == genotype


def test_without_skip_connections_each_layer_reads_the_one_before() -> None:
    space = _space(skipConnections=False)
    assert space.decode((1, 1, 0, 0, 0) * 3) == _network([0], [1], [2], outputs=[3])
    assert space.size() == (4 * 4 * 4) ** 3


def test_height_and_width_of_filters_and_strides_are_decided_apart() -> None:
    space = _space(depth={"initial": 1}, filterWidths=[9, 11], strides=[1, 2, 3])
    assert space.decode((3, 1, 2, 0, 1))["layers"] == [
        {"filterHeight": 7, "filterWidth": 11, "strideHeight": 3, "strideWidth": 1, "filters": 36, "inputs": [0]}
    ]


def test_options_keep_the_order_of_the_manifest() -> None:
    space = _space(depth={"initial": 1}, filters=[64, 8, 32])
    assert [space.decode((0, 0, 0, 0, token))["layers"][0]["filters"] for token in range(3)] == [64, 8, 32]


GROWTH: list[tuple[dict[str, int], dict[int, int], tuple[int, ...]]] = [
    ({"initial": 6}, {0: 6, 10**9: 6}, (6,)),
    (
        {"initial": 6, "final": 15, "every": 1600, "step": 2},
        {0: 6, 1599: 6, 1600: 8, 3199: 8, 3200: 10, 6400: 14, 7999: 14, 8000: 15, 12_799: 15, 10**9: 15},
        (6, 8, 10, 12, 14, 15),
    ),
    ({"initial": 1, "final": 3, "every": 1, "step": 1}, {0: 1, 1: 2, 2: 3, 3: 3}, (1, 2, 3)),
    ({"initial": 2, "final": 3, "every": 5, "step": 64}, {4: 2, 5: 3}, (2, 3)),
    ({"initial": 4, "final": 4, "every": 1, "step": 1}, {0: 4, 1: 4}, (4,)),
]


@pytest.mark.parametrize(("depth", "at", "stages"), GROWTH)
def test_the_stage_is_the_depth_and_grows_on_the_schedule(
    depth: dict[str, int], at: dict[int, int], stages: tuple[int, ...]
) -> None:
    space = _space(depth=depth)
    assert {index: space.stage(index) for index in at} == at
    assert space.stages == stages
    for stage in stages:
        assert len(space.decode(space.sample(lambda _: 0, stage))["layers"]) == stage


def test_the_size_counts_numbers_and_skips_of_every_layer() -> None:
    space = _space(depth={"initial": 6, "final": 15})
    assert space.size(6) == (4 * 4 * 4) ** 6 * 2**15
    assert space.size() == (4 * 4 * 4) ** 15 * 2**105


def test_a_genotype_of_no_depth_is_told_the_lengths_that_children_have() -> None:
    problem = _space(depth={"initial": 1, "final": 3, "step": 2}).problem((0,) * 6)
    assert problem == (
        "genotype ends after 6 tokens; the next decision is layer2.filterWidth; children have 5 or 18 tokens"
    )


def test_a_depth_between_two_stages_is_not_of_the_space() -> None:
    space = _space(depth={"initial": 1, "final": 3, "step": 2})
    with pytest.raises(GenotypeError, match=r"^layers has 2 entries; allowed: 1, 3$"):
        space.encode(_network([0], [1], outputs=[2]))


NOT_OF_THE_SPACE: list[tuple[str, dict[str, Any], str]] = [
    ("filterHeight", _layer([0], height=2), "layers[0].filterHeight is 2; allowed: 1, 3, 5, 7"),
    ("filterWidth", _layer([0], width=9), "layers[0].filterWidth is 9; allowed: 1, 3, 5, 7"),
    ("filters", _layer([0], filters=50), "layers[0].filters is 50; allowed: 24, 36, 48, 64"),
    ("strideHeight", _layer([0], strideHeight=2), "layers[0].strideHeight is 2; allowed: 1"),
    ("strideWidth", _layer([0], strideWidth=3), "layers[0].strideWidth is 3; allowed: 1"),
]


@pytest.mark.parametrize(
    ("layer", "told"), [case[1:] for case in NOT_OF_THE_SPACE], ids=[c[0] for c in NOT_OF_THE_SPACE]
)
def test_a_value_that_is_no_option_is_refused(layer: dict[str, Any], told: str) -> None:
    space = _space(depth={"initial": 1})
    with pytest.raises(GenotypeError) as refused:
        space.encode({"kind": "convolutional", "layers": [layer], "outputs": [1]})
    assert str(refused.value) == told


def test_the_image_beside_a_layer_is_not_of_the_space() -> None:
    told = r"^layers\[2\].inputs is \[0, 2\]; allowed: earlier layers, or the image \(0\) alone$"
    with pytest.raises(GenotypeError, match=told):
        _space().encode(_network([0], [1], [0, 2], outputs=[3]))


@pytest.mark.parametrize(("inputs", "outputs"), [([0], [2, 3]), ([1], [2, 3]), ([1, 2], [3])])
def test_anything_but_a_chain_is_refused_without_skip_connections(inputs: list[int], outputs: list[int]) -> None:
    space = _space(skipConnections=False)
    with pytest.raises(GenotypeError) as refused:
        space.encode(_network([0], [1], inputs, outputs=outputs))
    assert str(refused.value) == f"layers[2].inputs is {inputs}; allowed without skipConnections: [2]"

"""Sizes of feature maps, and the graph of the picture."""

from typing import Any

import pytest

from archsearch.space import Edge, GenotypeError, Node, concatenated, feature_sizes
from archsearch.space.picture import network_graph


def _network(*layers: tuple[int, int, int, list[int]], outputs: list[int]) -> dict[str, Any]:
    """Of layers as (stride height, stride width, filters, inputs)."""
    described = [
        {"filterHeight": 3, "filterWidth": 7, "strideHeight": s, "strideWidth": t, "filters": f, "inputs": inputs}
        for s, t, f, inputs in layers
    ]
    return {"kind": "convolutional", "layers": described, "outputs": outputs}


SAME_PADDING = [
    # image, stride, output: ceil(n / stride), and never less than 1
    (32, 1, 32),
    (32, 2, 16),
    (32, 3, 11),
    (31, 2, 16),
    (8, 8, 1),
    (9, 8, 2),
    (2, 3, 1),
    (1, 8, 1),
]


@pytest.mark.parametrize(("image", "stride", "output"), SAME_PADDING)
def test_a_stride_divides_a_map_and_rounds_up(image: int, stride: int, output: int) -> None:
    sizes = feature_sizes(_network((stride, 1, 24, [0]), outputs=[1]), image, 5, 3)
    assert sizes == [(output, 5, 3, 24)]
    sizes = feature_sizes(_network((1, stride, 24, [0]), outputs=[1]), 5, image, 1)
    assert sizes == [(5, output, 1, 24)]


def test_an_image_never_shrinks_to_nothing_whatever_the_strides() -> None:
    layers = [(8, 8, 4, [number]) for number in range(64)]
    assert feature_sizes(_network(*layers, outputs=[64]), 4, 512)[-1] == (1, 1, 4, 4)


def test_several_inputs_are_padded_to_the_largest_height_and_the_largest_width_and_their_channels_added() -> None:
    architecture = _network(
        (2, 1, 24, [0]),
        (1, 4, 36, [0]),
        (1, 1, 48, [1, 2]),
        (3, 3, 64, [0, 1, 3]),
        outputs=[4],
    )
    assert feature_sizes(architecture, 32, 20) == [
        (16, 20, 3, 24),
        (32, 5, 3, 36),
        (32, 20, 24 + 36, 48),
        (11, 7, 3 + 24 + 48, 64),
    ]


def test_the_classifier_reads_the_outputs_padded_to_the_largest() -> None:
    sizes = feature_sizes(_network((4, 1, 8, [0]), (1, 4, 16, [0]), outputs=[1, 2]), 32, 32, 1)
    assert [(size.height, size.width) for size in sizes] == [(8, 32), (32, 8)]
    assert concatenated(sizes) == (32, 32, 24)


@pytest.mark.parametrize(("place", "name"), [(0, "height"), (1, "width"), (2, "channels")])
@pytest.mark.parametrize("bad", [0, -1, 1.0, True, "8", None])
def test_an_image_without_size_is_refused(place: int, name: str, bad: Any) -> None:
    image: list[Any] = [8, 8, 3]
    image[place] = bad
    with pytest.raises(ValueError, match=f"^image {name} is {bad!r}; allowed: a whole number from 1$"):
        feature_sizes(_network((1, 1, 8, [0]), outputs=[1]), *image)


def test_sizes_of_what_is_no_architecture_are_refused() -> None:
    with pytest.raises(GenotypeError, match=r"^kind is 'choices'; allowed: 'convolutional'$"):
        feature_sizes({"kind": "choices", "layers": [], "outputs": []}, 8, 8)


def test_the_graph_names_every_layer_with_its_facts_and_marks_what_passes_over_a_node() -> None:
    graph = network_graph(_network((1, 1, 24, [0]), (2, 1, 36, [1]), (1, 1, 48, [0, 1]), outputs=[2, 3]))
    facts = {"filterHeight": 3, "filterWidth": 7, "strideHeight": 1, "strideWidth": 1}
    assert graph.nodes == (
        Node("image", "image", "image", {}),
        Node("layer1", "layer", "3x7, 24 filters", {**facts, "filters": 24}),
        Node("layer2", "layer", "3x7, 36 filters, stride 2x1", {**facts, "strideHeight": 2, "filters": 36}),
        Node("layer3", "layer", "3x7, 48 filters", {**facts, "filters": 48}),
        Node("output", "output", "classifier", {"inputs": [2, 3]}),
    )
    assert graph.edges == (
        Edge("image", "layer1"),
        Edge("layer1", "layer2"),
        Edge("image", "layer3", skip=True),
        Edge("layer1", "layer3", skip=True),
        Edge("layer2", "output", skip=True),
        Edge("layer3", "output"),
    )

"""Networks from architectures: the paper's rules, and exact counts."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from archsearch.space.base import Architecture
from archsearch.trial.errors import TrialError
from archsearch.trial.networks.convolutional import ConvolutionalNetwork, parameters
from archsearch.trial.networks.counts import multiply_adds


def layer(
    filters: int = 4, inputs: tuple[int, ...] = (0,), size: tuple[int, int] = (3, 3), stride: tuple[int, int] = (1, 1)
) -> dict[str, object]:
    return {
        "filterHeight": size[0],
        "filterWidth": size[1],
        "strideHeight": stride[0],
        "strideWidth": stride[1],
        "filters": filters,
        "inputs": list(inputs),
    }


def network_of(*layers: dict[str, object], outputs: tuple[int, ...] | None = None) -> Architecture:
    read = {source for each in layers for source in each["inputs"]}  # type: ignore[attr-defined]
    unread = [number for number in range(1, len(layers) + 1) if number not in read]
    return {"kind": "convolutional", "layers": list(layers), "outputs": unread if outputs is None else list(outputs)}


# The 15-layer network that 1611.01578 found first (figure 7, appendix A): filter height, filter width, filters, inputs.
# Third-party transcription of the figure; its weights add up to the 4.2 million that the paper's table 1 prints.
PAPER_LAYERS = (
    (3, 3, 36, (0,)),
    (3, 3, 48, (1,)),
    (3, 3, 36, (1, 2)),
    (5, 5, 36, (1, 2, 3)),
    (3, 7, 48, (3, 4)),
    (7, 7, 48, (2, 3, 4, 5)),
    (7, 7, 48, (2, 3, 4, 5, 6)),
    (7, 3, 36, (1, 6, 7)),
    (7, 1, 36, (1, 5, 6, 8)),
    (7, 7, 36, (1, 3, 4, 5, 6, 7, 8, 9)),
    (5, 7, 36, (1, 2, 5, 6, 7, 8, 9, 10)),
    (7, 7, 48, (1, 2, 3, 4, 6, 11)),
    (7, 5, 48, (1, 3, 6, 7, 8, 9, 10, 11, 12)),
    (7, 5, 48, (3, 7, 12, 13)),
    (7, 5, 48, (6, 7, 11, 12, 13, 14)),
)
PAPER = network_of(*(layer(filters, inputs, (height, width)) for height, width, filters, inputs in PAPER_LAYERS))


def test_the_papers_network_has_exactly_its_published_size() -> None:
    network = ConvolutionalNetwork(PAPER, (3, 32, 32), 10)
    convolutions = sum(module.weight.numel() for module in network.modules() if isinstance(module, nn.Conv2d))
    assert PAPER["outputs"] == [15]
    assert convolutions == 4_199_868
    assert parameters(network) == 4_201_630
    assert multiply_adds(PAPER, (3, 32, 32), 10) == 4_300_664_832 + 48 * 10


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("pixels", [1, 2, 7, 8, 9])
def test_n_pixels_become_ceil_n_over_stride(pixels: int, size: int, stride: int) -> None:
    architecture = network_of(layer(size=(size, size), stride=(stride, stride)))
    network = ConvolutionalNetwork(architecture, (1, pixels, pixels), 2).eval()
    made = network.layers[0](torch.zeros(1, 1, pixels, pixels))
    expected = -(-pixels // stride)
    assert tuple(made.shape) == (1, 4, expected, expected)


def test_an_even_filter_has_its_odd_zero_at_the_bottom_right() -> None:
    network = ConvolutionalNetwork(network_of(layer(filters=1, size=(2, 2))), (1, 2, 2), 2).eval()
    nn.init.ones_(network.layers[0].convolution.weight)
    made = network.layers[0](torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
    assert torch.allclose(made, torch.tensor([[[[10.0, 6.0], [7.0, 4.0]]]]), rtol=1e-4)


def test_inputs_of_different_sizes_are_centred_in_zeros_and_concatenated_in_depth() -> None:
    architecture = network_of(layer(4), layer(5, (1,), stride=(3, 2)), layer(6, (1, 2)))
    network = ConvolutionalNetwork(architecture, (1, 7, 6), 2).eval()
    seen: list[torch.Tensor] = []
    network.layers[2].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    second: list[torch.Tensor] = []
    network.layers[1].register_forward_hook(lambda _, __, made: second.append(made))
    with torch.no_grad():
        network(torch.randn(2, 1, 7, 6))
    assert tuple(second[0].shape) == (2, 5, 3, 3)
    assert tuple(seen[0].shape) == (2, 9, 7, 6)
    assert torch.equal(seen[0][:, 4:, 2:5, 1:4], second[0])
    assert float(seen[0][:, 4:].abs().sum()) == pytest.approx(float(second[0].abs().sum()))


def test_every_layer_that_nobody_reads_reaches_the_classifier() -> None:
    network = ConvolutionalNetwork(network_of(layer(3), layer(4), layer(5, (1,))), (3, 8, 8), 10)
    assert network.outputs == (2, 3)
    assert network.classifier.in_features == 9


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    depth = draw(st.integers(1, 5))
    small = st.integers(1, 5)
    layers = []
    for number in range(depth):
        inputs = sorted(draw(st.sets(st.integers(0, number), min_size=1)))
        size, stride = (draw(small), draw(small)), (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
        layers.append(layer(draw(small), tuple(inputs), size, stride))
    return network_of(*layers)


@settings(max_examples=40)
@given(architectures(), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3))
def test_every_architecture_builds_and_counts_what_it_computes(
    architecture: Architecture, height: int, width: int, channels: int
) -> None:
    network = ConvolutionalNetwork(architecture, (channels, height, width), 7).eval()
    counted = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(
                lambda module, _, made: counted.append(made[0].numel() * module.weight[0].numel())
            )
    logits = network(torch.randn(2, channels, height, width))
    assert tuple(logits.shape) == (2, 7)
    assert sum(counted) == multiply_adds(architecture, (channels, height, width), 7)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({"kind": "convolutional", "layers": [], "outputs": []}, "layers"),
        (network_of(layer(), layer(inputs=(2,))), "inputs"),
        (network_of(layer(filters=0)), "filters"),
        (network_of(layer(), layer(), outputs=(2,)), "outputs"),
        ({"kind": "convolutional", "layers": "many", "outputs": [1]}, "layers"),
    ],
)
def test_an_architecture_that_is_none_is_refused_by_its_field(architecture: Architecture, message: str) -> None:
    with pytest.raises(TrialError, match=message) as refused:
        ConvolutionalNetwork(architecture, (1, 8, 8), 10)
    assert (refused.value.reason, refused.value.scope) == ("ArchitectureInvalid", "Child")

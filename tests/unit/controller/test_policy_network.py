"""The policy network against the paper's formulas, written out once more in numpy."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
import torch

from archsearch.api import Choice, ConvolutionalSpace, Depth, SearchSpace
from archsearch.controller.policy import INIT_RANGE, PolicyNetwork, stands_in
from archsearch.controller.sampling import sample
from archsearch.controller.steps import ANCHOR, Step, script
from archsearch.controller.strategy import generator
from archsearch.space import Anchor, Decision, GenotypeError, Space, build

KINDS = {"filterHeight": 2, "filterWidth": 3, "filters": 2}
SKIPS = build(
    SearchSpace(
        convolutional=ConvolutionalSpace(
            depth=Depth(initial=3), filter_heights=(1, 3), filter_widths=(1, 3, 5), filters=(4, 8)
        )
    )
)


def choices(**counts: int) -> Space:
    listed = tuple(Choice(name=name, values=tuple(range(count))) for name, count in counts.items())
    return build(SearchSpace(choices=listed))


class Parting:
    """Children go different ways after the first decision, and options of the second depend on it; skips at the end."""

    def next(self, prefix: Sequence[int], stage: int) -> Decision | None:
        match list(prefix):
            case [] | [_, _]:
                return Decision(f"op{len(prefix)}", "op", ("a", "b", "c"), (0, 1, 2))
            case [0]:
                return Decision("size", "size", (1, 3, 5), (0, 2))
            case [first]:
                return Decision("rate", "rate", (0.1, 0.2), (1,) if first == 2 else (0, 1))
            case [_, _, _]:
                return Decision("skip0", "skip", (False, True), (0, 1), Anchor(2, 0))
            case [_, _, _, zero]:
                return Decision("skip1", "skip", (False, True), (0, 1) if zero else (1,), Anchor(2, 1))
        return None


PARTING = cast(Space, Parting())  # policy and sampler ask a space for nothing but next()


def louder(network: PolicyNetwork, factor: float = 12.0) -> PolicyNetwork:
    """The same network with larger weights, so that no two probabilities are nearly equal."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(factor)
    return network


class Paper:
    """Sections 3.1 and 3.3 of 1611.01578 in numpy, a step at a time, from the weights of a network."""

    def __init__(self, network: PolicyNetwork) -> None:
        self.weights = {name: value.detach().double().numpy() for name, value in network.named_parameters()}
        self.names = network.names
        self.layers = network.lstm.num_layers
        size = network.lstm.hidden_size
        self.hidden = [np.zeros(size) for _ in range(self.layers)]
        self.cell = [np.zeros(size) for _ in range(self.layers)]
        self.input = self.weights["first_input"]

    def step(self) -> Any:
        signal = self.input
        for layer in range(self.layers):
            gates = (
                self.weights[f"lstm.weight_ih_l{layer}"] @ signal
                + self.weights[f"lstm.bias_ih_l{layer}"]
                + self.weights[f"lstm.weight_hh_l{layer}"] @ self.hidden[layer]
                + self.weights[f"lstm.bias_hh_l{layer}"]
            )
            enter, forget, update, leave = np.split(gates, 4)
            self.cell[layer] = sigmoid(forget) * self.cell[layer] + sigmoid(enter) * np.tanh(update)
            self.hidden[layer] = sigmoid(leave) * np.tanh(self.cell[layer])
            signal = self.hidden[layer]
        return signal

    def softmax(self, kind: str, hidden: Any) -> Any:
        name = self.names[kind]
        logits = self.weights[f"heads.{name}.weight"] @ hidden + self.weights[f"heads.{name}.bias"]
        return np.exp(logits) / np.exp(logits).sum()

    def choose(self, kind: str, token: int) -> None:
        self.input = self.weights[f"tables.{self.names[kind]}.weight"][token]

    def reads(self, source: Any, target: Any) -> float:
        mixed = np.tanh(self.weights["previous.weight"] @ source + self.weights["current.weight"] @ target)
        return float(sigmoid(self.weights["attention"] @ mixed))

    def skips(self, sources: list[Any]) -> None:
        projected = [self.weights["anchor_input.weight"] @ source for source in sources]
        self.input = np.mean(projected, axis=0) if projected else self.weights["no_source"]


def sigmoid(value: Any) -> Any:
    return 1 / (1 + np.exp(-value))


def test_weights_start_uniform_within_the_papers_range() -> None:
    network = PolicyNetwork(KINDS, hidden=35, layers=2, seed=1)
    values = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    assert values.abs().max() <= INIT_RANGE
    assert values.min() < -0.0795
    assert values.max() > 0.0795
    assert values.std() == pytest.approx(2 * INIT_RANGE / 12**0.5, rel=0.02)
    assert (network.lstm.num_layers, network.lstm.hidden_size) == (2, 35)


def test_weights_follow_from_the_seed_alone() -> None:
    torch.manual_seed(1)
    one = PolicyNetwork(KINDS, 8, 2, seed=5)
    torch.manual_seed(2)
    other = PolicyNetwork(KINDS, 8, 2, seed=5)
    third = PolicyNetwork(KINDS, 8, 2, seed=6)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert not torch.equal(one.first_input, third.first_input)


def test_log_probability_of_choices_is_the_papers() -> None:
    space = choices(a=2, b=3)
    network = louder(PolicyNetwork({"a": 2, "b": 3}, 5, 2, seed=3))
    paper = Paper(network)
    expected = np.log(paper.softmax("a", paper.step())[1])
    paper.choose("a", 1)
    expected += np.log(paper.softmax("b", paper.step())[2])
    value, _ = network.evaluate([script(space, (1, 2), 0)])
    assert value.item() == pytest.approx(expected, abs=1e-5)


def test_log_probability_of_a_network_with_skips_is_the_papers() -> None:
    space = SKIPS
    network = louder(PolicyNetwork(KINDS, 6, 2, seed=4))
    layers = [(1, 2, 0), (0, 1, 1), (1, 0, 0)]
    skips = [[], [1], [0, 1]]
    paper = Paper(network)
    anchors: list[Any] = []
    expected, tokens = 0.0, []
    for number, (numbers, chosen) in enumerate(zip(layers, skips, strict=True)):
        for kind, token in zip(KINDS, numbers, strict=True):
            hidden = paper.step()
            if number == 1 and kind == "filterHeight":
                anchors.append(hidden)  # stands in for the first layer, which has no anchor step
            expected += np.log(paper.softmax(kind, hidden)[token])
            paper.choose(kind, token)
        tokens += [numbers[0], numbers[1], 0, 0, numbers[2], *chosen]  # strides have one option
        if number > 0:
            target = paper.step()
            for source, bit in zip(anchors, chosen, strict=True):
                share = paper.reads(source, target)
                expected += np.log(share if bit else 1 - share)
            paper.skips([source for source, bit in zip(anchors, chosen, strict=True) if bit])
            anchors.append(target)
    value, _ = network.evaluate([script(space, tuple(tokens), 3)])
    assert value.item() == pytest.approx(expected, abs=1e-5)


def test_after_an_anchor_without_sources_the_learned_vector_is_the_input() -> None:
    network = PolicyNetwork(KINDS, 4, 1, seed=1)
    sources = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))
    chosen = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 1.0]])
    inputs = network.after_anchor(sources, chosen)
    assert torch.equal(inputs[0], network.no_source)
    expected = (network.anchor_input(sources[1, 0]) + network.anchor_input(sources[1, 2])) / 2
    assert torch.allclose(inputs[1], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("space", "stage", "kinds"),
    [
        (choices(a=2, b=3, c=4), 0, {"a": 2, "b": 3, "c": 4}),
        (SKIPS, 3, KINDS),
        (PARTING, 0, {"op": 3, "size": 3, "rate": 2}),
    ],
    ids=["choices", "skips", "narrowing"],
)
def test_a_child_is_drawn_with_the_probability_and_entropy_that_evaluation_gives_it(
    space: Space, stage: int, kinds: dict[str, int]
) -> None:
    network = louder(PolicyNetwork(kinds, 7, 2, seed=9))
    drawn = sample(network, space, stage, [generator(0, "test", number) for number in range(30)])
    for child in drawn:
        value, entropy = network.evaluate([script(space, child.genotype, stage)])
        assert child.log_probability == pytest.approx(value.item(), abs=1e-4)
        assert child.entropy == pytest.approx(entropy.item(), abs=1e-4)


def test_children_drawn_together_are_those_drawn_one_by_one_even_where_they_part() -> None:
    space = PARTING
    network = louder(PolicyNetwork({"op": 3, "size": 3, "rate": 2}, 7, 2, seed=9))
    together = sample(network, space, 0, [generator(0, "test", number) for number in range(40)])
    alone = [sample(network, space, 0, [generator(0, "test", number)])[0] for number in range(40)]
    assert [child.genotype for child in together] == [child.genotype for child in alone]
    assert len({child.genotype for child in together}) > 10


def test_children_evaluated_together_have_the_values_they_have_alone() -> None:
    space = SKIPS
    network = louder(PolicyNetwork(KINDS, 7, 2, seed=2))
    drawn = sample(network, space, 3, [generator(0, "test", number) for number in range(6)])
    scripts = [script(space, child.genotype, 3) for child in drawn]
    together, entropies = network.evaluate(scripts)
    for row, one in enumerate(scripts):
        value, entropy = network.evaluate([one])
        assert together[row].item() == pytest.approx(value[0].item(), abs=1e-5)
        assert entropies[row].item() == pytest.approx(entropy[0].item(), abs=1e-5)


def test_an_option_that_has_underflowed_is_never_drawn_and_nothing_is_nan() -> None:
    space = choices(a=3)
    network = PolicyNetwork({"a": 3}, 4, 1, seed=1)
    with torch.no_grad():
        dict(network.named_parameters())["heads.0.bias"].copy_(torch.tensor([-1e6, 0.0, -1e6]))
    drawn = sample(network, space, 0, [generator(0, "test", number) for number in range(50)])
    assert {child.genotype for child in drawn} == {(1,)}
    value, entropy = network.evaluate([script(space, (0,), 0)])
    assert torch.isfinite(value).all()
    assert torch.isfinite(entropy).all()


def test_steps_gather_the_skips_of_a_layer_and_leave_out_what_has_one_option() -> None:
    space = SKIPS
    child = script(space, (1, 2, 0, 0, 0, 0, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1), 3)
    plain = [Step("filterHeight"), Step("filterWidth"), Step("filters")]
    expected = [*plain, *plain, Step(ANCHOR, 1, (0,)), *plain, Step(ANCHOR, 2, (0, 1))]
    assert list(child.steps) == expected
    assert child.tokens == ((1,), (2,), (0,), (0,), (1,), (1,), (1,), (1,), (0,), (0,), (0, 1))
    assert stands_in(child.steps) == 3


@pytest.mark.parametrize("genotype", [(), (0,), (3, 0), (0, 0, 0), (-1, 0)])
def test_a_script_refuses_what_is_not_of_the_space(genotype: tuple[int, ...]) -> None:
    with pytest.raises(GenotypeError):
        script(choices(a=3, b=2), genotype, 0)

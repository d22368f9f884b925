"""Draw children from the policy network, one step at a time, many at once where they take the same steps."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from archsearch.controller.policy import PolicyNetwork, State
from archsearch.controller.steps import is_step
from archsearch.space.base import Decision, Genotype, Space


@dataclass
class Drawn:
    """A child in the making."""

    stream: np.random.Generator
    tokens: list[int] = field(default_factory=list)
    log_probability: float = 0.0
    entropy: float = 0.0
    """Nats, added up over its decisions."""
    choices: list[tuple[Decision, list[float]]] = field(default_factory=list)
    """Every decision with the probability of each of its options."""

    @property
    def genotype(self) -> Genotype:
        """Its tokens."""
        return tuple(self.tokens)

    @property
    def mean_entropy(self) -> float:
        """Nats per decision that had more than one legal option."""
        return self.entropy / max(1, sum(len(decision.legal) > 1 for decision, _ in self.choices))

    def choose(self, decision: Decision, probabilities: Sequence[float]) -> int:
        """Draw a token of ``decision``; the probabilities of illegal ones are passed over."""
        legal = decision.legal
        total = sum(probabilities[token] for token in legal)
        # Where every legal option has underflowed to 0, they are equally likely.
        shares = [probabilities[token] / total if total > 0 else 1 / len(legal) for token in legal]
        place = _draw(shares, self.stream) if len(legal) > 1 else 0
        self.log_probability += float(np.log(shares[place]))
        self.entropy -= sum(share * float(np.log(share)) for share in shares if share > 0)
        spread = [0.0] * len(decision.options)
        for token, share in zip(legal, shares, strict=True):
            spread[token] = share
        self.choices.append((decision, spread))
        self.tokens.append(legal[place])
        return legal[place]


@dataclass
class _Cohort:
    """Children that have taken the same steps so far; row r of every tensor belongs to ``children[r]``."""

    children: list[Drawn]
    inputs: Tensor
    state: State | None = None
    anchors: dict[int, Tensor] = field(default_factory=dict)
    """Layer -> hidden state [n, H] at its anchor step."""
    first_kind: str | None = None
    stand_in: Tensor | None = None
    """Anchor of layers that have no anchor step."""

    def part(self, rows: list[int]) -> "_Cohort":
        state = None if self.state is None else [(hidden[rows], cell[rows]) for hidden, cell in self.state]
        anchors = {layer: anchor[rows] for layer, anchor in self.anchors.items()}
        stand_in = None if self.stand_in is None else self.stand_in[rows]
        children = [self.children[row] for row in rows]
        return _Cohort(children, self.inputs[rows], state, anchors, self.first_kind, stand_in)


def sample(network: PolicyNetwork, space: Space, stage: int, streams: Sequence[np.random.Generator]) -> list[Drawn]:
    """One child of ``stage`` for each stream of random numbers, which alone decides it (given the network)."""
    children = [Drawn(stream) for stream in streams]
    with torch.inference_mode():
        waiting = [_Cohort(children, network.first_input.expand(len(children), -1))]
        while waiting:
            waiting.extend(_advance(network, space, stage, waiting.pop()))
    return children


def _advance(network: PolicyNetwork, space: Space, stage: int, cohort: _Cohort) -> list[_Cohort]:
    """Take one step; children that go different ways part company."""
    ways: dict[tuple[str, int], list[int]] = {}
    decisions: list[Decision | None] = []
    for row, child in enumerate(cohort.children):
        decision = _next(space, stage, child)
        decisions.append(decision)
        if decision is not None:
            target = -1 if decision.anchor is None else decision.anchor.target
            kind = decision.kind if decision.anchor is None else ""
            ways.setdefault((kind, target), []).append(row)
    if len(ways) > 1 or sum(map(len, ways.values())) < len(cohort.children):
        return [cohort.part(rows) for rows in ways.values()]
    present = [decision for decision in decisions if decision is not None]
    if not present:
        return []
    hidden = _hidden(network, cohort, present[0])
    if present[0].anchor is None:
        _plain(network, cohort, present, hidden)
    else:
        _anchor(network, space, stage, cohort, present[0].anchor.target, hidden)
    return [cohort]


def _next(space: Space, stage: int, child: Drawn) -> Decision | None:
    """The child's next step; decisions of one option on the way are answered."""
    while (decision := space.next(child.tokens, stage)) is not None and not is_step(decision):
        child.choose(decision, [1.0])
    return decision


def _hidden(network: PolicyNetwork, cohort: _Cohort, decision: Decision) -> Tensor:
    hidden, cohort.state = network.step(cohort.inputs, cohort.state)
    begins_again = decision.kind == cohort.first_kind or decision.anchor is not None
    if cohort.first_kind is None:
        cohort.first_kind = decision.kind
    if cohort.stand_in is None and begins_again:
        cohort.stand_in = hidden
    return hidden


def _plain(network: PolicyNetwork, cohort: _Cohort, decisions: list[Decision], hidden: Tensor) -> None:
    kind = decisions[0].kind
    logits = network.logits(kind, hidden).double().numpy()
    tokens = []
    for row, (child, decision) in enumerate(zip(cohort.children, decisions, strict=True)):
        largest = logits[row, list(decision.legal)].max()
        probabilities = np.exp(np.minimum(logits[row] - largest, 0.0))  # illegal ones may be larger
        tokens.append(child.choose(decision, probabilities.tolist()))
    cohort.inputs = network.embed(kind, torch.tensor(tokens))


def _anchor(network: PolicyNetwork, space: Space, stage: int, cohort: _Cohort, target: int, hidden: Tensor) -> None:
    assert cohort.stand_in is not None
    layers = list(cohort.anchors)
    # Row of each known layer's anchor; the last row stands in for all others.
    rows = {layer: row for row, layer in enumerate(layers)}
    sources = torch.stack([*(cohort.anchors[layer] for layer in layers), cohort.stand_in], dim=1)
    logits = network.skip_logits(sources, hidden.unsqueeze(1)).double()
    reads = torch.sigmoid(logits).tolist()
    chosen = torch.zeros(len(cohort.children), len(layers) + 1)
    for row, child in enumerate(cohort.children):
        while (decision := space.next(child.tokens, stage)) is not None:
            if decision.anchor is None or decision.anchor.target != target:
                break
            source = rows.get(decision.anchor.source, len(layers))
            share = reads[row][source]
            chosen[row, source] += child.choose(decision, [1 - share, share])
    cohort.anchors.setdefault(target, hidden)
    cohort.inputs = network.after_anchor(sources, chosen)


def _draw(shares: list[float], stream: np.random.Generator) -> int:
    """Index drawn by inverting the cumulative distribution; never one of probability 0."""
    point = stream.random()
    total = 0.0
    last = 0
    for place, share in enumerate(shares):
        if share > 0:
            last = place
            total += share
            if point < total:
                return place
    return last

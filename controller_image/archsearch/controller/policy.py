"""The policy network of 1611.01578: an LSTM that emits a child one decision at a time, with anchor points for skips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor, nn

from archsearch.controller.steps import ANCHOR, Script, Step

INIT_RANGE = 0.08
"""Weights start uniform in (-0.08, 0.08): 1611.01578, section 4.1."""

CELL = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
"""Parameters of an LSTM layer, in the order in which torch.lstm_cell takes them."""

State = list[tuple[Tensor, Tensor]]
"""Hidden state and cell, each [B, H], of every layer of the LSTM."""


class PolicyNetwork(nn.Module):
    """A stacked LSTM with one softmax and one table of embeddings per kind of decision.

    The input of a step is the embedding of the token chosen before; after an anchor step it is the mean of the
    projected anchors of the chosen sources, or a learned vector where none was chosen. The anchor of a layer is the
    hidden state at its anchor step. The first layer has no earlier layer to choose, hence no anchor step: the step at
    which its kinds of decision begin again, for the second layer, stands in for it (it has seen the same tokens).

    Shapes: H is the size of a hidden state and of an input, B the children of a batch, T the steps of a child.
    """

    def __init__(
        self, options: Mapping[str, int], hidden: int, layers: int, seed: int, spread: float = INIT_RANGE
    ) -> None:
        """``options``: how many options each kind of decision has, anchors left out.

        ``seed`` draws the weights, uniform in (-spread, spread).
        """
        super().__init__()
        self.options = dict(options)
        names = {kind: str(number) for number, kind in enumerate(self.options)}  # module names may hold no dots
        self.names = names
        self.lstm = nn.LSTM(hidden, hidden, layers, batch_first=True)
        self.heads = nn.ModuleDict({names[kind]: nn.Linear(hidden, count) for kind, count in options.items()})
        self.tables = nn.ModuleDict({names[kind]: nn.Embedding(count, hidden) for kind, count in options.items()})
        self.first_input = nn.Parameter(torch.empty(hidden))
        self.no_source = nn.Parameter(torch.empty(hidden))
        self.anchor_input = nn.Linear(hidden, hidden, bias=False)
        self.previous = nn.Linear(hidden, hidden, bias=False)
        self.current = nn.Linear(hidden, hidden, bias=False)
        self.attention = nn.Parameter(torch.empty(hidden))
        draws = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-spread, spread, generator=draws)

    def step(self, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
        """One step of the LSTM: [B, H] inputs -> [B, H] hidden state of the top layer, and the state of every layer.

        The same numbers as ``self.lstm`` gives, up to rounding, at a fifth of its cost for a single step.
        """
        after: list[tuple[Tensor, Tensor]] = []
        signal = inputs
        for layer in range(self.lstm.num_layers):
            before = state[layer] if state is not None else (torch.zeros_like(inputs), torch.zeros_like(inputs))
            weights = [getattr(self.lstm, f"{name}_l{layer}") for name in CELL]
            hidden, cell = torch.lstm_cell(signal, before, *weights)
            after.append((hidden, cell))
            signal = hidden
        return signal, after

    def logits(self, kind: str, hidden: Tensor) -> Tensor:
        """[..., H] -> [..., options of ``kind``]."""
        head: Tensor = self.heads[self.names[kind]](hidden)
        return head

    def embed(self, kind: str, tokens: Tensor) -> Tensor:
        """[...] tokens -> [..., H] inputs of the next step."""
        embedded: Tensor = self.tables[self.names[kind]](tokens)
        return embedded

    def skip_logits(self, sources: Tensor, target: Tensor) -> Tensor:
        """[..., H] anchors of sources and target -> [...] logits of v' tanh(Wprev h_j + Wcurr h_i)."""
        mixed = torch.tanh(self.previous(sources) + self.current(target))
        return mixed @ self.attention

    def after_anchor(self, sources: Tensor, chosen: Tensor) -> Tensor:
        """[B, S, H] anchors and [B, S] zeros and ones -> [B, H] input of the next step."""
        count = chosen.sum(dim=1, keepdim=True)
        mean = (chosen.unsqueeze(2) * self.anchor_input(sources)).sum(dim=1) / count.clamp(min=1)
        return torch.where(count > 0, mean, self.no_source)

    def evaluate(self, scripts: Sequence[Script]) -> tuple[Tensor, Tensor]:
        """Log-probabilities [B] and entropies [B] (nats, added up over decisions) of children of equal steps."""
        log_probability = torch.zeros(len(scripts))
        entropy = torch.zeros(len(scripts))
        for chosen, spread in self._parts(scripts):
            log_probability, entropy = log_probability + chosen.sum(dim=1), entropy + spread.sum(dim=1)
        return log_probability, entropy

    def evaluate_decisions(self, scripts: Sequence[Script]) -> tuple[Tensor, Tensor]:
        """The same for each decision, [B, D] both; decisions are in an order that depends on the steps alone.

        A decision that has no choice left has probability 1.
        """
        parts = self._parts(scripts)
        if not parts:
            return torch.zeros(len(scripts), 0), torch.zeros(len(scripts), 0)
        return torch.cat([chosen for chosen, _ in parts], dim=1), torch.cat([spread for _, spread in parts], dim=1)

    def _parts(self, scripts: Sequence[Script]) -> list[tuple[Tensor, Tensor]]:
        """Log-probabilities and entropies of decisions, kind by kind, skips last."""
        if not scripts[0].steps:
            return []
        layout = _layout(scripts[0].steps)
        hidden = self._hidden(layout, scripts)
        parts = [
            self._plain(kind, hidden[:, positions], scripts, positions) for kind, positions in layout.positions.items()
        ]
        if layout.pair_targets:
            parts.append(self._skips(layout, hidden, scripts))
        return parts

    def _hidden(self, layout: "_Layout", scripts: Sequence[Script]) -> Tensor:
        """Hidden states [B, T, H] under the tokens of ``scripts``: one call of the LSTM from anchor to anchor."""
        inputs = self._inputs(layout, scripts)
        state: tuple[Tensor, Tensor] | None = None
        pieces: list[Tensor] = []
        after: Tensor | None = None
        for start, end in layout.segments:
            piece = inputs[:, start:end]
            if after is not None:
                piece = torch.cat([after.unsqueeze(1), piece[:, 1:]], dim=1)
            out, state = self.lstm(piece, state)
            pieces.append(out)
            if end < len(layout.steps):
                seen = torch.cat(pieces, dim=1)
                chosen = torch.tensor([script.tokens[end - 1] for script in scripts], dtype=torch.float32)
                after = self.after_anchor(seen[:, layout.anchors[end - 1]], chosen)
        return torch.cat(pieces, dim=1)

    def _inputs(self, layout: "_Layout", scripts: Sequence[Script]) -> Tensor:
        """Inputs [B, T, H]; those that follow an anchor are left zero, for they need hidden states."""
        batch = len(scripts)
        parts = [self.first_input.expand(batch, 1, -1)]
        for kind, positions in layout.positions.items():
            tokens = torch.tensor([[script.tokens[position][0] for position in positions] for script in scripts])
            parts.append(self.embed(kind, tokens))
        parts.append(torch.zeros(batch, 1, self.first_input.shape[0]))
        return torch.cat(parts, dim=1)[:, layout.order]

    def _plain(
        self, kind: str, hidden: Tensor, scripts: Sequence[Script], positions: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        logits = self.logits(kind, hidden)
        tokens = torch.tensor([[script.tokens[position][0] for position in positions] for script in scripts])
        banned = self._banned(kind, scripts, positions)
        log_probabilities = torch.log_softmax(logits.masked_fill(banned, -torch.inf), dim=-1)
        chosen = log_probabilities.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
        # A banned option has probability 0; its log-probability is put to 0, for 0 * -inf is no number.
        finite = log_probabilities.masked_fill(banned, 0.0)
        spread = -(log_probabilities.exp() * finite).sum(dim=-1)
        return chosen, spread

    def _banned(self, kind: str, scripts: Sequence[Script], positions: Sequence[int]) -> Tensor:
        options = self.options[kind]
        legal = [[script.legal[position][0] for position in positions] for script in scripts]
        if all(len(tokens) == options for row in legal for tokens in row):
            return torch.zeros(len(scripts), len(positions), options, dtype=torch.bool)
        return torch.tensor([[_outside(tokens, options) for tokens in row] for row in legal])

    def _skips(self, layout: "_Layout", hidden: Tensor, scripts: Sequence[Script]) -> tuple[Tensor, Tensor]:
        logits = self.skip_logits(hidden[:, layout.pair_sources], hidden[:, layout.pair_targets])
        anchored = [position for position, step in enumerate(layout.steps) if step.kind == ANCHOR]
        read = [[token for position in anchored for token in script.tokens[position]] for script in scripts]
        free = [[len(legal) > 1 for position in anchored for legal in script.legal[position]] for script in scripts]
        weight = torch.tensor(free, dtype=torch.float32)
        signs = torch.tensor(read, dtype=torch.float32) * 2 - 1
        chosen = nn.functional.logsigmoid(signs * logits) * weight
        # Entropy of a coin with logit s: softplus(s) - s sigmoid(s).
        spread = (nn.functional.softplus(logits) - logits * torch.sigmoid(logits)) * weight
        return chosen, spread


@dataclass(frozen=True)
class _Layout:
    """Where things lie in children of equal steps; computed once for each depth."""

    steps: tuple[Step, ...]
    positions: dict[str, list[int]]
    """Kind of plain decision -> its steps."""
    order: list[int]
    """For each step, the row of its input in: first input, embeddings by kind, zero."""
    segments: list[tuple[int, int]]
    """Ranges of steps that one call of the LSTM covers: each ends with an anchor step, or with the child."""
    anchors: dict[int, list[int]]
    """Anchor step -> the steps whose hidden states are the anchors of its sources."""
    pair_sources: list[int]
    pair_targets: list[int]
    """For every skip decision in order, the steps of its two anchors."""


def stands_in(steps: Sequence[Step]) -> int:
    """The step whose hidden state is the anchor of a layer without anchor step (see :class:`PolicyNetwork`)."""
    for position, step in enumerate(steps):
        if step.kind == ANCHOR or (position > 0 and step.kind == steps[0].kind):
            return position
    return 0


@lru_cache(maxsize=4096)
def _outside(legal: tuple[int, ...], options: int) -> tuple[bool, ...]:
    """Of each option, whether it is illegal."""
    return tuple(token not in legal for token in range(options))


@lru_cache(maxsize=256)
def _layout(steps: tuple[Step, ...]) -> _Layout:
    positions: dict[str, list[int]] = {}
    for position, step in enumerate(steps):
        if step.kind != ANCHOR:
            positions.setdefault(step.kind, []).append(position)
    rows = {position: row for row, position in enumerate((p for ps in positions.values() for p in ps), start=1)}
    zero = len(rows) + 1
    order = [0, *(rows.get(position, zero) for position in range(len(steps) - 1))]
    anchored = [position for position, step in enumerate(steps) if step.kind == ANCHOR]
    own = {steps[position].target: position for position in reversed(anchored)}
    anchors = {p: [own.get(source, stands_in(steps)) for source in steps[p].sources] for p in anchored}
    cuts = sorted({0, len(steps), *(position + 1 for position in anchored)})
    return _Layout(
        steps=steps,
        positions=positions,
        order=order,
        segments=list(pairwise(cuts)),
        anchors=anchors,
        pair_sources=[source for position in anchored for source in anchors[position]],
        pair_targets=[position for position in anchored for _ in anchors[position]],
    )

"""Large stages: candidates are bred and climb on the acquisition."""

import numpy as np
import torch
from torch import Tensor

from archsearch.controller.model.acquisition import Aim
from archsearch.controller.model.climb import Function, Slopes, Tokens, climb
from archsearch.controller.model.features import Layout, Stage
from archsearch.controller.model.paths import Path

_UNIFORM = 64
_MUTANTS = 128
_EDITS = 3
_CLIMBERS = 4
_STEPS = 48


def drawn(stage: Stage, number: int, stream: np.random.Generator) -> Tokens:
    """[number, decisions] uniform children."""
    columns = [np.array(tokens)[stream.integers(len(tokens), size=number)] for tokens in stage.legal]
    return np.array(columns, dtype=np.int64).reshape(len(stage.decisions), number).T.copy()


def mutants(stage: Stage, parents: Tokens, number: int, stream: np.random.Generator) -> Tokens:
    """[number, decisions] children one to three edits away from parents, of which each is as likely."""
    children = parents[stream.integers(len(parents), size=number)].copy()
    free = np.array([place for place, tokens in enumerate(stage.legal) if len(tokens) > 1], dtype=np.int64)
    if not len(free):
        return children
    counts = np.array([len(tokens) for tokens in stage.legal], dtype=np.int64)
    table = np.zeros((len(counts), int(counts.max())), dtype=np.int64)
    for place, tokens in enumerate(stage.legal):
        table[place, : len(tokens)] = tokens
    edits = stream.integers(1, _EDITS + 1, size=number)
    for edit in range(_EDITS):
        places = free[stream.integers(len(free), size=number)]
        dice = stream.random(number)
        rows = np.flatnonzero(edits > edit)
        at = places[rows]
        own = (table[at] == children[rows, at][:, None]).argmax(axis=1)
        step = 1 + (dice[rows] * (counts[at] - 1)).astype(np.int64)
        children[rows, at] = table[at, (own + step) % counts[at]]
    return children


def neighbours(stage: Stage, child: np.ndarray) -> Tokens:
    """[n, decisions] every child one edit away."""
    edits = [(place, token) for place, tokens in enumerate(stage.legal) for token in tokens if token != child[place]]
    children = np.tile(child, (len(edits), 1))
    for row, (place, token) in enumerate(edits):
        children[row, place] = token
    return children


def candidates(layout: Layout, stage: Stage, aim: Aim, elites: Tokens) -> tuple[Tokens, Tensor]:
    """Children and how promising each is: elites, their mutants and uniform ones; from the best of them, what climbing
    reaches, and the neighbours of the highest.

    What is climbed is the draw of Thompson sampling, or the mean where children are chosen by expected improvement.
    """
    function = Function(aim.posterior, aim.posterior.weights)
    if aim.thompson:
        points = aim.posterior.points
        path = Path.draw(aim.posterior.hyper, layout, points.counts.shape[1], aim.stream)
        function = Function(aim.posterior, aim.update_of(path(points)), path)

    def value(tokens: Tokens) -> Tensor:
        points = layout.encode_tokens(tokens, stage)
        return function(points) if aim.thompson else aim.improvement(aim.posterior.covariance(points))

    pool = [drawn(stage, _UNIFORM, aim.stream)]
    if len(elites):
        pool += [elites, mutants(stage, elites, _MUTANTS, aim.stream)]
    tokens = np.unique(np.concatenate(pool), axis=0)
    values = value(tokens)
    starts = tokens[torch.topk(values, min(_CLIMBERS, len(values))).indices.numpy()]
    reached = climb(Slopes(layout, stage, function), starts, _STEPS)
    heights = value(reached)
    around = neighbours(stage, reached[int(heights.argmax())])
    return np.concatenate([tokens, reached, around]), torch.cat([values, heights, value(around)])

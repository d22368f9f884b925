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
_DENSE = 1 << 21
"""Numbers in the features of all neighbours of a child (16 MiB), beyond which a stage is wide: fewer climb, and only
the highest neighbours are looked at."""
_FEW = 2
"""Climbers of a wide stage."""
_SHORT = 24
"""Steps of each of them."""
_HIGHEST = 256
"""Neighbours that are looked at in a wide stage."""


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


def highest(slopes: Slopes, stage: Stage, child: np.ndarray) -> Tokens:
    """[_HIGHEST, decisions] of the children one edit away, those at which the function of ``slopes`` is highest."""
    values = slopes.around(child[None, :])[0].numpy()
    others = slopes.tokens != child[:, None]
    for place, tokens in enumerate(stage.legal):
        others[place, len(tokens) :] = False
    values[~others] = -np.inf
    best = np.argsort(-values, axis=None, kind="stable")[: min(_HIGHEST, int(others.sum()))]
    places, options = np.divmod(best, values.shape[1])
    children = np.tile(child, (len(best), 1))
    children[np.arange(len(best)), places] = slopes.tokens[places, options]
    return children


def candidates(layout: Layout, stage: Stage, aim: Aim, elites: Tokens) -> tuple[Tokens, Tensor]:
    """Children and how promising each is: elites, their mutants and uniform ones; from the best of them, what climbing
    reaches, and the neighbours of the highest.

    What is climbed is the draw of Thompson sampling, or the mean where children are chosen by expected improvement.
    """
    wide = sum(len(legal) - 1 for legal in stage.legal) * layout.columns > _DENSE
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
    starts = tokens[torch.topk(values, min(_FEW if wide else _CLIMBERS, len(values))).indices.numpy()]
    slopes = Slopes(layout, stage, function, precise=not wide)
    reached = climb(slopes, starts, _SHORT if wide else _STEPS)
    heights = value(reached)
    top = reached[int(heights.argmax())]
    around = highest(slopes, stage, top) if wide else neighbours(stage, top)
    return np.concatenate([tokens, reached, around]), torch.cat([values, heights, value(around)])

"""Search spaces: tokens to architecture and back, validity, size, and the graph that pictures are drawn from."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from archsearch.api.space import SearchSpace
from archsearch.space.base import (
    Anchor,
    Architecture,
    Decision,
    Draw,
    Edge,
    Genotype,
    GenotypeError,
    Graph,
    Node,
    Space,
    walk,
)
from archsearch.space.cell import Cells
from archsearch.space.cell_picture import cell_graphs
from archsearch.space.choices import Choices
from archsearch.space.convolutional import Convolutional
from archsearch.space.human import human_baseline
from archsearch.space.published import PUBLISHED
from archsearch.space.recurrent_cell import RecurrentCells
from archsearch.space.sizes import FeatureSize, concatenated, feature_sizes

__all__ = [
    "PUBLISHED",
    "SPACES",
    "Anchor",
    "Architecture",
    "Cells",
    "Choices",
    "Convolutional",
    "Decision",
    "Draw",
    "Edge",
    "FeatureSize",
    "Genotype",
    "GenotypeError",
    "Graph",
    "Node",
    "RecurrentCells",
    "Space",
    "build",
    "cell_graphs",
    "concatenated",
    "feature_sizes",
    "human_baseline",
    "walk",
]

SPACES: Mapping[str, Callable[[Any], Space]] = MappingProxyType(
    {
        "convolutional": Convolutional,
        "recurrentCell": RecurrentCells,
        "cell": Cells,
        "choices": Choices,
    }
)
"""How each field of ``spec.searchSpace`` becomes a space: a further space is one file and one line here."""


def build(search_space: SearchSpace) -> Space:
    """The search space that a manifest describes."""
    return SPACES[search_space.kind](search_space.chosen)

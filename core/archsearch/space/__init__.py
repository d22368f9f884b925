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
from archsearch.space.choices import Choices
from archsearch.space.convolutional import Convolutional
from archsearch.space.human import human_baseline
from archsearch.space.network import FeatureSize, feature_sizes

__all__ = [
    "SPACES",
    "Anchor",
    "Architecture",
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
    "Space",
    "build",
    "feature_sizes",
    "human_baseline",
    "walk",
]

SPACES: Mapping[str, Callable[[Any], Space]] = MappingProxyType(
    {
        "convolutional": Convolutional,
        "choices": Choices,
    }
)
"""How each field of ``spec.searchSpace`` becomes a space, from that field's value: a new space is one file and a line."""


def build(search_space: SearchSpace) -> Space:
    """The search space that a manifest describes."""
    return SPACES[search_space.kind](search_space.chosen)

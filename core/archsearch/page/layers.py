"""Pictures of stacked layers: boxes in order, skips as arcs; and of ``choices``: a list of values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyBboxPatch
from matplotlib.path import Path

from archsearch.page.style import BLUE, CYCLE, GRID, INK, MUTED, short
from archsearch.space.base import Edge, Graph, Node

# Everything below is in points: a network is drawn at one scale, however many layers it has.
WIDTH = 258.0
_PITCH, _BOX = 25.0, 16.0
_NARROW, _WIDE = 138.0, 160.0
_CHOICE_PITCH, _CHOICES = 15.0, 48
_ARROW = {"arrowstyle": "-|>", "color": MUTED, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 6}


def is_table(graph: Graph) -> bool:
    """Whether a graph is a list of choices, drawn as a card."""
    return all(node.kind == "choice" for node in graph.nodes)


@dataclass(frozen=True)
class TablePicture:
    """What a child chose, a line each."""

    nodes: tuple[Node, ...]
    width: float = WIDTH

    @property
    def height(self) -> float:
        """In points."""
        lines = min(len(self.nodes), _CHOICES) + (len(self.nodes) > _CHOICES)
        return lines * _CHOICE_PITCH + 10

    def draw(self, axes: Axes) -> None:
        """Draw it into axes of its size."""
        _draw_table(axes, self.nodes)


@dataclass(frozen=True)
class LayersPicture:
    """Layers as boxes in order; ``most_filters`` is the count that is drawn full."""

    graph: Graph
    most_filters: int
    width: float = WIDTH

    @property
    def height(self) -> float:
        """In points."""
        return len(self.graph.nodes) * _PITCH + 4

    def draw(self, axes: Axes) -> None:
        """Draw it into axes of its size."""
        _draw_network(axes, self.graph, self.most_filters)


def _draw_table(axes: Axes, nodes: Sequence[Node]) -> None:
    for place, node in enumerate(nodes[:_CHOICES]):
        y = 5 + (place + 0.5) * _CHOICE_PITCH
        axes.text(12, y, short(node.detail.get("name", node.id), 24), va="center", fontsize=8, color=MUTED)
        value = short(node.detail.get("value", node.label), 24)
        axes.text(WIDTH - 12, y, value, va="center", ha="right", fontsize=8, fontweight="bold")
        axes.plot([12, WIDTH - 12], [y + _CHOICE_PITCH / 2] * 2, color=GRID, linewidth=0.6)
    if len(nodes) > _CHOICES:
        y = 5 + (_CHOICES + 0.5) * _CHOICE_PITCH
        axes.text(12, y, f"and {len(nodes) - _CHOICES} more", va="center", fontsize=8, color=MUTED)


@dataclass(frozen=True)
class _Box:
    place: int
    y: float
    half: float


def _draw_network(axes: Axes, graph: Graph, most_filters: int) -> None:
    boxes: dict[str, _Box] = {}
    for place, node in enumerate(graph.nodes):
        share = min(1.0, int(node.detail.get("filters", 0)) / most_filters)
        width = _NARROW + (_WIDE - _NARROW) * share if node.kind == "layer" else _NARROW * 0.55
        boxes[node.id] = _Box(place, (place + 0.5) * _PITCH + 2, width / 2)
    _draw_steps(axes, [edge for edge in graph.edges if not edge.skip], boxes)
    _draw_skips(axes, [edge for edge in graph.edges if edge.skip], boxes)
    for node in graph.nodes:
        _draw_box(axes, node, boxes[node.id], most_filters)


def _draw_steps(axes: Axes, edges: Sequence[Edge], boxes: dict[str, _Box]) -> None:
    for edge in edges:
        axes.annotate(
            "", (WIDTH / 2, boxes[edge.target].y - _BOX / 2), (WIDTH / 2, boxes[edge.source].y + _BOX / 2),
            arrowprops=_ARROW,
        )  # fmt: skip


def _draw_skips(axes: Axes, edges: Sequence[Edge], boxes: dict[str, _Box]) -> None:
    longest = max((_span(edge, boxes) for edge in edges), default=1)
    # Even sources on one side, odd ones on the other, a colour for each: half the crossings, and arcs can be followed.
    for side, marker in ((1, "<"), (-1, ">")):
        mine = [edge for edge in edges if (boxes[edge.source].place % 2 == 1) == (side == 1)]
        if not mine:
            continue
        colours = [CYCLE[boxes[edge.source].place % len(CYCLE)] for edge in mine]
        arcs = [_arc(edge, boxes, longest, side) for edge in mine]
        width = 0.8 if len(edges) > 40 else 1.1
        axes.add_collection(
            PathCollection(arcs, facecolors="none", edgecolors=colours, linewidths=width, alpha=0.85), autolim=False
        )
        for end, shape, size in ((0, "o", 5), (-1, marker, 10)):
            xs, ys = zip(*(np.asarray(arc.vertices)[end] for arc in arcs), strict=True)
            axes.scatter(xs, ys, s=size, c=colours, marker=shape, linewidths=0)


def _span(edge: Edge, boxes: dict[str, _Box]) -> int:
    return boxes[edge.target].place - boxes[edge.source].place


def _arc(edge: Edge, boxes: dict[str, _Box], longest: int, side: int) -> Path:
    source, target = boxes[edge.source], boxes[edge.target]
    reach = (WIDTH / 2 - _WIDE / 2 - 4) * math.pow((_span(edge, boxes) - 1) / max(1, longest - 1), 0.75)
    start = (WIDTH / 2 + side * source.half, source.y + 4)
    end = (WIDTH / 2 + side * (target.half + 2), target.y - 3)
    out = WIDTH / 2 + side * (_WIDE / 2 + max(reach, 11) * 1.3)
    return Path([start, (out, start[1]), (out, end[1]), end], [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])


def _draw_box(axes: Axes, node: Node, box: _Box, most_filters: int) -> None:
    filters = int(node.detail.get("filters", 0))
    layer = node.kind == "layer"
    shade = 0.08 + 0.42 * min(1.0, filters / most_filters) if layer else 0.0
    rounding = 2.5 if layer else _BOX / 2
    corner = (WIDTH / 2 - box.half + rounding, box.y - _BOX / 2 + rounding)
    size = (2 * (box.half - rounding), _BOX - 2 * rounding)
    fill, line = ((*to_rgb(BLUE), shade), BLUE) if layer else ("none", MUTED)
    shape = f"round,pad={rounding}"
    axes.add_patch(FancyBboxPatch(corner, *size, boxstyle=shape, facecolor=fill, edgecolor=line, linewidth=0.9))
    axes.text(WIDTH / 2 + 4 * layer, box.y, _label(node), ha="center", va="center_baseline", fontsize=7.2, color=INK)
    if layer:
        left = WIDTH / 2 - box.half + 4
        axes.text(left, box.y, str(box.place), va="center_baseline", fontsize=6.2, color=INK)


def _label(node: Node) -> str:
    detail = node.detail
    if not {"filterHeight", "filterWidth", "filters"} <= detail.keys():
        return short(node.label, 30)
    height, width = detail.get("strideHeight", 1), detail.get("strideWidth", 1)
    stride = "" if height == width == 1 else f", stride {height}" + (f" x {width}" if height != width else "")
    return f"{detail['filterHeight']} x {detail['filterWidth']}, {detail['filters']} filters{stride}"

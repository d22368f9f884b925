"""Pictures of cells as the papers draw them (1707.07012, figure 4): states below, blocks over them, the output on top.

A block is two operations side by side and their combination above them. Each state has a colour: that of its box and
of every wire that leaves it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from archsearch.page.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, RED, SKY, short
from archsearch.page.wiring import Point, Row, draw_box, draw_wire, wire
from archsearch.space.base import Graph, Node

_OPERATION = (31.0, 23.0)
_COMBINATION = (44.0, 14.0)
_STATE = (40.0, 15.0)
_PAIR = 4.0
"""Between the operations of a block."""
_RISE = 11.0
"""From the operations of a block to their combination."""
_CHANNEL = 30.0
"""From row to row: room for wires."""
_UNIT = 2 * _OPERATION[0] + _PAIR
_TALL = _OPERATION[1] + _RISE + _COMBINATION[1]
_GAP, _EDGE = 11.0, 8.0
_MOST, _LEAST = 5, 3
"""Blocks side by side: further ones stand a row higher; fewer leave the picture no narrower."""
_TITLE = 16.0
_BETWEEN = 16.0
_COLOURS = (ORANGE, GREEN, PURPLE, SKY, RED, BLUE, INK)
_LINES = {"identity": "iden-\ntity", "none": "iden-\ntity"}
_SHORT = {"separable": "sep", "dilated": "dil", "conv": "conv", "avg_pool": "avg", "max_pool": "max"}


@dataclass(frozen=True)
class _Block:
    state: Node
    operations: tuple[Node, Node]
    sources: tuple[str, str]
    """Ids of the states that the operations read."""


class CellsPicture:
    """The cells of a network side by side; sizes in points."""

    def __init__(self, graph: Graph) -> None:
        names = dict.fromkeys(str(node.detail["cell"]) for node in graph.nodes)
        self._cells = [CellPicture(_part(graph, name), f"{name} cell") for name in names]
        self.width = sum(cell.width for cell in self._cells) + _BETWEEN * (len(self._cells) - 1)
        self.height = max(cell.height for cell in self._cells)

    def draw(self, axes: Axes) -> None:
        """Draw them into axes of their size."""
        left = 0.0
        for cell in self._cells:
            cell.draw(axes, left, self.height)
            left += cell.width + _BETWEEN


def _part(graph: Graph, cell: str) -> Graph:
    nodes = tuple(node for node in graph.nodes if node.detail["cell"] == cell)
    names = {node.id for node in nodes}
    return Graph(nodes, tuple(edge for edge in graph.edges if edge.source in names))


class CellPicture:
    """One cell: its size in points, and how it is drawn."""

    def __init__(self, graph: Graph, title: str) -> None:
        self.title = title
        self._reads: dict[str, list[str]] = {}
        for edge in graph.edges:
            self._reads.setdefault(edge.target, []).append(edge.source)
        self._inputs = [node for node in graph.nodes if node.kind == "input"]
        self._concat = next((node for node in graph.nodes if node.kind == "concat"), None)
        self._output = next(node for node in graph.nodes if node.kind == "output")
        nodes = {node.id: node for node in graph.nodes}
        self._blocks = [self._block(node, nodes) for node in graph.nodes if node.kind == "combination"]
        self._rows = self._in_rows()
        most = max(_LEAST, *(len(row) for row in self._rows))
        self.width = most * (_UNIT + _GAP) - _GAP + 2 * _EDGE
        top = 2 * _STATE[1] + (_CHANNEL if self._concat else 8)
        self.height = _TITLE + top + len(self._rows) * (_TALL + _CHANNEL) + _STATE[1] + 8

    def _block(self, state: Node, nodes: dict[str, Node]) -> _Block:
        one, two = (nodes[name] for name in self._reads[state.id])
        return _Block(state, (one, two), (self._reads[one.id][0], self._reads[two.id][0]))

    def _in_rows(self) -> list[list[_Block]]:
        """Each block above what it reads, as low as there is room."""
        level = {node.id: 0 for node in self._inputs}
        rows: list[list[_Block]] = []
        for block in self._blocks:
            row = max(level[source] for source in block.sources)
            while row < len(rows) and len(rows[row]) >= _MOST:
                row += 1
            rows += [[] for _ in range(row + 1 - len(rows))]
            rows[row].append(block)
            level[block.state.id] = row + 1
        return rows

    def draw(self, axes: Axes, left: float, base: float) -> None:
        """Draw the cell with its left edge at ``left`` and its lower edge at ``base``."""
        _Drawing(self, axes, left, base).draw()


class _Drawing:
    """One cell being drawn: where its boxes are."""

    def __init__(self, cell: CellPicture, axes: Axes, left: float, base: float) -> None:
        self.cell, self.axes, self.left, self.base = cell, axes, left, base
        self.outlets: dict[str, Point] = {}
        """Where the wires of a state begin, x within the cell."""
        self.level: dict[str, int] = {}
        self.rows: list[Row] = []

    def draw(self) -> None:
        cell = self.cell
        self.axes.text(
            self.left + cell.width / 2, self.base - _TITLE / 2 + 1, cell.title, ha="center",
            va="center_baseline", fontsize=8, fontweight="bold", color=INK,
        )  # fmt: skip
        self.base -= _TITLE
        self._inputs()
        for number, blocks in enumerate(cell._rows):
            self._row(number, blocks)
        self._top()

    def _colour(self, state: str) -> str:
        place = [*(node.id for node in self.cell._inputs), *(block.state.id for block in self.cell._blocks)]
        return _COLOURS[place.index(state) % len(_COLOURS)]

    def _box(self, centre: Point, size: Point, text: str, colour: str, shade: float, round_: float = 2.5) -> None:
        draw_box(self.axes, (self.left + centre[0], centre[1]), size, text, colour=colour, shade=shade, round_=round_)

    def _inputs(self) -> None:
        y = self.base - 4 - _STATE[1] / 2
        count = len(self.cell._inputs)
        # The papers have the older state, h[i-1], on the left.
        for place, node in enumerate(reversed(self.cell._inputs)):
            x = self.cell.width * (place + 1) / (count + 1)
            self._box((x, y), _STATE, node.label, self._colour(node.id), 0.0, _STATE[1] / 2)
            self.outlets[node.id], self.level[node.id] = (x, y - _STATE[1] / 2), -1

    def _row(self, number: int, blocks: Sequence[_Block]) -> None:
        bottom = self.base - 4 - _STATE[1] - _CHANNEL - number * (_TALL + _CHANNEL)
        ordered = sorted(blocks, key=lambda block: sum(self.outlets[source][0] for source in block.sources))
        gap = (self.cell.width - len(blocks) * _UNIT) / (len(blocks) + 1)
        if gap < _GAP:
            gap = (self.cell.width - 2 * _EDGE - len(blocks) * _UNIT) / max(1, len(blocks) - 1)
        start = (self.cell.width - len(blocks) * _UNIT - (len(blocks) - 1) * gap) / 2
        lefts = [start + place * (_UNIT + gap) for place in range(len(blocks))]
        row = Row(bottom - _TALL, bottom, [(left, left + _UNIT) for left in lefts])
        self.rows.append(row)
        for block, left in zip(ordered, lefts, strict=True):
            self._block(block, left, number, row)

    def _block(self, block: _Block, left: float, number: int, row: Row) -> None:
        pairs = sorted(zip(block.sources, block.operations, strict=True), key=lambda pair: self.outlets[pair[0]][0])
        middle, made = left + _UNIT / 2, self._colour(block.state.id)
        y, joined = row.bottom - _OPERATION[1] / 2, row.top + _COMBINATION[1] / 2
        for place, (source, operation) in enumerate(pairs):
            x = left + _OPERATION[0] / 2 + place * (_OPERATION[0] + _PAIR)
            between = self.rows[self.level[source] + 1 : number]
            self._wire(source, (x, row.bottom), between)
            self._line((x, y), (middle + (x - middle) * 0.45, joined), MUTED)
            self._box((x, y), _OPERATION, _operation(operation.label), BLUE, 0.09)
        self._box((middle, joined), _COMBINATION, block.state.label, made, 0.12, _COMBINATION[1] / 2)
        self.outlets[block.state.id], self.level[block.state.id] = (middle, row.top), number

    def _top(self) -> None:
        cell = self.cell
        middle = cell.width / 2
        y = self.base - cell.height + _TITLE + _STATE[1] / 2 + 2
        last = cell._concat or cell._output
        states = cell._reads[last.id]
        if cell._concat is None:
            self._wire(states[0], (middle, y + _STATE[1] / 2), self.rows[self.level[states[0]] + 1 :])
        else:
            lower = y + _STATE[1] + 8
            self._wires_to_bar(states, lower + _COMBINATION[1] / 2)
            self._line((middle, lower), (middle, y), MUTED)
            self._box((middle, lower), (cell.width - 2 * _EDGE, _COMBINATION[1]), "concat", MUTED, 0.14)
        self._box((middle, y), _STATE, cell._output.label, MUTED, 0.0, _STATE[1] / 2)

    def _wires_to_bar(self, states: Sequence[str], y: float) -> None:
        for state in sorted(states, key=lambda state: -self.level[state]):
            x = min(max(self.outlets[state][0], 2 * _EDGE), self.cell.width - 2 * _EDGE)
            self._wire(state, (x, y), self.rows[self.level[state] + 1 :], upright=True)

    def _wire(self, state: str, end: Point, between: Sequence[Row], upright: bool = False) -> None:
        way = wire(self.outlets[state], end, between, self.cell.width, upright=upright)
        draw_wire(self.axes, way, self._colour(state), self.left)

    def _line(self, one: Point, other: Point, colour: str) -> None:
        xs, ys = zip(one, other, strict=True)
        self.axes.plot([x + self.left for x in xs], ys, color=colour, linewidth=1.0, zorder=1)


def _operation(name: str) -> str:
    """An operation in two short lines, as the papers have it: separable_5x5 is ``sep`` over ``5x5``."""
    if name in _LINES:
        return _LINES[name]
    head, _, size = name.partition("_") if not name.startswith(("avg_pool", "max_pool")) else name.rpartition("_")
    one, _, two = size.partition("_")
    if two:  # conv_1x7_7x1
        return f"{one}\n{two}"
    return f"{_SHORT.get(head, short(head, 6))}\n{short(size, 6)}" if size else short(head, 6)

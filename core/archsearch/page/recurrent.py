"""Pictures of recurrent cells (1611.01578, figure 8): leaves below, the root on top; and an LSTM in the same style.

A node is its combination and, above it, its activation. x[t] and h[t-1] reach every leaf from a line each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from archsearch.page.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, SKY, short
from archsearch.page.trees import Tree, Unit
from archsearch.page.wiring import Point, Row, draw_box, draw_wire, wire

_BOX = (39.0, 13.0)
_STEP = 6.0
"""From a combination to its activation."""
_PITCH, _CHANNEL = 47.0, 26.0
_TALL = 2 * _BOX[1] + _STEP
_PILL = (34.0, 14.0)
_MARGIN = 44.0
_LEAST = 8
_BUS = 13.0
"""From line to line of the inputs."""
_ASIDE = 50.0
"""From h[t] to c[t]."""
_FOOT = 3 * _BUS + 12
_HEAD = _PILL[1] + _CHANNEL
_NAMES = {"elem_mult": "mult"}


@dataclass(frozen=True)
class TreePicture:
    """A recurrent cell; sizes in points."""

    tree: Tree

    @property
    def width(self) -> float:
        """Its width, no less than that of eight leaves: small cells are drawn at the scale of large ones."""
        return max(self.own, _MARGIN + _PITCH * _LEAST + 8)

    @property
    def own(self) -> float:
        """What it needs of its width."""
        return _MARGIN + _PITCH * (1 + max(unit.column for unit in self.tree.units.values())) + 8

    @property
    def height(self) -> float:
        """Its height."""
        return _FOOT + self.tree.rows * (_TALL + _CHANNEL) + _HEAD + 6

    def draw(self, axes: Axes) -> None:
        """Draw it into axes of its size."""
        _Drawing(self, axes).draw()


class _Drawing:
    """One cell being drawn."""

    def __init__(self, picture: TreePicture, axes: Axes) -> None:
        self.tree, self.axes, self.width, self.base = picture.tree, axes, picture.width, picture.height
        self.left = (picture.width - picture.own) / 2
        self.rows = [self._row(number) for number in range(self.tree.rows)]

    def _row(self, number: int) -> Row:
        bottom = self.base - _FOOT - _CHANNEL - number * (_TALL + _CHANNEL)
        places = [self._x(name) for name, unit in self.tree.units.items() if unit.row == number]
        return Row(bottom - _TALL, bottom, [(x - _BOX[0] / 2, x + _BOX[0] / 2) for x in places])

    def _x(self, name: str) -> float:
        return self.left + _MARGIN + (self.tree.units[name].column + 0.5) * _PITCH

    def _combination(self, name: str) -> Point:
        """The middle of its box."""
        return self._x(name), self.rows[self.tree.units[name].row].bottom - _BOX[1] / 2

    def _outlet(self, name: str) -> Point:
        """Where the wire of its result begins."""
        row = self.rows[self.tree.units[name].row]
        lone = self.tree.units[name].activation is None
        return self._x(name), row.bottom - _BOX[1] if lone else row.top

    def draw(self) -> None:
        self._inputs()
        self._links()
        self._state_in()
        self._outputs()
        for name, unit in self.tree.units.items():
            self._unit(name, unit)

    def _unit(self, name: str, unit: Unit) -> None:
        x, y = self._combination(name)
        if unit.activation is not None:
            upper = y - _BOX[1] - _STEP
            self._line((x, y), (x, upper), MUTED)
            self._box((x, upper), _BOX, unit.activation, BLUE, 0.1, 2.5)
        self._box((x, y), _BOX, _NAMES.get(unit.combination, unit.combination), GREEN, 0.12, _BOX[1] / 2)

    def _inputs(self) -> None:
        low = self.base - 3 - _BUS / 2
        for place, (label, colour, shift) in enumerate((("x[t]", ORANGE, -7.0), ("h[t-1]", PURPLE, 7.0))):
            y = low - (2 - place) * _BUS
            self._line((self.left + _PILL[0], y), (self._x(self.tree.leaves[-1]) + shift, y), colour)
            for name in self.tree.leaves:
                x = self._x(name) + shift
                self._wire((x, y), (x, self.rows[0].bottom), (), colour)
                self.axes.scatter([x], [y], s=7, color=colour, linewidths=0, zorder=2)
            self._box((self.left + 4 + _PILL[0] / 2, y), (_PILL[0], _BUS - 2), label, colour, 0.0, (_BUS - 2) / 2)

    def _links(self) -> None:
        targets: dict[str, list[str]] = {}
        for source, target in self.tree.links:
            targets.setdefault(target, []).append(source)
        for target, sources in targets.items():
            sources.sort(key=self._x)
            x, _ = self._combination(target)
            row = self.tree.units[target].row
            reads_state = target in self.tree.old_state
            for place, shift in enumerate(_shifts(len(sources) + reads_state)[: len(sources)]):
                begin = self.tree.units[sources[place]].row
                end = (x + shift, self.rows[row].bottom)
                self._wire(self._outlet(sources[place]), end, self.rows[begin + 1 : row], MUTED)

    def _state_in(self) -> None:
        y = self.base - 3 - _BUS / 2
        for name in self.tree.old_state:
            x, row = self._x(name), self.tree.units[name].row
            shift = _shifts(1 + sum(target == name for _, target in self.tree.links))[-1]
            end = (x + shift, self.rows[row].bottom)
            _, *way = wire((x + _BOX[0] / 2, y), end, self.rows[:row], self.width)
            draw_wire(self.axes, [(way[0][0], y), *way], SKY)
            self._box((self.left + 4 + _PILL[0] / 2, y), (_PILL[0], _BUS - 2), "c[t-1]", SKY, 0.0, (_BUS - 2) / 2)
            self._line((self.left + _PILL[0], y), (way[0][0], y), SKY)

    def _outputs(self) -> None:
        y = self.rows[-1].top - _CHANNEL - _PILL[1] / 2
        x, top = self._outlet(self.tree.output)
        begin = self.tree.units[self.tree.output].row
        self._wire((x, top), (x, y + _PILL[1] / 2), self.rows[begin + 1 :], MUTED)
        self._box((x, y), _PILL, "h[t]", MUTED, 0.0, _PILL[1] / 2)
        self._state_out(x, y)

    def _state_out(self, x: float, y: float) -> None:
        """c[t] leaves the side of a combination, beside ``x``, the place of h[t]."""
        middle, level = self._combination(self.tree.new_state)
        number = self.tree.units[self.tree.new_state].row
        row = self.rows[number]
        sides = (1.0, -1.0) if middle >= x else (-1.0, 1.0)
        aside = (_PITCH - _BOX[0]) / 2
        # Where a wire passes on one side, the other is taken.
        side = next((s for s in sides if not _near(middle + s * (_BOX[0] / 2 + aside), row.led)), sides[0])
        start = middle + side * _BOX[0] / 2
        out = start + side * aside
        self._line((start, level), (out, level), INK)
        self._line((out, level), (out, row.top), INK)
        self.axes.scatter([start], [level], s=7, color=INK, linewidths=0, zorder=6)
        place = x + (_ASIDE if out >= x and x + _ASIDE + _PILL[0] / 2 < self.width else -_ASIDE)
        self._wire((out, row.top), (place, y + _PILL[1] / 2), self.rows[number + 1 :], INK)
        self._box((place, y), _PILL, "c[t]", INK, 0.0, _PILL[1] / 2)

    def _wire(self, start: Point, end: Point, between: Sequence[Row], colour: str) -> None:
        draw_wire(self.axes, wire(start, end, between, self.width), colour)

    def _line(self, one: Point, other: Point, colour: str) -> None:
        (x, y), (to, up) = one, other
        self.axes.plot([x, to], [y, up], color=colour, linewidth=1.05, zorder=1, alpha=0.9)

    def _box(self, centre: Point, size: Point, text: str, colour: str, shade: float, round_: float) -> None:
        draw_box(
            self.axes, (centre[0], centre[1]), size, short(text, 9), colour=colour, shade=shade,
            round_=round_, font=7.0,
        )  # fmt: skip


def _near(place: float, others: Sequence[float]) -> bool:
    return any(abs(place - other) < _PITCH - _BOX[0] for other in others)


def _shifts(count: int) -> list[float]:
    """Where wires that end at one box arrive, off its middle."""
    return [0.0] if count == 1 else [-9.0 + 18.0 * place / (count - 1) for place in range(count)]

"""Boxes and wires of diagrams: a wire leads upward from box to box, and around the boxes of the rows in between.

Places are in points, y grows downward. A diagram is rows of boxes from the bottom upward.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path

from archsearch.page.style import INK, MUTED, SURFACE

Point = tuple[float, float]
_CLEAR = 3.0
"""Least distance between a wire and the boxes that it passes, where there is room."""
_APART = 3.2
"""Distance between two wires that pass through one gap."""
_DETOUR = 60.0
"""How far a wire goes out of its way to have a place of its own."""


@dataclass
class Row:
    """Boxes at one height, and the wires that have been led between them so far."""

    top: float
    bottom: float
    spans: list[tuple[float, float]]
    """Left and right end of each box or group of boxes."""
    led: list[float] = field(default_factory=list)

    def passage(self, wanted: float, width: float) -> float:
        """Where a wire that would cross the row at ``wanted`` goes through: the nearest free place between boxes."""
        edges = [0.0, *(end for span in sorted(self.spans) for end in span), width]
        gaps = [(left, right) for left, right in zip(edges[::2], edges[1::2], strict=True) if right - left > 1]
        free = [place for gap in gaps for place in self._free(*gap, wanted)]
        # Where a gap is full, another is taken if it is not far; else wires share their place.
        shared = [(_nearest(*gap, wanted), _DETOUR) for gap in gaps]
        places = [*((place, 0.0) for place in free), *shared]
        place, _ = min(places, key=lambda found: abs(found[0] - wanted) + found[1], default=(wanted, 0.0))
        self.led.append(place)
        return place

    def _free(self, left: float, right: float, wanted: float) -> list[float]:
        clear = min(_CLEAR, (right - left) / 2)
        candidates = [_nearest(left, right, wanted) + step * _APART for step in (0, 1, -1, 2, -2, 3, -3, 4, -4)]
        inside = [place for place in candidates if left + clear <= place <= right - clear]
        return [place for place in inside if all(abs(place - other) > 0.7 * _APART for other in self.led)]


def _nearest(left: float, right: float, wanted: float) -> float:
    clear = min(_CLEAR, (right - left) / 2)
    return min(max(wanted, left + clear), right - clear)


def wire(start: Point, end: Point, between: Sequence[Row], width: float, *, upright: bool = False) -> tuple[Point, ...]:
    """The way from ``start`` up to ``end``, around the boxes of the rows between them (from the bottom upward).

    ``upright``: it ends above where it came through the last row, at the height of ``end``.

    Returns:
        Start, then for each row where the wire enters and leaves it, then the end.
    """
    points = [start]
    x, y = start
    for row in between:
        share = (y - row.bottom) / max(1.0, y - end[1])
        x, y = row.passage(x + (end[0] - x) * share, width), row.top
        points += [(x, row.bottom), (x, row.top)]
    return (*points, (x, end[1]) if upright and between else end)


def draw_wire(axes: Axes, points: Sequence[Point], colour: str, left: float = 0.0) -> None:
    """Draw what :func:`wire` gave, ``left`` farther to the right: an arrow at its end."""
    placed = [(x + left, y) for x, y in points]
    vertices, codes = [placed[0]], [int(Path.MOVETO)]
    for number, (to, up) in enumerate(placed[1:]):
        x, y = vertices[-1]
        if number % 2:
            vertices.append((to, up))
            codes.append(int(Path.LINETO))
        else:
            lift = 0.55 * (y - up)
            vertices += [(x, y - lift), (to, up + lift), (to, up)]
            codes += [int(Path.CURVE4)] * 3
    path = Path(vertices, codes)
    axes.add_patch(PathPatch(path, facecolor="none", edgecolor=colour, linewidth=1.05, alpha=0.9, zorder=1))
    x, y = placed[-1]
    axes.scatter([x], [y + 1.2], marker="^", s=9, color=colour, linewidths=0, zorder=4)


def draw_box(
    axes: Axes, centre: Point, size: Point, text: str, *, colour: str = MUTED, shade: float = 0.0, round_: float = 2.5,
    font: float = 7.2,
) -> None:  # fmt: skip
    """A box with a text of one or two lines in it; nothing behind it shines through."""
    (x, y), (width, height) = centre, size
    corner = (x - width / 2 + round_, y - height / 2 + round_)
    inner = (width - 2 * round_, height - 2 * round_)
    style = f"round,pad={round_}"
    axes.add_patch(FancyBboxPatch(corner, *inner, boxstyle=style, facecolor=SURFACE, edgecolor="none", zorder=2))
    fill = (*to_rgb(colour), shade)
    axes.add_patch(
        FancyBboxPatch(corner, *inner, boxstyle=style, facecolor=fill, edgecolor=colour, linewidth=0.9, zorder=3)
    )
    lines = text.split("\n")
    for place, line in enumerate(lines):
        middle = y + (place - (len(lines) - 1) / 2) * (font + 1.3)
        axes.text(x, middle, line, ha="center", va="center_baseline", fontsize=font, color=INK, zorder=5)

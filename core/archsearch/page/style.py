"""How every picture looks, and how a figure becomes a file or a part of the page.

Colours are tokens: a PNG has the light ones; in the page's SVG each becomes a CSS variable, so that one drawing fits
light and dark. They tell apart under the common colour blindnesses, and failure is also marked by its shape.
"""

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

INK, MUTED, GRID, SURFACE = "#1c2530", "#5a6877", "#dfe4ea", "#fefefe"
BLUE, ORANGE, GREEN, PURPLE, SKY, RED = "#2a6fb0", "#c2611a", "#16876a", "#9457a3", "#3c97cf", "#bf3b2d"
TOKENS = {
    INK: "ink", MUTED: "muted", GRID: "grid", SURFACE: "surface",
    BLUE: "blue", ORANGE: "orange", GREEN: "green", PURPLE: "purple", SKY: "sky", RED: "red",
}  # fmt: skip
"""Colour of a PNG -> CSS variable of the page."""
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)
PROBABILITY = LinearSegmentedColormap.from_list("probability", [(*to_rgb(BLUE), 0.02), (*to_rgb(BLUE), 1.0)])
"""0 is the bare page, light or dark; 1 is full blue."""

_RC = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.0,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.formatter.useoffset": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "figure.facecolor": "none",
    "figure.dpi": 100.0,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "svg.hashsalt": "archsearch",
    "path.simplify": True,
}
_DPI = 160
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\s]+")

P = ParamSpec("P")
Drawn = TypeVar("Drawn", bound=Figure | None)


@contextmanager
def _settings() -> Iterator[None]:
    with matplotlib.rc_context(_RC), warnings.catch_warnings():  # type: ignore[arg-type]
        # A script that the font lacks is drawn by the browser in the page, and as boxes in the PNG.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def picture(draw: Callable[P, Drawn]) -> Callable[P, Drawn]:
    """Decorator of every function that draws a figure: our settings, whatever the user's matplotlibrc says."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Drawn:
        with _settings():
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float, *, constrained: bool = True) -> Figure:
    """An empty figure, sizes in inches, that is tied to no global state."""
    figure = Figure(figsize=(width, height), layout="constrained" if constrained else None)
    FigureCanvasAgg(figure)
    return figure


def spread(figure: Figure) -> None:
    """Leave more room between the panels of a figure, for what is written beside each."""
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.05))


def say(figure: Figure, text: str) -> Figure:
    """Write ``text`` in the middle of an otherwise empty figure."""
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, fontsize=9, transform=axes.transAxes)
    return figure


def legend(axes: Axes, columns: int = 6) -> None:
    """The legend, in a row above the axes."""
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.3, columnspacing=1.4, handlelength=1.6
    )


def short(text: object, length: int = 24) -> str:
    """``text`` fit for a picture: one line, no control characters, at most ``length`` characters."""
    line = _CONTROL.sub(" ", str(text)).strip()
    return line if len(line) <= length else line[: length - 1] + "…"


def png(figure: Figure) -> bytes:
    """The figure as a PNG on white; equal figures give equal bytes."""
    buffer = io.BytesIO()
    with _settings():
        figure.savefig(buffer, format="png", dpi=_DPI, facecolor="#ffffff", metadata={"Software": None})
    return buffer.getvalue()


def svg(figure: Figure, name: str) -> str:
    """The figure as an ``<svg>`` element to stand in a page: themed, its ids prefixed by ``name``, no text of its own.

    Equal figures give equal text. The element is hidden from screen readers: the page gives the alternative text.
    """
    buffer = io.BytesIO()
    with _settings():
        figure.savefig(buffer, format="svg", dpi=_DPI, metadata={"Date": None, "Creator": None})
    return _themed(buffer.getvalue().decode(), name)


def _themed(document: str, name: str) -> str:
    element = document[document.index("<svg") :]
    element = re.sub(r"<(metadata|style)\b.*?</\1>|<!--.*?-->", "", element, flags=re.DOTALL)
    names: dict[str, str] = {}
    # Only inside tags: the texts of a picture are the user's own.
    element = re.sub(r"<[^>]*>", lambda tag: _themed_tag(tag.group(), name, names), element)
    return element.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)


def _themed_tag(tag: str, name: str, names: dict[str, str]) -> str:
    if tag.startswith("<svg"):
        return re.sub(r' (?:xmlns(?::\w+)?|width|height|version)="[^"]*"', "", tag)
    # Numbered anew: matplotlib derives some ids from addresses in memory, which differ from run to run.
    tag = re.sub(
        r'(\bid="|href="#|url\(#)([^")]+)',
        lambda use: use.group(1) + names.setdefault(use.group(2), f"{name}-{len(names)}"),
        tag,
    )
    if not tag.startswith("<image"):
        tag = re.sub(r"(\d\.\d\d)\d+", r"\1", tag)
    for colour, token in TOKENS.items():
        tag = tag.replace(colour, f"var(--{token})")
    # The page's own typeface; DejaVu, by which the places were computed, is wider than any of them.
    return tag.replace("font-family: 'DejaVu Sans'", "font-family: var(--sans)").replace("\n", " ")

"""A comparison as files: a page that loads nothing, its figure, and the numbers for programs."""

import json
from pathlib import Path

from markupsafe import Markup

from archsearch.bench.compare.comparison import Comparison
from archsearch.bench.compare.figure import compare_figure
from archsearch.bench.compare.tables import VERSUS_HEADER, row_header, row_lines, settings, story, unit_of, versus_lines
from archsearch.bench.compare.views import data
from archsearch.page.html import environment, write_whole
from archsearch.page.numbers import plural
from archsearch.page.style import png, svg

PAGE, PICTURE, NUMBERS = "compare.html", "compare.png", "compare.json"
_SEEDS = 12
"""Seeds of one contender that the page lists."""


def render(comparison: Comparison) -> str:
    """The page as HTML; equal comparisons give equal pages."""
    return environment().get_template("compare.html.jinja").render(
        spec=comparison.contenders[0].manifest.spec,
        story=story(comparison),
        notes=comparison.notes,
        figure=Markup(svg(compare_figure(comparison), "compare")),  # noqa: S704  # our own SVG
        header=row_header(comparison),
        rows=row_lines(comparison),
        versus_header=VERSUS_HEADER,
        versus=versus_lines(comparison),
        percent=unit_of(comparison).percent,
        test=comparison.test,
        entries=[_entry(comparison, place) for place in range(len(comparison.contenders))],
        banded=any(len(one.runs) > 1 for one in comparison.contenders),
    )  # fmt: skip


def write(comparison: Comparison, folder: Path) -> Path:
    """Write page, figure and numbers into ``folder``, each file whole or not at all; the path of the page.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = render(comparison)
    write_whole(folder / PICTURE, png(compare_figure(comparison)))
    write_whole(folder / NUMBERS, (json.dumps(data(comparison), indent=2, allow_nan=False) + "\n").encode())
    write_whole(folder / PAGE, page.encode("utf-8", "replace"))
    return folder / PAGE


def _entry(comparison: Comparison, place: int) -> dict[str, str]:
    one = comparison.contenders[place]
    spec = one.manifest.spec
    counts = sorted({course.children for course in comparison.courses[place]})
    seeds = ", ".join(str(run.seed) for run in one.runs[:_SEEDS]) + (", …" if len(one.runs) > _SEEDS else "")
    return {
        "label": one.label,
        "strategy": settings(one),
        "space": spec.search_space.kind,
        "children": f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}",
        "at_once": str(spec.trials.parallelism),
        "seeds": f"{plural(len(one.runs), 'seed')}: {seeds}",
    }

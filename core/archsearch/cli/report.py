"""``archsearch report SEARCH``: write the page and the pictures of a search, finished or not."""

import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archsearch.cli.output import (
    ContextOption,
    Format,
    FormatOption,
    NamespaceOption,
    SearchArgument,
    complain,
    emit,
    examples,
)
from archsearch.local.errors import LocalError

if TYPE_CHECKING:
    from archsearch.engine.record import SearchRecord

_EXTRA = {"matplotlib", "jinja2", "markupsafe", "numpy"}
"""What the extra ``report`` brings."""


class ReportError(LocalError):
    """The page cannot be made or written."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            {
                "archsearch report runs/digits --open": "write it and look at it",
                "archsearch report digits -n team": "of a search on a cluster",
            }
        )
    )(report)


def report(
    search: SearchArgument,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write into.", show_default="the search's, or reports/<name>")
    ] = None,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Write the report of a search: a page, and pictures.

    They are report.html, which needs no network, and pictures/*.png; also of a search that is not finished.
    """
    from archsearch.cli.finding import Place, find

    found = find(search, Place(namespace, context))
    page = _write(found.record, out or found.folder or Path("reports") / search).resolve()
    data = {"page": str(page), "pictures": [str(path) for path in sorted((page.parent / "pictures").glob("*.png"))]}
    emit(data, output, lambda console: console.print(str(page)))
    if open_page and not webbrowser.open(page.as_uri()):
        complain(f"no browser could be opened; open {page} by hand")


@contextmanager
def report_extra() -> Iterator[None]:
    """Import what draws in this context: a missing package is told with its remedy.

    Raises:
        ReportError: one of the extra ``report`` is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        remedy = "pip install 'archsearch[report]'"
        raise ReportError(f"{package} is not installed, but draws the report: {remedy}") from error


def _write(record: "SearchRecord", folder: Path) -> Path:
    with report_extra():
        from archsearch.page import write_report
    try:
        return write_report(record, folder)
    except OSError as error:
        raise ReportError(f"the report cannot be written: {error}") from error

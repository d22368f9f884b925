"""``archsearch validate``."""

from typing import Annotated

import typer

from archsearch.cli.output import Format, FormatOption, examples

FilesArgument = Annotated[
    list[str], typer.Argument(metavar="FILE...", help="Manifests; - reads standard input.", show_default=False)
]
EPILOG = examples(
    {
        "archsearch validate search.yaml": "mistakes, line by line",
        "archsearch validate examples/*.yaml -o json": "for programs",
    }
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(validate)


def validate(files: FilesArgument, output: FormatOption = Format.TEXT) -> None:
    """Check manifests and print every mistake with its place.

    Exit code 0: all are valid; 2: there are mistakes, or a file cannot be read.
    """
    from archsearch.cli.validating import validate_files

    if not validate_files(files, output):
        raise typer.Exit(2)

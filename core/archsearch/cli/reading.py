"""``archsearch trials | show | best | audit``: commands that read a search's folder, also while it runs."""

from typing import Annotated

import typer

from archsearch.cli.output import FolderArgument, Format, FormatOption, examples

BEST = 25


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog=examples(
            {
                "archsearch trials runs/digits": "as a table",
                "archsearch trials runs/digits --failed": "which failed, and why",
                "archsearch trials runs/digits -o json": "for programs",
            }
        )
    )(trials)
    app.command(
        epilog=examples(
            {
                "archsearch show runs/digits": "the search",
                "archsearch show runs/digits --child 6": "one child, architecture and all",
            }
        )
    )(show)
    app.command(epilog=examples({"archsearch best runs/digits -n 5": "the best five"}))(best)
    app.command(epilog=examples({"archsearch audit runs/digits": "did the policy do what the ledger says?"}))(audit)


def trials(
    folder: FolderArgument,
    failed: Annotated[bool, typer.Option("--failed", help="Only children that failed.")] = False,
    output: FormatOption = Format.TEXT,
) -> None:
    """List every child of a search; also while it runs."""
    from archsearch.cli.folders import list_trials

    list_trials(folder, output, failed=failed)


def show(
    folder: FolderArgument,
    child: Annotated[int | None, typer.Option("--child", min=0, help="Show one child, architecture and all.")] = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Show a search, or one of its children."""
    from archsearch.cli.folders import show_child, show_search

    if child is None:
        show_search(folder, output)
    else:
        show_child(folder, output, child)


def best(
    folder: FolderArgument,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many.")] = BEST,
    output: FormatOption = Format.TEXT,
) -> None:
    """List the best distinct children, best first."""
    from archsearch.cli.folders import list_best

    list_best(folder, output, count)


def audit(folder: FolderArgument, output: FormatOption = Format.TEXT) -> None:
    """Derive every child anew, and say where one differs.

    A controller of its own is taught the ledger from nothing and asked for every child. Exit code 0: every child and
    the policy are what the ledger says; 1: something differs; 2: the folder cannot be read.
    """
    from archsearch.cli.folders import audit_folder

    if not audit_folder(folder, output):
        raise typer.Exit(1)

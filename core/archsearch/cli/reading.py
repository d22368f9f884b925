"""``archsearch trials | show | best | audit``: commands that read a search, also while it runs."""

from typing import Annotated

import typer

from archsearch.cli.output import ContextOption, Format, FormatOption, NamespaceOption, SearchArgument, examples

BEST = 25


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog=examples(
            {
                "archsearch trials runs/digits": "as a table",
                "archsearch trials runs/digits --failed": "which failed, and why",
                "archsearch trials digits -n team": "of a search on a cluster",
                "archsearch trials runs/digits -o json": "for programs",
            }
        )
    )(trials)
    app.command(
        epilog=examples(
            {
                "archsearch show runs/digits": "the search",
                "archsearch show runs/digits --child 6": "one child, architecture and all",
                "archsearch show digits -n team": "a search on a cluster",
            }
        )
    )(show)
    app.command(
        epilog=examples(
            {
                "archsearch best runs/digits --count 5": "the best five",
                "archsearch best runs/digits --pareto": "those that no other beats in all",
                "archsearch best digits -n team": "of a search on a cluster",
            }
        )
    )(best)
    app.command(
        epilog=examples(
            {
                "archsearch audit runs/digits": "did the policy do what the ledger says?",
                "archsearch audit digits -n team": "the same on a cluster",
            }
        )
    )(audit)


def trials(
    search: SearchArgument,
    failed: Annotated[bool, typer.Option("--failed", help="Only children that failed.")] = False,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """List every child of a search; also while it runs."""
    from archsearch.cli.finding import Place, find
    from archsearch.cli.listing import list_trials

    list_trials(find(search, Place(namespace, context)), output, failed=failed)


def show(
    search: SearchArgument,
    child: Annotated[int | None, typer.Option("--child", min=0, help="Show one child, architecture and all.")] = None,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Show a search, or one of its children."""
    from archsearch.cli.finding import Place, find
    from archsearch.cli.listing import show_child, show_search

    found = find(search, Place(namespace, context))
    if child is None:
        show_search(found, output)
    else:
        show_child(found, output, child)


def best(
    search: SearchArgument,
    count: Annotated[int, typer.Option("--count", min=1, help="How many.")] = BEST,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="The Pareto set, where objective.also names further metrics.")
    ] = False,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """List the best distinct children, best first."""
    from archsearch.cli.finding import Place, find
    from archsearch.cli.listing import list_best, list_pareto

    (list_pareto if pareto else list_best)(find(search, Place(namespace, context)), output, count)


def audit(
    search: SearchArgument,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Derive every child anew, and say where one differs.

    A controller of its own is taught the ledger from nothing and asked for every child. Exit code 0: every child and
    the policy are what the ledger says; 1: something differs; 2: the search cannot be read.
    """
    from archsearch.cli.finding import Place, find
    from archsearch.cli.listing import audit_search

    if not audit_search(find(search, Place(namespace, context)), output):
        raise typer.Exit(1)

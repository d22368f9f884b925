"""``archsearch compare``."""

from pathlib import Path
from typing import Annotated

import typer

from archsearch.cli.output import Format, FormatOption, examples

EPILOG = examples(
    {
        "archsearch compare a.yaml b.yaml --seeds 5": "run and compare",
        "... --seeds 10": "later: five more seeds of each",
        "archsearch compare runs/a runs/b": "what is there already",
        "... -o json": "for programs",
    }
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(compare)


def compare(
    searches: Annotated[
        list[str],
        typer.Argument(
            metavar="SEARCH...", help="Manifests; or folders of searches that have ended.", show_default=False
        ),
    ],
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", min=1, max=10_000, help="Searches of each manifest.", show_default="3"),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the comparison and its searches.")] = Path(
        "runs/compare"
    ),
    trials: Annotated[int | None, typer.Option("--trials", help="In place of spec.trials.max.")] = None,
    parallelism: Annotated[int | None, typer.Option(help="In place of spec.trials.parallelism.")] = None,
    at_once: Annotated[int, typer.Option(min=1, max=1000, help="Searches at the same time.")] = 1,
    output: FormatOption = Format.TEXT,
) -> None:
    """Compare searches: reward against children, over seeds.

    Each manifest is run with as many seeds as are asked for: its own and those that follow it, into
    OUT/<name>/seed-<seed>. The same command goes on where it was. Folders that differ in their seed alone are one
    search; a folder of such folders stands for all of them. Writes compare.html, compare.png and compare.json.

    \b
    Exit codes:
      0    compared
      1    a search failed, or could not go on; a message says why
      2    they cannot be compared, or a manifest, a flag or a folder
           cannot be used
      130  it was interrupted; the same command goes on
    """
    from archsearch.cli.comparing import compare_searches

    code = compare_searches(searches, out, output, seeds=seeds, trials=trials, parallelism=parallelism, at_once=at_once)
    raise typer.Exit(code)

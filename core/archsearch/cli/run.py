"""``archsearch run``."""

from pathlib import Path
from typing import Annotated

import typer

from archsearch.cli.output import Format, FormatOption, examples

EPILOG = examples(
    {
        "archsearch run search.yaml": "into runs/<name>",
        "archsearch run search.yaml --out runs/two --seed 1": "once more, elsewhere",
        "archsearch run search.yaml --trials 500": "more children",
        "generate | archsearch run - --out runs/three": "a manifest from a pipe",
    }
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(run)


def run(
    manifest: Annotated[
        str, typer.Argument(metavar="SEARCH.YAML", help="The manifest; - reads standard input.", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the search.", show_default="runs/<name>")] = None,
    trials: Annotated[int | None, typer.Option("--trials", help="In place of spec.trials.max.")] = None,
    parallelism: Annotated[int | None, typer.Option(help="In place of spec.trials.parallelism.")] = None,
    seed: Annotated[int | None, typer.Option(help="In place of spec.seed.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, only what matters.")] = False,
    output: FormatOption = Format.TEXT,
) -> None:
    """Run a search on this machine, or go on with it.

    The same command resumes a search, whatever ended it: Ctrl-C, a crash, a lost machine. Relative paths of the
    manifest start from its folder, those of standard input from the current one.

    \b
    Exit codes:
      0    the search succeeded, or is suspended as its manifest says
      1    the search failed, or could not go on; a message says why
      2    the manifest, a flag or the folder cannot be used
      130  it was interrupted; the same command goes on
    """
    from archsearch.cli.running import run_manifest

    code = run_manifest(manifest, out, output, trials=trials, parallelism=parallelism, seed=seed, quiet=quiet)
    raise typer.Exit(code)

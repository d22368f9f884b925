"""The program: every command in one place, and no traceback for a mistake that a person can mend."""

import importlib.metadata
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from archsearch.cli import bench, compare, reading, report, run, validate
from archsearch.cli.output import complain, examples
from archsearch.local.errors import LocalError

GROUP = "archsearch.commands"
"""Entry points by which rooms add commands: functions that take the app."""
PLUGIN = "kubectl-archsearch"
"""The same program as kubectl finds it: `kubectl archsearch best digits -n team`."""

app = typer.Typer(
    name="archsearch",
    help="Neural architecture search that learns, on a laptop and on Kubernetes, from one manifest.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        {
            "archsearch run search.yaml": "search, into runs/<name>",
            "archsearch best runs/<name>": "what it has found",
            "archsearch COMMAND --help": "more of a command",
        }
    ),
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"archsearch {importlib.metadata.version('archsearch')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of every command."""


def assemble() -> typer.Typer:
    """The app with the commands of core and of every installed room."""
    for module in (run, reading, compare, report, validate, bench):
        module.register(app)
    for point in importlib.metadata.entry_points(group=GROUP):
        point.load()(app)
    return app


def main() -> None:
    """Run the command line; exits with its code."""
    try:
        assemble()(prog_name="kubectl archsearch" if Path(sys.argv[0]).name == PLUGIN else None)
    except LocalError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except OSError as error:  # a full disk, no right to read: nothing that we did
        from archsearch.local.refusals import refusal

        complain(refusal(error))
        sys.exit(1)
    except Exception as error:
        from archsearch.manifest.errors import InvalidManifestError  # which takes its time to load

        if isinstance(error, InvalidManifestError):
            print(error, file=sys.stderr)
            sys.exit(2)
        traceback.print_exc()
        complain(f"this is a fault of archsearch, not yours ({type(error).__name__}); please report the lines above")
        sys.exit(1)

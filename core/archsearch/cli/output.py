"""What commands print: text for people, or JSON or YAML for programs, and then nothing but data on stdout."""

import json
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console  # no command's --help should wait for it

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended."""


class Format(StrEnum):
    """Form of a command's output."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


_UNBOUNDED = 10_000

FormatOption = Annotated[Format, typer.Option("-o", "--output", help="text for people; json or yaml for programs.")]
"""``-o``, the same for every command."""

SearchArgument = Annotated[
    str,
    typer.Argument(metavar="SEARCH", help="Folder of a search, or its name on a cluster.", show_default=False),
]
"""A search, the same for every command that reads one."""

NamespaceOption = Annotated[
    str | None, typer.Option("-n", "--namespace", help="Namespace on a cluster.", show_default="as kubectl")
]
"""``-n``, the same for every command that reads a search."""

ContextOption = Annotated[
    str | None, typer.Option("--context", help="Context of the kubeconfig.", show_default="as kubectl")
]
"""``--context``, the same for every command that reads a search."""


def emit(data: Any, form: Format, text: "Callable[[Console], None]") -> None:
    """Print ``data``, or call ``text`` with a console for people; ``data`` is plain JSON."""
    if form is Format.JSON:
        sys.stdout.write(json.dumps(data, indent=2, allow_nan=False) + "\n")
    elif form is Format.YAML:
        from ruamel.yaml import YAML

        yaml = YAML()
        yaml.default_flow_style = False
        yaml.dump(data, sys.stdout)
    else:
        # Into a file or a pipe nothing is cut to the width of a terminal that is not there.
        width = None if sys.stdout.isatty() else _UNBOUNDED
        text(plain_console(soft_wrap=True, width=width))
    sys.stdout.flush()  # here, where a full disk is an error; at the interpreter's end it would be ignored


def examples(commands: Mapping[str, str]) -> str:
    """The end of a command's help: each command line with what it is for."""
    width = max(map(len, commands))
    return "\b\nExamples:\n" + "\n".join(f"  {line:<{width}}  {what}" for line, what in commands.items())


def plain_console(**settings: Any) -> "Console":
    """A console that prints what it is given: what stands in square brackets or between colons is data."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, **settings)


def complain(text: str) -> None:
    """Tell a person what went wrong."""
    print(f"archsearch: {text}", file=sys.stderr)

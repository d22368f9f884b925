"""Templates of pages, and files that are written whole or not at all."""

import os
import tempfile
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from archsearch.page.numbers import duration, moment, number, plural


@cache
def environment() -> Environment:
    """Where the templates of all pages come from; a name that is not given to one is an error."""
    found = Environment(
        loader=PackageLoader("archsearch.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    found.filters.update(duration=duration, moment=moment, plural=plural, number=number)
    return found


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees a part of it.

    Raises:
        OSError: it cannot be written.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

"""What ``archsearch validate`` does: everything that is wrong with manifests, at once."""

import sys
from dataclasses import asdict
from typing import Any

from rich.console import Console

from archsearch.cli.output import Format, emit
from archsearch.cli.source import display_name, read_source
from archsearch.manifest import Checked, InvalidManifestError, ManifestError, check_all

_LONGEST_VALUE = 1000


def validate_files(files: list[str], output: Format) -> bool:
    """Print every mistake of every manifest; whether there is none."""
    errors: list[ManifestError] = []
    lines: list[str] = []
    for file in dict.fromkeys(files):
        checked, found = _check(file)
        errors += found
        lines += [str(error) for error in found] or [_valid(file, document) for document in checked]
    emit([_plain(error) for error in errors], output, lambda console: _print(console, lines))
    if errors:
        bad = len({error.file for error in errors})
        print(f"archsearch: {len(errors)} mistake(s) in {bad} of {len(set(files))} file(s)", file=sys.stderr)
    return not errors


def _check(file: str) -> tuple[tuple[Checked, ...], list[ManifestError]]:
    try:
        source = read_source(file)
    except InvalidManifestError as error:
        return (), list(error.errors)
    checked, found = check_all(source.data, source.name)
    return checked, [*(error for document in checked for error in document.errors), *found]


def _valid(file: str, document: Checked) -> str:
    name = document.search.metadata.name if document.search is not None else ""
    return f"{display_name(file)}:{document.line}: ArchitectureSearch {name} is valid"


def _plain(error: ManifestError) -> dict[str, Any]:
    """``error`` as JSON; a long value (a pod template, say) is cut, since its place is given."""
    data = asdict(error)
    text = str(error.value)
    if len(text) > _LONGEST_VALUE:
        data["value"] = text[:_LONGEST_VALUE] + "…"
    return {**data, "allowed": list(error.allowed)}


def _print(console: Console, lines: list[str]) -> None:
    for line in lines:
        console.print(line)

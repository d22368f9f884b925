"""YAML 1.2 text to documents with places; whatever cannot be read is an error with its line."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from archsearch.manifest.composing import Composer, Document, UnreadableError, mark_of
from archsearch.manifest.errors import ManifestError
from archsearch.manifest.nodes import Mark
from archsearch.report_parsing import printable

MAX_BYTES = 1 << 20
"""Largest file: etcd stores objects of about the same size."""


def read(data: str | bytes, name: str) -> tuple[tuple[Document, ...], tuple[ManifestError, ...]]:
    """The documents of ``data``, and why the rest of it (or all of it) cannot be read.

    Empty documents are left out; a file of nothing else is an error. Never raises on bad input.
    """
    documents: list[Document] = []
    try:
        text = _text(data)
        try:
            parser = YAML(typ="safe", pure=True)
            # extend() keeps what was read before a mistake further down
            documents.extend(Composer(iter(parser.parse(text)), name).documents())
        except MarkedYAMLError as error:
            raise _syntax_error(text, error) from error
        except ReaderError as error:
            raise _character_error(text, error) from error
        except (ValueError, OverflowError) as error:  # ruamel on escapes like "\UFFFFFFFF"
            raise UnreadableError(Mark(1, 1), "Syntax", f"the text is not YAML: {error}") from error
    except UnreadableError as error:
        problem = ManifestError(name, "", error.mark.line, error.mark.column, error.kind, error.message)
        return tuple(documents), (problem,)
    if not documents:
        return (), (ManifestError(name, "", 1, 1, "Empty", "the file is empty; it needs an ArchitectureSearch"),)
    return tuple(documents), ()


def _text(data: str | bytes) -> str:
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    if len(data) > MAX_BYTES:
        message = f"the file has {len(data)} bytes or more; at most {MAX_BYTES} (1 MiB) are read"
        raise UnreadableError(Mark(1, 1), "TooLarge", message)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableError(Mark(1, 1), "NotUtf8", "the file is UTF-16; save it as UTF-8")
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        mark = Mark(before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1)
        message = f"byte 0x{data[error.start]:02x} is not UTF-8 ({error.reason}); save the file as UTF-8"
        raise UnreadableError(mark, "NotUtf8", message) from error


def _character_error(text: str, error: Any) -> UnreadableError:
    before = text[: error.position]
    mark = Mark(before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1)
    return UnreadableError(mark, "ForbiddenCharacter", f"the control character U+{error.character:04X} is not allowed")


def _syntax_error(text: str, error: MarkedYAMLError) -> UnreadableError:
    place = error.problem_mark or error.context_mark
    mark = mark_of(place) if place is not None else Mark(1, 1)
    lines = text.splitlines()
    line = lines[mark.line - 1] if mark.line <= len(lines) else ""
    if line[mark.column - 1 : mark.column] == "\t" or "\t" in line[: len(line) - len(line.lstrip())]:
        message = "a tab cannot stand here; YAML is indented and separated by spaces"
        return UnreadableError(mark, "Tab", message)
    context = f" {error.context}" if error.context else ""
    return UnreadableError(mark, "Syntax", f"not YAML: {printable(str(error.problem))}{printable(context)}")

"""Check that generated files are what their sources make: ``make verify``.

Pinned requirements are checked offline: every direct dependency of pyproject.toml is pinned and hashed in its room's
file, to a version that pyproject.toml allows and that every other file agrees with. The reference pages and the
CustomResourceDefinitions, those of the chart too, are made anew and compared.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)[^\n]*")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")

Pins = Mapping[str, frozenset[str]]
"""Versions by canonical name; several where they depend on the version of Python."""


def read_pins(text: str) -> tuple[dict[str, frozenset[str]], list[str]]:
    """Pins of one requirements file, and what is wrong with its lines."""
    pins: dict[str, frozenset[str]] = {}
    problems: list[str] = []
    for entry in _entries(text):
        match = _PIN.match(entry)
        if match is None:
            problems.append(f"{entry.splitlines()[0]!r} is not pinned with ==")
            continue
        if _HASH.search(entry) is None:
            problems.append(f"{match['name']} has no sha256 hash")
        name = canonicalize_name(match["name"])
        pins[name] = pins.get(name, frozenset()) | {match["version"]}
    return pins, problems


def _entries(text: str) -> Iterator[str]:
    """Each requirement with its continued lines, comments left out."""
    entry: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line.startswith(" ") and entry:
            yield "\n".join(entry)
            entry = []
        entry.append(line)
    if entry:
        yield "\n".join(entry)


def requirement_problems(project: Mapping[str, object], files: Mapping[str, str]) -> list[str]:
    """What is wrong with the requirements files.

    Args:
        project: the ``[project]`` table of pyproject.toml.
        files: contents by name without ``.txt``: ``all``, ``core`` and one for each extra.
    """
    problems: list[str] = []
    pins: dict[str, Pins] = {}
    for file, text in sorted(files.items()):
        pins[file], wrong = read_pins(text)
        problems += [f"requirements/{file}.txt: {what}" for what in wrong]
    for room, direct in _direct_dependencies(project).items():
        if room not in pins:
            problems.append(f"requirements/{room}.txt is missing")
            continue
        for file in (room, "all"):
            problems += [f"requirements/{file}.txt: {what}" for what in _unmet(direct, pins.get(file, {}))]
    everything = pins.get("all", {})
    for file, versions in pins.items():
        for name, pinned in versions.items():
            if not pinned <= everything.get(name, frozenset()):
                problems.append(f"requirements/{file}.txt: {name} {sorted(pinned)} is not what all.txt has")
    return sorted(set(problems))


def _direct_dependencies(project: Mapping[str, object]) -> dict[str, list[Requirement]]:
    core = project["dependencies"]
    extras = project["optional-dependencies"]
    assert isinstance(core, list)
    assert isinstance(extras, dict)
    parsed = {"core": [Requirement(line) for line in core]}
    for extra, lines in extras.items():
        parsed[extra] = parsed["core"] + [Requirement(line) for line in lines]
    return parsed


def _unmet(direct: list[Requirement], pins: Pins) -> Iterator[str]:
    for requirement in direct:
        versions = pins.get(canonicalize_name(requirement.name))
        if versions is None:
            yield f"{requirement.name} of pyproject.toml is not pinned"
            continue
        for version in sorted(versions):
            if not requirement.specifier.contains(Version(version), prereleases=True):
                yield f"{requirement.name} is pinned to {version}; pyproject.toml wants {requirement.specifier}"


def generated_problems(module: str, kept: Path, remedy: str, *, also: str = "*") -> list[str]:
    """Whether the files in the folder ``kept`` are what ``python -m MODULE FOLDER`` writes now.

    Args:
        module: the generator.
        kept: the folder, below the root of the checkout.
        remedy: the command that mends it.
        also: files of this pattern that the generator does not write are told too.
    """
    name = kept.relative_to(ROOT) if kept.is_relative_to(ROOT) else kept
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", module, folder], check=True, cwd=ROOT)
        written = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    for file, content in sorted(written.items()):
        if not (kept / file).is_file():
            problems.append(f"{name}/{file} is missing: run `{remedy}`")
        elif (kept / file).read_bytes() != content:
            problems.append(f"{name}/{file} is not what the API says now: run `{remedy}`")
    extra = sorted(path.name for path in kept.glob(also) if path.name not in written)
    return problems + [f"{name}/{file} is written by nothing: remove it" for file in extra]


def dashboard_problems(kept: Path) -> list[str]:
    """Whether the chart's dashboard at ``kept`` is what tools/dashboard.py says now."""
    command = [sys.executable, "tools/dashboard.py"]
    written = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout
    if not kept.is_file():
        return [f"{kept.name} is missing from the chart: run `make dashboards`"]
    same = kept.read_text() == written
    return [] if same else [f"{kept.name} is not what tools/dashboard.py says now: run `make dashboards`"]


def main() -> int:
    """Print every problem; 0 when there is none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    files = {path.stem: path.read_text() for path in (ROOT / "requirements").glob("*.txt")}
    problems = requirement_problems(project, files)
    if problems:
        problems.append("requirements/*.txt are made by `make lock`")
    problems += generated_problems("archsearch.api.reference", ROOT / "docs" / "reference", "make reference")
    for kept in (ROOT / "crds", ROOT / "charts" / "archsearch" / "files" / "crds"):
        problems += generated_problems("archsearch.crd", kept, "make crds", also="*.yaml")
    problems += dashboard_problems(ROOT / "charts" / "archsearch" / "files" / "dashboards" / "archsearch-search.json")
    for problem in problems:
        print(f"verify: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

"""Which pinned packages an image must install on its base: ``python tools/image_requirements.py ROOM``.

Run while an image is built, by the base's own Python, so it needs the standard library only. Prints requirements for
``pip install --no-deps --require-hashes``. What core and the operator need is always installed as pinned. What the
controller and the trial program need beyond core (torch, NumPy, scikit-learn ...) is large and belongs to the base:
what the base has is kept, and what only that would need is left out, so that a base with a CUDA build of torch keeps
it, and one with a CPU build too. What the base has not is installed.
"""

import argparse
import importlib.metadata
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = "archsearch"
BOUND = {"torchvision": "torch"}
"""Compiled for one release of another package: never installed beside a build of it that the base brings."""
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==")
_PARENT = re.compile(r"^    #(?: via |   )([A-Za-z0-9][A-Za-z0-9._-]*)(?: \(pyproject\.toml\))?$")


@dataclass(frozen=True)
class Package:
    """One package of a requirements file."""

    text: str
    """Its lines, markers and hashes included; several blocks where its version depends on that of Python."""
    parents: frozenset[str]
    """What needs it, by canonical name."""


def canonical(name: str) -> str:
    """A distribution's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(text: str) -> dict[str, Package]:
    """Packages of one requirements file by canonical name, as ``uv pip compile`` writes it."""
    packages: dict[str, Package] = {}
    for block in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE):
        pin = _PIN.match(block)
        if pin is None:
            continue
        name = canonical(pin[1])
        parents = frozenset(canonical(found[1]) for line in block.splitlines() if (found := _PARENT.match(line)))
        before = packages.get(name, Package("", frozenset()))
        packages[name] = Package(before.text + block, before.parents | parents)
    return packages


def needed(
    core: Mapping[str, Package], room: Mapping[str, Package], has: Callable[[str], bool]
) -> tuple[list[str], list[str]]:
    """Names to install, and names that are left to the base, each sorted.

    Args:
        core: packages of core's requirements, always installed.
        room: packages of the room's requirements, core's among them.
        has: whether the base has a distribution.
    """
    install, left = set(core), set()
    wanted = {name for name, package in room.items() if PROJECT in package.parents and name not in core}
    while wanted:
        name = wanted.pop()
        if has(name) or has(BOUND.get(name, "")):
            left.add(name)
            continue
        install.add(name)
        wanted |= {child for child, package in room.items() if name in package.parents} - install - left
    return sorted(install), sorted(left)


def _base_has(name: str) -> bool:
    if not name:
        return False
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def main(arguments: list[str] | None = None) -> int:
    """Print what ROOM must install; what is left to the base goes to stderr."""
    parser = argparse.ArgumentParser(description="Pinned packages that an image installs on its base.")
    parser.add_argument("room", choices=["operator", "controller", "trial"])
    parser.add_argument("--requirements", type=Path, default=Path("requirements"), help="folder of the pinned files")
    options = parser.parse_args(arguments)
    if sys.version_info < (3, 11):  # noqa: UP036 - the base's Python may be older than ours
        print(f"the base image has Python {sys.version.split()[0]}; at least 3.11 is needed", file=sys.stderr)
        return 1
    core, room = (read((options.requirements / f"{name}.txt").read_text()) for name in ("core", options.room))
    has = _base_has if options.room != "operator" else lambda _: False
    install, left = needed(core, room, has)
    print("".join(room[name].text for name in install), end="")
    print(f"left to the base: {', '.join(left) or 'nothing'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

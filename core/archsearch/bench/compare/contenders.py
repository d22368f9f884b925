"""Who is compared: searches that differ in their seed alone are one contender, and all contenders seek the same."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from archsearch.api import ArchitectureSearch
from archsearch.bench.errors import BenchError
from archsearch.engine.leaderboard import children
from archsearch.engine.model import Result
from archsearch.engine.record import SearchRecord
from archsearch.local.folder import Folder
from archsearch.local.record import load_record
from archsearch.manifest import differences
from archsearch.manifest.errors import spell
from archsearch.manifest.sentences import show

_SAME = (("spec", "objective"), ("spec", "trial", "task"), ("spec", "trial", "command"))
"""What all must share: rewards that measure different things cannot be drawn on one axis."""
_APART = (("metadata",), ("spec", "seed"))
"""What searches of one contender may differ in."""


@dataclass(frozen=True)
class Run:
    """A search that has ended, and where it lies."""

    record: SearchRecord
    folder: Path

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.record.manifest.spec.seed


@dataclass(frozen=True)
class Contender:
    """Searches that differ in their seed alone."""

    label: str
    runs: tuple[Run, ...]
    """By seed."""

    @property
    def manifest(self) -> ArchitectureSearch:
        """The manifest of the first seed."""
        return self.runs[0].record.manifest

    @property
    def strategy(self) -> str:
        """Name of the strategy that was in force."""
        return self.runs[0].record.strategy.kind


def read_folder(folder: Path) -> list[Run]:
    """The ended search in ``folder``; or, where it is none, those in the folders in it.

    Raises:
        LocalError: it is no search, or one that has not ended, or that failed.
    """
    if not folder.is_dir() or Folder(folder).ledger.is_file():
        return [_read(folder)]
    inside = sorted((path for path in folder.iterdir() if Folder(path).ledger.is_file()), key=_natural)
    if not inside:
        raise BenchError(f"{folder} is not the folder of a search, nor does it hold any; compare needs finished ones")
    return [_read(path) for path in inside]


def _natural(path: Path) -> tuple[int, str]:
    """seed-2 comes before seed-10."""
    return len(path.name), path.name


def _read(folder: Path) -> Run:
    run = Run(load_record(folder), folder)
    refuse_unended(run)
    return run


def refuse_unended(run: Run) -> None:
    """Refuse a search that cannot be compared.

    Raises:
        BenchError: it has not ended, or it failed.
    """
    record, outcome = run.record, run.record.outcome
    if outcome is None:
        done, most = sum(child.phase.terminal for child in children(record.trials)), record.manifest.spec.trials.max
        raise BenchError(
            f"{run.folder} has not ended: {done} of {most} children are done; go on with it "
            f"(`archsearch run SEARCH.YAML --out {run.folder}`), then compare"
        )
    if outcome.result is not Result.SUCCEEDED:
        raise BenchError(f"{run.folder} failed, so there is nothing to compare: {outcome.reason}: {outcome.message}")


def refuse_other_aims(named: Iterable[tuple[str, ArchitectureSearch]]) -> None:
    """Refuse manifests that do not all seek the same.

    Args:
        named: where each comes from, and the manifest.

    Raises:
        BenchError: two differ in objective, task or command; the message names the field and both values.
    """
    (first, model), *others = named
    for name, search in others:
        for path, one, other in differences(model, search):
            if any(path[: len(same)] == same for same in _SAME):
                raise BenchError(
                    f"{first} and {name} cannot be compared, their rewards do not measure the same: {spell(path)} is "
                    f"{_value(one)} in the one and {_value(other)} in the other"
                )


def _value(value: object) -> str:
    return "left out" if value is None else show(value)


def contenders(runs: Sequence[Run]) -> list[Contender]:
    """The runs by what they are a search of, in the order of their first appearance.

    Raises:
        BenchError: they do not all seek the same, or one seed stands twice.
    """
    refuse_other_aims((str(run.folder), run.record.manifest) for run in runs)
    groups: list[list[Run]] = []
    for run in runs:
        group = next((group for group in groups if _one_search(group[0], run)), None)
        if group is None:
            groups.append([run])
            continue
        twin = next((other for other in group if other.seed == run.seed), None)
        if twin is not None and twin.folder.resolve() != run.folder.resolve():
            raise BenchError(f"{twin.folder} and {run.folder} are the same search with the same seed, {run.seed}")
        group.extend([] if twin else [run])
    found = [Contender("", tuple(sorted(group, key=lambda run: run.seed))) for group in groups]
    return [replace(one, label=label) for one, label in zip(found, _labels(found), strict=True)]


def _one_search(one: Run, other: Run) -> bool:
    if one.record.strategy != other.record.strategy:
        return False
    changes = differences(one.record.manifest, other.record.manifest)
    return all(any(path[: len(apart)] == apart for apart in _APART) for path, *_ in changes)


def _labels(found: Sequence[Contender]) -> list[str]:
    """The shortest of name, name and strategy, name and folder that tells all apart."""
    names = [one.manifest.metadata.name for one in found]
    by_strategy = [f"{name}, {one.strategy}" for name, one in zip(names, found, strict=True)]
    for labels in (names, by_strategy):
        if len(set(labels)) == len(labels):
            return labels
    return [f"{name} ({one.runs[0].folder})" for name, one in zip(names, found, strict=True)]

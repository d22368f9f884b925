"""Task ``tabular``: look the child's metrics up in a table of measured networks; for benchmarks of search methods.

Imports neither torch nor NumPy, so that a benchmark may call :func:`run` in its own process.
"""

from pathlib import Path

from archsearch.api.task import Tabular, Task
from archsearch.report import Report, TrialInput
from archsearch.table import Table, TableError, read_table
from archsearch.trial.errors import SearchError, TrialError
from archsearch.trial.task_input import read_task

_cache: dict[Path, tuple[tuple[int, int], Table]] = {}


def prefetch(task: Tabular, base: Path) -> None:
    """Read the table into this process, so that children forked from it need not."""
    load(base / task.table)


def run(trial: TrialInput, task: Tabular | None = None, base: Path | None = None) -> Report:
    """The metrics of the child, under the names of the table's columns.

    ``task`` defaults to the one in ``trial``; ``base`` is where a relative path starts (default: the working
    directory). Never raises for a bad child or table when ``task`` is left out: the report has the error then.

    Raises:
        TrialError: NotInTable, ArchitectureInvalid; of scope Search: TableMissing, TableInvalid.
    """
    base = base or Path.cwd()
    if task is not None:
        return _look_up(trial, task, base)
    try:
        return _look_up(trial, _tabular(read_task(trial.task)), base)
    except TrialError as error:
        return error.report()


def _tabular(task: Task) -> Tabular:
    if task.tabular is None:
        raise SearchError("TaskUnsupported", f"task is {task.kind}; here it must be tabular")
    return task.tabular


def _look_up(trial: TrialInput, task: Tabular, base: Path) -> Report:
    table = load(base / task.table)
    spelling = spell(trial)
    row = table.rows.get(spelling)
    if row is None:
        raise TrialError(
            "NotInTable", f"{task.table} has no network {spelling!r}; it has {len(table.rows)} others, the first column"
        )
    return Report(metrics=dict(zip(table.metrics, row, strict=True)))


def spell(trial: TrialInput) -> str:
    """The child as the first column spells it: its values in order, one character each."""
    values = trial.architecture.get("values")
    if trial.architecture.get("kind") != "choices" or not isinstance(values, dict):
        raise SearchError(
            "ArchitectureUnsupported",
            f"architecture.kind is {trial.architecture.get('kind')!r}; tabular looks up children of: 'choices'",
        )
    for name, value in values.items():
        if len(str(value)) != 1:
            raise SearchError(
                "ArchitectureUnsupported",
                f"choice {name!r} is {value!r}; a table spells each decision with one character: use values such as "
                "0 to 9 or single letters",
            )
    return "".join(str(value) for value in values.values())


def load(path: Path) -> Table:
    """The table at ``path``, read again only when the file has changed.

    Raises:
        TrialError: of scope Search: TableMissing, TableUnreadable, TableInvalid with the line.
    """
    try:
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = _cache.get(path)
        if known is None or known[0] != stamp:
            _cache[path] = known = (stamp, read_table(path))
    except FileNotFoundError:
        raise SearchError("TableMissing", f"there is no table {path}; task.tabular.table names it") from None
    except OSError as error:
        raise SearchError("TableUnreadable", f"table {path} cannot be read: {error.strerror or error}") from error
    except TableError as error:
        raise SearchError("TableInvalid", f"{path}, {error}") from error
    return known[1]

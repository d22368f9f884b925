"""The trial program: from what a trial is given to what it reports."""

import importlib
from pathlib import Path
from types import ModuleType

from pydantic import JsonValue

from archsearch.report import Report, TrialInput
from archsearch.trial.errors import SearchError, TrialError
from archsearch.trial.task_input import read_task

_TASKS = {
    "imageClassification": "archsearch.trial.tasks.image_classification",
    "tabular": "archsearch.trial.tasks.tabular",
}
"""Each task is a module with ``run(trial, task, base) -> Report`` and ``prefetch(task, base)``.

Imported when asked for: a table needs no torch.
"""


def run(trial: TrialInput, base: Path | None = None) -> Report:
    """Train or look up the child; ``base`` is where relative paths start (default: the working directory).

    What is wrong with the child, its data or its task is the report's error; anything unforeseen is raised.
    """
    try:
        task = read_task(trial.task)
        report: Report = _module(task.kind).run(trial, task.chosen, base or Path.cwd())
    except TrialError as error:
        return error.report()
    return report


def prefetch(task: dict[str, JsonValue], base: Path) -> None:
    """Read what every child of the search needs, for children forked from this process.

    Raises:
        TrialError: what a child would report.
    """
    known = read_task(task)
    _module(known.kind).prefetch(known.chosen, base)


def _module(kind: str) -> ModuleType:
    if kind not in _TASKS:
        raise SearchError(
            "TaskUnsupported",
            f"task.{kind} is for your own trial image or trial.command; the default trial program knows: "
            + ", ".join(_TASKS),
        )
    return importlib.import_module(_TASKS[kind])

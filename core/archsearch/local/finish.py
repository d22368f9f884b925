"""What remains of a search for people: best/ and the page. Each may be written again."""

import json
import shutil
from dataclasses import asdict

from archsearch.engine.leaderboard import top
from archsearch.engine.model import Confirmed, Trial
from archsearch.engine.record import SearchRecord
from archsearch.local.crash import durable
from archsearch.local.folder import Folder
from archsearch.local.refusals import refusals


def write_best(record: SearchRecord, folder: Folder) -> None:
    """Write best/: the best child's architecture, record, log, and the manifest. Nothing where no child succeeded.

    Of a child that was confirmed the record has the means over both trainings, and both logs are there.

    Raises:
        MachineError: the system refuses it.
    """
    best = next(iter(top(record.trials, 1, record.manifest.spec.objective)), None)
    if best is not None:
        with refusals(f"{folder.best} cannot be written"):
            _write_best(best, record, folder)


def _write_best(best: Trial, record: SearchRecord, folder: Folder) -> None:
    building = folder.best.with_name("best.new")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()
    (building / "architecture.json").write_text(_pretty(best.architecture))
    (building / "trial.json").write_text(_pretty({k: v for k, v in asdict(best).items() if v is not None}))
    shutil.copyfile(folder.manifest, building / "search.yaml")
    logs = {"log.txt": best.index if best.reuse_of is None else best.reuse_of}
    logs |= {"confirmation.log.txt": best.confirmed_by} if isinstance(best, Confirmed) else {}
    for name, trained in logs.items():
        log = folder.attempt(trained, record.trials[trained].attempts).log
        if log.is_file():
            shutil.copyfile(log, building / name)
    with durable(("best",)):
        shutil.rmtree(folder.best, ignore_errors=True)
        building.rename(folder.best)


def write_page(record: SearchRecord, folder: Folder) -> str | None:
    """Write the report; what went wrong, in a sentence, if it could not be written."""
    try:
        from archsearch.page import write_report
    except ImportError as error:
        remedy = f"`pip install 'archsearch[report]'`, then `archsearch report {folder.root}`"
        return f"no report was written: {error}; {remedy}"
    try:
        with durable(("page",)):
            write_report(record, folder.root)
    except Exception as error:
        return (
            f"no report was written: {type(error).__name__}: {error}; try again with `archsearch report {folder.root}`"
        )
    return None


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, default=str) + "\n"

"""What ``archsearch run`` does: a search on this machine, from its manifest to its report."""

import asyncio
import traceback
from pathlib import Path

from rich.console import Console

from archsearch.api import ArchitectureSearch
from archsearch.cli import views
from archsearch.cli.display import Display, display
from archsearch.cli.output import INTERRUPTED, Format, emit, plain_console
from archsearch.cli.overriding import override
from archsearch.cli.source import read_source
from archsearch.cli.stopping import stop_on_signals
from archsearch.cli.summary import search_lines
from archsearch.engine.model import Result
from archsearch.engine.record import SearchRecord
from archsearch.local.errors import LocalError
from archsearch.local.folder import Folder
from archsearch.local.record import is_finished
from archsearch.local.run import run_search
from archsearch.manifest import load


def run_manifest(
    manifest: str,
    out: Path | None,
    output: Format,
    *,
    trials: int | None,
    parallelism: int | None,
    seed: int | None,
    quiet: bool,
) -> int:
    """Run the search to its end, or as far as it goes now; the exit code.

    Raises:
        InvalidManifestError: the manifest is not valid.
        LocalError: a flag or the folder cannot be used, or the search cannot be run.
    """
    source = read_source(manifest)
    search = load(source.data, source.name)
    changed = override(search, trials=trials, parallelism=parallelism, seed=seed)
    folder = out or Path("runs") / search.metadata.name
    record = _watched(changed, folder, source.base, source.text if changed == search else None, quiet)
    data = views.search_view(record, page=Folder(folder).page)
    emit(data, output, lambda console: _conclude(console, record, folder))
    return _exit_code(record, folder)


def _watched(search: ArchitectureSearch, folder: Path, base: Path, source: str | None, quiet: bool) -> SearchRecord:
    """Run the search, shown on stderr: stdout is for the result."""
    console = plain_console(stderr=True)
    with display(console, search, quiet=quiet) as shown:
        try:
            return asyncio.run(_until_told(search, folder, base, source, shown))
        except LocalError:
            raise
        except Exception as error:
            raise _logged(folder, error) from error


async def _until_told(
    search: ArchitectureSearch, folder: Path, base: Path, source: str | None, shown: Display
) -> SearchRecord:
    told = "stopping: children are ended, the ledger is safe (once more to leave at once)"
    stop = stop_on_signals(lambda: shown.say(told))
    return await run_search(search, folder, base=base, source=source, progress=shown, stop=stop)


def _logged(folder: Path, error: Exception) -> LocalError:
    """The error for a person, its traceback for whoever mends it."""
    log = Folder(folder).run_log
    try:
        with log.open("a") as file:
            traceback.print_exception(error, file=file)
    except OSError:
        traceback.print_exception(error)
        return LocalError(f"this is a fault of archsearch, not yours ({type(error).__name__}); please report the above")
    return LocalError(
        f"this is a fault of archsearch, not yours ({type(error).__name__}: {error}); please report {log}. "
        "The ledger is safe, and the same command goes on"
    )


def _exit_code(record: SearchRecord, folder: Path) -> int:
    if record.outcome is None:
        spec = record.manifest.spec
        return 0 if spec.suspend or spec.trials.parallelism == 0 else INTERRUPTED
    if record.outcome.result is Result.FAILED:
        return 1
    return 0 if is_finished(folder) else INTERRUPTED


def _conclude(console: Console, record: SearchRecord, folder: Path) -> None:
    """The outcome, the best child, and what to do next."""
    for line in search_lines(record, views.state(record, None), Folder(folder).page):
        console.print(line)
    if record.outcome is None:
        console.print(f"the same command goes on; see `archsearch show {folder}`")
    elif record.outcome.result is Result.SUCCEEDED:
        console.print(f"next: `archsearch best {folder}`, `archsearch audit {folder}`")
    else:
        console.print(f"next: `archsearch trials {folder} --failed` says how each child failed")

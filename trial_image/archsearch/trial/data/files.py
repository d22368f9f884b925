"""Finding and reading the files of a data set, with errors that name the file and say what to do."""

import fcntl
import gzip
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from archsearch.trial.errors import SearchError

DATA_VARIABLE = "ARCHSEARCH_DATA"
"""Folder of data sets that name none."""


def root(folder: str | None, base: Path) -> Path:
    """The folder that a data set names (relative to ``base``), else $ARCHSEARCH_DATA, else ~/.cache/archsearch."""
    if folder is not None:
        return base / Path(folder).expanduser()
    if os.environ.get(DATA_VARIABLE):
        return base / os.environ[DATA_VARIABLE]
    return Path.home() / ".cache" / "archsearch"


def listing(folder: Path, what: str) -> list[Path]:
    """The entries of ``folder``, sorted by name, hidden ones left out.

    Raises:
        TrialError: DataMissing or DataUnreadable.
    """
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        raise SearchError(
            "DataMissing",
            f"{what}: there is no folder {folder}; correct dataset.folder (relative folders start at the working "
            f"directory of the child) or put the data there",
        ) from None
    except OSError as error:
        raise unreadable(folder, error) from error


def read(file: Path) -> bytes:
    """The bytes of ``file``, unpacked if it ends in .gz.

    Raises:
        TrialError: DataMissing, DataUnreadable or DataCorrupt.
    """
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise SearchError("DataMissing", f"there is no file {file}; put it there") from None
    except OSError as error:
        raise unreadable(file, error) from error
    if file.suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise corrupt(file, f"it is not a whole gzip file ({error})") from error


def corrupt(file: Path, problem: str) -> SearchError:
    """``file`` is there and cannot be what it should be."""
    return SearchError("DataCorrupt", f"{file}: {problem}; copy or download it anew")


def unreadable(path: Path, error: OSError) -> SearchError:
    """``path`` is there and the system does not let us read it."""
    return SearchError(
        "DataUnreadable", f"{path} cannot be read: {error.strerror or error}; mend its permissions or what it is"
    )


def missing(what: str, files: Iterable[str], folders: Iterable[Path], remedy: str) -> SearchError:
    """None of ``folders`` holds all of ``files``."""
    places = " or ".join(str(folder) for folder in folders)
    return SearchError("DataMissing", f"{what}: {', '.join(files)} not found in {places}; {remedy}")


def download(what: str, folder: Path, fetch: Callable[[Path], object], made: str) -> None:
    """Have ``fetch`` download into an empty folder, then put its ``made`` into ``folder``: whole or not at all.

    Of several children that need it at once, one downloads and the others wait.

    Raises:
        TrialError: DataDownloadFailed.
    """
    try:
        with _lock(folder):
            if not (folder / made).exists():
                with TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
                    fetch(Path(temporary))
                    (Path(temporary) / made).rename(folder / made)
    except (OSError, RuntimeError) as error:
        raise SearchError(
            "DataDownloadFailed",
            f"{what} cannot be downloaded to {folder}: {error}; download it by hand, or mend the network",
        ) from error


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".download.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

"""What can go wrong on one machine that a person can do something about; each message says what and how to go on."""


class LocalError(Exception):
    """Base of the errors that are shown as one sentence, without a traceback; ``exit_code`` is the command's."""

    exit_code = 1


class UsageError(LocalError):
    """A command was given something that it cannot use."""

    exit_code = 2


class FolderError(LocalError):
    """The folder is not a search's, or not this search's, or cannot be read."""

    exit_code = 2


class FolderInUseError(LocalError):
    """Another process runs a search in this folder."""

    exit_code = 2


class ManifestChangedError(LocalError):
    """The manifest differs from the folder's in fields that cannot change while a search lives."""

    exit_code = 2


class ProcessFailedError(LocalError):
    """The controller or the warm process cannot be kept alive; the ledger is safe and the same command goes on."""


class SpawnError(ProcessFailedError):
    """The system refused to start a process; ``passes``: trying again may help."""

    def __init__(self, message: str, *, passes: bool) -> None:
        super().__init__(message)
        self.passes = passes

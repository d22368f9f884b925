"""Why a trial cannot measure its child: one exception, which the trial program turns into the report's error."""

from archsearch.report import ErrorScope, Report, error_report


class TrialError(Exception):
    """A child cannot be trained or measured.

    ``reason`` is CamelCase, for programs; ``message`` says what happened and what to do; ``scope`` says whether another
    child may do better (Child) or every child will fail alike (Search).
    """

    def __init__(self, reason: str, message: str, scope: ErrorScope = ErrorScope.CHILD) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.scope = scope

    def report(self) -> Report:
        """The report that tells of it."""
        return error_report(self.reason, self.message, self.scope)


class SearchError(TrialError):
    """An error that every child of the search shares: its data or its task cannot be used."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message, ErrorScope.SEARCH)

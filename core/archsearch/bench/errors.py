"""What can go wrong with a benchmark that a person can do something about."""

from archsearch.local.errors import LocalError


class BenchError(LocalError):
    """It was asked for wrongly: a bad table, a strategy that does not exist, a missing package."""

    exit_code = 2


class BenchFailedError(LocalError):
    """A search of the benchmark did not end as it must; there is no figure."""

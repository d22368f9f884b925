"""Tasks that the local backend may call in its own process (entry points ``archsearch.inprocess``): tables only."""

from archsearch.report import TrialInput, render_report
from archsearch.trial.tasks import tabular as table


def tabular(trial: TrialInput) -> bytes:
    """Look the child up; the bytes of its report, of an error where it is not there."""
    return render_report(table.run(trial))

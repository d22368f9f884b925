"""A search that is being deleted: nothing of it is to run while somebody's finalizer keeps it."""

from archsearch.operator import names
from archsearch.operator.cache import is_gone
from archsearch.operator.holdings import Holdings
from archsearch.operator.pods import is_over
from archsearch.operator.port import JOB, POD, Object
from archsearch.operator.recording import in_bunches
from archsearch.operator.shared import SearchRef, Shared


async def leave(shared: Shared, ref: SearchRef) -> None:
    """Delete the Jobs of a search that are not over, and its controller; the rest goes when the search does.

    Raises:
        ClusterError: something could not be deleted; the others have been.
    """
    holdings = Holdings(shared, ref)
    jobs = [job for job in holdings.jobs if not is_over(job)]
    pods = [pod for pod in holdings.pods if _is_controller(pod) and not is_gone(pod)]
    doomed = [(JOB, job) for job in jobs] + [(POD, pod) for pod in pods]
    await in_bunches([lambda one=one: holdings.delete(*one) for one in doomed])  # type: ignore[misc]


def _is_controller(pod: Object) -> bool:
    return bool(pod["metadata"].get("labels", {}).get(names.COMPONENT) == names.CONTROLLER)

"""Names, labels and annotations: everything that the operator makes is found again by these, and by nothing else."""

import hashlib

from archsearch.api import GROUP
from archsearch.engine.running import trial_name

SEARCHES = "architecturesearches"

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "archsearch"
COMPONENT = "app.kubernetes.io/component"
CONTROLLER = "controller"
TRIAL = "trial"
SELECTOR = f"{MANAGED_BY}={MANAGER}"
"""Selects everything that an operator has made, in its namespaces."""

SEARCH_LABEL = f"{GROUP}/search"
"""Name of the search, on everything made for it."""
SEARCH_UID_LABEL = f"{GROUP}/search-uid"
"""Uid of the search: a search deleted and made anew under the same name is another one."""
INDEX_LABEL = f"{GROUP}/index"
"""Index of the child, on trials, Jobs and trial pods."""
ATTEMPT_LABEL = f"{GROUP}/attempt"
"""Number of the attempt, on Jobs and trial pods."""
STOP_REASON = f"{GROUP}/stop-reason"
"""Annotation of a Job that is being stopped: why (Suspended, SearchEnded, Stale)."""
CONFIG_HASH = f"{GROUP}/config-hash"
"""Annotation of a controller pod: what it was made from; one made from something else is replaced."""

TRIAL_CONTAINER = "trial"
CONTROLLER_CONTAINER = "controller"
CONTROLLER_PORT = 8080
FIELD_MANAGER = "archsearch-operator"


def job_name(search: str, index: int, attempt: int) -> str:
    """Name of the Job of one attempt: ``<search>-<index, six digits>-<attempt>``, 57 characters at most."""
    return f"{trial_name(search, index)}-{attempt}"


def controller_service_name(search: str) -> str:
    """Name of the Service of a search's controller, the same for all its pods."""
    return f"{search}-controller"


def controller_pod_name(search: str, number: int) -> str:
    """Name of the ``number``-th controller pod of a search, from 1."""
    return f"{search}-controller-{number}"


def controller_secret_name(search: str, token: str) -> str:
    """Name of the Secret that holds ``token`` and the controller's configuration.

    It says which token it holds (12 digits of a hash), so that one of that name never has to be read or changed: the
    operator may create Secrets, and nothing else.
    """
    return f"{search}-controller-{hashlib.sha256(token.encode()).hexdigest()[:12]}"


def labels(search: str, uid: str, component: str) -> dict[str, str]:
    """Labels of everything made for the search ``search`` with uid ``uid``."""
    return {
        "app.kubernetes.io/name": MANAGER,
        MANAGED_BY: MANAGER,
        COMPONENT: component,
        SEARCH_LABEL: search,
        SEARCH_UID_LABEL: uid,
    }


def attempt_labels(search: str, uid: str, index: int, attempt: int) -> dict[str, str]:
    """Labels of a Job and its pod."""
    return {**labels(search, uid, TRIAL), INDEX_LABEL: str(index), ATTEMPT_LABEL: str(attempt)}

"""A search on a cluster as `archsearch show | best | trials | report | audit` read it: with the reader's own rights."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from kubernetes.aio.config.kube_config import list_kube_config_contexts

from archsearch import space as spaces
from archsearch.api import ArchitectureSearch
from archsearch.api.conditions import ConditionType
from archsearch.api.status import SearchStatus
from archsearch.cli.finding import Found, Place
from archsearch.controller_contract import PolicyState
from archsearch.engine.model import Trial
from archsearch.engine.record import SearchRecord
from archsearch.engine.running import trial_name
from archsearch.local.errors import LocalError, UsageError
from archsearch.manifest.suggesting import near
from archsearch.operator import names
from archsearch.operator.acceptance import Refused, accept
from archsearch.operator.client import connect
from archsearch.operator.codec import LedgerObjectError, read_trial
from archsearch.operator.conditions import find
from archsearch.operator.connecting import kubeconfig_file
from archsearch.operator.fields import text
from archsearch.operator.port import SEARCH, TRIAL, ClusterError, ClusterPort, NotFound, Object, Rejected
from archsearch.operator.progressing import TROUBLE
from archsearch.operator.search_status import outcome_of, read_status
from archsearch.operator.times import parse_time

_LISTED = 8
"""Searches that are named where the one asked for is not there."""
_DEADLINE = 30.0
"""Seconds that a call may take: a page of a list of thousands of trials, over a slow line."""
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class ClusterReadError(LocalError):
    """The cluster does not answer, or does not let us read."""


def read(name: str, place: Place) -> Found:
    """The search ``name`` on a cluster; also while it runs.

    Raises:
        UsageError: there is no such search, namespace, context or kubeconfig, or its manifest is refused.
        ClusterReadError: the cluster does not answer, or does not let us read.
    """
    return asyncio.run(_read(name, place))


async def _read(name: str, place: Place) -> Found:
    try:
        kubeconfig = kubeconfig_file()
        namespace = place.namespace or _namespace(kubeconfig, place.context)
        port = await connect(kubeconfig, place.context, deadline=_DEADLINE)
    except ClusterError as error:
        raise UsageError(str(error)) from error
    async with port:
        try:
            return await read_search(port, namespace, name)
        except Rejected as error:
            raise ClusterReadError(f"the cluster refuses: {error}") from error
        except ClusterError as error:
            raise ClusterReadError(f"the cluster cannot be read: {error}") from error


async def read_search(port: ClusterPort, namespace: str, name: str) -> Found:
    """The search ``name`` of ``namespace``, with every child of it.

    Raises:
        UsageError: there is none, or its manifest is refused.
        ClusterReadError: its ledger has been damaged.
        ClusterError: the cluster does not answer, or does not let us read.
    """
    try:
        object = await port.get(SEARCH, namespace, name)
    except NotFound:
        raise UsageError(await _absent(port, namespace, name)) from None
    accepted = accept(object)
    if isinstance(accepted, Refused):
        raise UsageError(f"the manifest of {name} in namespace {namespace} is refused:\n{accepted.message}")
    uid = text(object, "metadata", "uid") or ""
    listing = await port.list(TRIAL, namespace, f"{names.SEARCH_UID_LABEL}={uid}")
    trials = _trials(accepted.search, listing.items)
    return found_of(object, accepted.search, trials, namespace)


def found_of(object: Object, search: ArchitectureSearch, trials: tuple[Trial, ...], namespace: str) -> Found:
    """The search of ``object``, read as ``search``, with ``trials``."""
    status = read_status(object)
    created = text(object, "metadata", "creationTimestamp")
    record = SearchRecord(
        manifest=search,
        strategy=search.spec.strategy.resolved() if status.resolved is None else status.resolved.strategy,
        trials=trials,
        policy=_policy(status),
        outcome=outcome_of(status),
        started=_time(status.start_time) or _time(created) or datetime.now(UTC),
        active_seconds=status.active_seconds,
        warnings=status.warnings,
    )

    def log_of(trial: Trial) -> str | None:
        """The command that prints it, while its Job is kept."""
        job = names.job_name(search.metadata.name, trial.index, trial.attempts)
        return f"kubectl logs -n {namespace} job/{job}" if trial.attempts else None

    state, detail = _state(record, status)
    return Found(record, state, detail, log_of=log_of)


def _state(record: SearchRecord, status: SearchStatus) -> tuple[str, str]:
    """What the search is doing, in a word; and why, where it does not go on (an outcome is told by the record)."""
    if record.outcome is not None:
        return record.outcome.result.value, ""
    condition = find(status.conditions, ConditionType.PROGRESSING)
    if condition is None:
        return "Unseen", "no operator has looked at it yet"
    fine = condition.reason in ("Running", "Starting") and TROUBLE not in condition.message
    return condition.reason, "" if fine else condition.message


def _policy(status: SearchStatus) -> tuple[PolicyState, ...]:
    policy = status.policy
    if not policy.hash:
        return ()
    return (PolicyState(**policy.model_dump()),)


def _trials(search: ArchitectureSearch, objects: Sequence[Object]) -> tuple[Trial, ...]:
    space = spaces.build(search.spec.search_space)
    try:
        trials = sorted((read_trial(object, space) for object in objects), key=lambda trial: trial.index)
    except LedgerObjectError as error:
        raise ClusterReadError(f"the ledger is damaged: {error}") from error
    for position, trial in enumerate(trials):
        if trial.index != position:
            missing = trial_name(search.metadata.name, position)
            raise ClusterReadError(f"the ledger is damaged: somebody has deleted architecturetrial {missing}")
    return tuple(trials)


async def _absent(port: ClusterPort, namespace: str, name: str) -> str:
    """What to say of a search that is not there."""
    try:
        listing = await port.list(SEARCH, namespace)
    except NotFound:
        return "this cluster has no ArchitectureSearches at all: install the chart (helm install)"
    there = sorted(text(item, "metadata", "name") or "" for item in listing.items)
    if not there:
        return f"namespace {namespace} has no search {name}, nor any other"
    meant = near(name, there)
    more = f" and {len(there) - _LISTED} more" if len(there) > _LISTED else ""
    hint = f"did you mean {meant}?" if meant else f"there are: {', '.join(there[:_LISTED])}{more}"
    return f"namespace {namespace} has no search {name}; {hint}"


# --- which cluster ------------------------------------------------------------------------------------------------


def _namespace(kubeconfig: Path | None, context: str | None) -> str:
    """The namespace of ``context``, or of the current one, as kubectl has it."""
    if kubeconfig is None:
        account = _ACCOUNT / "namespace"
        return account.read_text().strip() if account.is_file() else "default"
    try:
        contexts, current = list_kube_config_contexts(str(kubeconfig))
    except Exception as error:  # a file of any content: the loader raises what it stumbles over
        raise UsageError(f"kubeconfig {kubeconfig} cannot be used: {error}") from error
    known = {str(one["name"]): one for one in contexts}
    if context is not None and context not in known:
        raise UsageError(f"kubeconfig {kubeconfig} has no context {context}; there are: {', '.join(sorted(known))}")
    chosen = current if context is None else known[context]
    return str((chosen.get("context") or {}).get("namespace") or "default")


def _time(value: str | None) -> datetime | None:
    try:
        return None if value is None else parse_time(value)
    except ValueError:
        return None

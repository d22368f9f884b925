"""The chart gives the operator the rights that it uses, and no others: as the API server's audit log has seen it.

One account's searches go through everything that can happen to them. A right that no call has needed fails the test,
and so does a call that was forbidden: the chart's list is the operator's, verb by verb.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chart
import pytest
from cluster_searches import apply, get, kubectl, search, until
from kube.binaries import CONTROL_PLANE, MissingProgram, find
from kube.control_plane import ControlPlane
from kube.stand_in import Outcome, StandIn, hashed_reward
from operator_runs import operator, settings_for
from rights import Call, Right, calls_of, forbidden, missing, rights_of, unused

from archsearch.operator import names
from archsearch.operator.port import SEARCH, TRIAL
from archsearch.report import Report, TrialInput, render_report

ACCOUNT = "archsearch-operator"
RIGHTS = {"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
FORMS = ["cluster-wide", "namespaced"]
Object = dict[str, Any]


# --- the comparison itself ------------------------------------------------------------------------------------------


def rendered(form: str) -> set[Right]:
    values = {"operator": {"watchNamespaces": ["team"]}} if form == "namespaced" else {}
    return rights_of(chart.template(values, namespace="nas"), ("nas", ACCOUNT))


def used(rights: set[Right]) -> set[Call]:
    """Calls that need each of ``rights`` once."""
    return {Call(one.group, one.resource, one.verb, one.namespace or "team", one.name or "any") for one in rights}


@pytest.fixture(scope="module")
def _programs() -> None:
    try:
        for program in (*CONTROL_PLANE, "helm"):
            find(program)
    except MissingProgram as absent:
        if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
            pytest.fail(str(absent), pytrace=False)
        pytest.skip(str(absent))


@pytest.mark.usefixtures("_programs")
@pytest.mark.parametrize("form", FORMS)
def test_without_any_one_rule_a_call_is_missing_its_right_and_one_too_many_is_unused(form: str) -> None:
    rights = rendered(form)
    assert len(rights) > 25
    calls = used(rights)
    assert missing(rights, calls) == unused(rights, calls) == []
    for one in rights:
        (told,) = missing(rights - {one}, calls)
        assert told.startswith(f"{one.verb} {one.resource}")
        assert unused(rights, {call for call in calls if not one.allows(call)}) == [str(one)]
    assert unused({*rights, Right("", "nodes", "list")}, calls) == ["list nodes everywhere"]


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        (Call("batch", "jobs", "get", "team", "any"), True),
        (Call("batch", "jobs", "get", "other", "any"), False),
        (Call("batch", "jobs", "list", None), False),
        (Call("batch", "jobs/status", "get", "team", "any"), False),
        (Call("", "jobs", "get", "team", "any"), False),
        (Call("", "pods", "watch", None), True),
        (Call("", "pods", "watch", "anywhere"), True),
        (Call("coordination.k8s.io", "leases", "patch", "team", "ours"), True),
        (Call("coordination.k8s.io", "leases", "patch", "team", "theirs"), False),
    ],
    ids=str,
)
def test_a_right_holds_for_its_namespace_resource_and_name_only(call: Call, allowed: bool) -> None:
    rights = [
        Right("batch", "jobs", "get", "team"),
        Right("", "pods", "watch"),
        Right("coordination.k8s.io", "leases", "patch", "team", "ours"),
    ]
    assert (missing(rights, [call]) == []) is allowed


@pytest.mark.parametrize("rule", [{"resources": ["*"]}, {"verbs": ["*"]}, {"apiGroups": ["*"]}], ids=str)
def test_a_wildcard_can_be_compared_with_nothing(rule: Object) -> None:
    whole = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], **rule}
    role = {"kind": "ClusterRole", "metadata": {"name": "all"}, "rules": [whole]}
    subjects = [{"namespace": "nas", "name": ACCOUNT}]
    reference = {"kind": "ClusterRole", "name": "all"}
    binding = {"kind": "ClusterRoleBinding", "metadata": {"name": "all"}, "roleRef": reference, "subjects": subjects}
    with pytest.raises(AssertionError, match="wildcard"):
        rights_of([role, binding], ("nas", ACCOUNT))


# --- the operator's calls -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plane(_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane for these tests alone: an operator for the whole cluster would take every test's searches."""
    plane = ControlPlane(tmp_path_factory.mktemp("rights"))
    plane.start()
    yield plane
    plane.stop()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("form", FORMS)
async def test_the_chart_gives_the_rights_that_are_used_and_no_others(
    form: str, plane: ControlPlane, tmp_path: Path
) -> None:
    home, team, other = (f"{form}-{part}" for part in ("home", "team", "other"))
    objects = await asyncio.to_thread(install, plane, home, team, other, namespaced=form == "namespaced")
    user = f"system:serviceaccount:{home}:{ACCOUNT}"
    settings = settings_for(
        plane.service_account_kubeconfig(home, ACCOUNT),
        team,
        namespaces=(team,) if form == "namespaced" else (),
        lease_namespace=home,
        resync=2.0,
    )
    try:
        async with StandIn(plane, tmp_path, namespaces=[team, other], trial=program) as node:
            async with operator(settings):
                await troubled(plane, team, node)
            async with operator(settings):  # which finds what the first one has left
                await apply(plane, search("elsewhere", other, trials={"max": 2}))
                await relieved(plane, team, node)
                await everything_else(plane, team)
                if form == "cluster-wide":
                    await until(plane, other, "elsewhere", "Succeeded")
            elsewhere = await get(plane, other, "archsearch", "elsewhere")
            lease = await get(plane, home, "lease", ACCOUNT)
    finally:
        for kind in ("clusterrolebinding", "clusterrole"):
            await kubectl(plane, "delete", kind, ACCOUNT, "--ignore-not-found")
    assert lease["spec"].get("holderIdentity", "") == "", "the Lease was not released"
    events = list(plane.audit_events(user))
    rights, calls = rights_of(objects, (home, ACCOUNT)), calls_of(events)
    assert forbidden(events) == [], "calls that the chart gives no right to"
    assert missing(rights, calls) == [], "calls that were allowed by somebody else's roles"
    assert unused(rights, calls) == [], "rights of the chart that nothing has needed"
    assert {one.verb for one in rights if one.resource == "secrets"} == {"create"}
    assert ("status" in elsewhere) is (form == "cluster-wide")
    assert {call.namespace for call in calls} - {None} == {home, team} | ({other} if form == "cluster-wide" else set())


def install(plane: ControlPlane, home: str, team: str, other: str, *, namespaced: bool) -> list[Object]:
    """What the chart renders apart from what runs, applied; returns once the rights are in force."""
    for name in (home, team, other):
        plane.kubectl("create", "namespace", name)
    values = {"operator": {"watchNamespaces": [team]}} if namespaced else {}
    objects = [found for found in chart.template(values, namespace=home) if found["kind"] in RIGHTS]
    plane.kubectl("apply", "--server-side", "-f", "-", input=chart.with_values({
        "apiVersion": "v1", "kind": "List", "items": objects,
    }))  # fmt: skip
    crds = [f"customresourcedefinition/{plural}.archsearch.io" for plural in (SEARCH.plural, TRIAL.plural)]
    plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", *crds)
    user = f"system:serviceaccount:{home}:{ACCOUNT}"
    for verb, resource, namespace in (("create", "leases.coordination.k8s.io", home), ("list", "pods", team)):
        ask = ("auth", "can-i", verb, resource, "-n", namespace)
        plane.wait_until(
            lambda ask=ask: plane.kubectl(*ask, as_user=user, check=False).returncode == 0,  # type: ignore[misc]
            f"{user} to get its rights",
        )
    return objects


def program(given: TrialInput) -> Report | Outcome:
    """Rewards by the architecture; children of the search `printed` say them in their logs."""
    report = hashed_reward(given)
    return Outcome(log=b"epoch 1\n" + render_report(report) + b"\nbye\n") if given.search == "printed" else report


async def everything_else(plane: ControlPlane, team: str) -> None:
    """A record that is in the way, reports that are printed, searches that are deleted."""
    await an_earlier_record(plane, team)
    await apply(plane, search("printed", team, trial={"report": {"from": "Log"}, **CUSTOM}))
    await until(plane, team, "printed", "Succeeded")
    await until(plane, team, "later", "Succeeded")
    await kubectl(plane, "delete", "archsearch", "--all", "-n", team)
    await kubectl(plane, "wait", "--for=delete", "archtrial", "--all", "-n", team, "--timeout=60s")


CUSTOM: Object = {"task": {"custom": {}}, "image": "localhost/archsearch/trial:test"}


async def an_earlier_record(plane: ControlPlane, team: str) -> None:
    """A record that an earlier search of the name `later` has left behind: it is looked at, and waited out."""
    record = {
        "apiVersion": "archsearch.io/v1alpha1",
        "kind": "ArchitectureTrial",
        "metadata": {
            "name": "later-000000",
            "namespace": team,
            "labels": names.labels("later", "uid-of-an-earlier-search", names.TRIAL),
        },
        "spec": {
            "searchName": "later",
            "index": 0,
            "genotype": [0, 0, 0],
            "architecture": {"kind": "choices", "values": {"a": 1, "b": 1, "c": 1}},
            "sampledBy": {"policyVersion": 0, "logProbability": -4.0},
        },
    }
    await apply(plane, record, search("later", team))
    await looked_at(plane, team, "architecturetrials", "later-000000")
    await kubectl(plane, "delete", "archtrial", "later-000000", "-n", team)


async def looked_at(plane: ControlPlane, namespace: str, resource: str, name: str) -> None:
    """Wait until an operator has read an object by its name."""

    def was() -> bool:
        events = (event for event in plane.audit_events() if ACCOUNT in event["user"].get("username", ""))
        calls = calls_of(event for event in events if event["verb"] == "get")
        return any((call.namespace, call.resource, call.name) == (namespace, resource, name) for call in calls)

    await asyncio.to_thread(plane.wait_until, was, f"a get of {resource} {name}")


async def troubled(plane: ControlPlane, team: str, node: StandIn) -> None:
    """A search that meets a quota, loses its controller, a record and Jobs, and is suspended in between."""
    quota = {"hard": {"count/jobs.batch": "1"}}
    await apply(plane, {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "jobs", "namespace": team}, "spec": quota,
    })  # fmt: skip
    await kubectl(plane, "wait", "resourcequota/jobs", "-n", team, "--for=jsonpath={.status.used}", "--timeout=30s")
    node.hold()
    node.set_slots(1)
    await apply(plane, search("troubled", team))
    await told(plane, team, "troubled", "JobRefused")
    await kubectl(plane, "delete", "resourcequota", "jobs", "-n", team)
    await node.until(lambda: len(node.pods(search="troubled")) == 2, "a second pod")
    # A Job that goes before its pod has run: whether it is really gone is asked.
    running = await node.running_trial(0, search="troubled")
    await kubectl(plane, "delete", "job", "troubled-000001-1", "-n", team)
    await looked_at(plane, team, "jobs", "troubled-000001-1")
    controller = await node.running_controller(search="troubled")
    await node.delete(controller)
    await node.until(
        lambda: any(pod.ready and pod.name != controller.name for pod in controllers(node)), "another controller"
    )
    # A pod whose Job is gone is stopped itself; one with a Job is stopped by it.
    await kubectl(plane, "delete", "job", "troubled-000000-1", "-n", team, "--cascade=orphan")
    await kubectl(plane, "delete", "archtrial", "troubled-000000", "-n", team)
    await suspend(plane, team, True)
    await node.until(lambda: running.name not in {pod.name for pod in node.pods()}, "the orphaned pod to be stopped")
    # The record is made anew with the next thing that there is to record.
    await kubectl(plane, "wait", "--for=create", "archtrial/troubled-000000", "-n", team, "--timeout=30s")


async def relieved(plane: ControlPlane, team: str, node: StandIn) -> None:
    """The same search has room, and goes on to its end."""
    node.set_slots(None)
    node.release()
    await suspend(plane, team, False)
    await until(plane, team, "troubled", "Succeeded")


async def told(plane: ControlPlane, namespace: str, name: str, word: str) -> None:
    """Wait until the condition Progressing of a search speaks of ``word``."""

    def does() -> bool:
        conditions = plane.get("archsearch", name, "-n", namespace).get("status", {}).get("conditions", ())
        return any(word in str(one) for one in conditions if one["type"] == "Progressing")

    await asyncio.to_thread(plane.wait_until, does, f"{word} in the conditions of {name}")


def controllers(node: StandIn) -> list[Any]:
    return node.pods(component=names.CONTROLLER, search="troubled")


async def suspend(plane: ControlPlane, team: str, yes: bool) -> None:
    patch = f'{{"spec":{{"suspend":{str(yes).lower()}}}}}'
    await kubectl(plane, "patch", "archsearch", "troubled", "-n", team, "--type=merge", "-p", patch)

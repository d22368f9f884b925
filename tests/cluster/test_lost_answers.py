"""Answers that get lost and operators that are killed between two calls: nothing lost, nothing doubled."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cluster_searches import taught
from kube.control_plane import ControlPlane
from kube.stand_in import hashed_reward
from losing_port import Losing, killed_after
from operator_runs import operator, settings_for
from reconciling import JOBS, TRIALS, World, world

from archsearch.operator.port import ClusterPort
from archsearch.report import Report, TrialInput

pytestmark = pytest.mark.timeout(150)
Object = dict[str, Any]
SEARCH: Object = {"trials": {"max": 12, "parallelism": 2, "reproducible": True}, "strategy": {"reinforce": {}}}
KINDS = (
    "create architecturetrials",
    "patch architecturetrials Running",
    "create jobs",
    "patch architecturetrials Succeeded",
    "patch jobs",
    "patch architecturesearches",
)
DEATHS = (
    ("create secrets", 1),
    ("create pods", 1),
    ("create architecturetrials", 2),
    ("patch architecturetrials Running", 1),
    ("create jobs", 1),
    ("patch architecturetrials Succeeded", 1),
    ("patch jobs", 1),
    ("patch architecturesearches", 2),
)


def losing(after: Callable[[str, Object], Awaitable[bool]]) -> Callable[[ClusterPort], ClusterPort]:
    return lambda port: Losing(port, after)


def result(here: World) -> tuple[object, ...]:
    """What must be the same however a search was disturbed."""
    status = here.status("s")
    return taught(here.trials("s")), status["policy"]["hash"], status["policy"]["asked"], status["counts"]


async def test_lost_answers_and_killed_operators_change_nothing(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    trained: list[list[int]] = [[]]

    def trial(given: TrialInput) -> Report:
        trained[-1].append(given.index)
        return hashed_reward(given)

    seen: Counter[str] = Counter()

    async def after(what: str, _: Object) -> bool:
        seen[what] += 1
        return what in KINDS and seen[what] in (1, 2, 5)

    settings = settings_for(control_plane.kubeconfig, namespace)
    results: list[tuple[object, ...]] = []
    async with world(control_plane, namespace, tmp_path, act=False, trial=trial) as here:

        async def end(attempts: int) -> None:
            await here.until_ended("s")
            results.append(result(here))
            assert max(trial["status"]["attempts"] for trial in here.trials("s")) <= attempts
            assert len(here.jobs("s")) == len(trained[-1])  # each is kept for a while once it is over
            await here.delete("s")
            # It may take the collector half a minute to see that there are new kinds.
            await here.until(lambda: not here.names(TRIALS) | here.names(JOBS), "all of it to go", 60)
            trained.append([])

        async with operator(settings):
            await here.search("s", **SEARCH)
            await end(1)
        async with operator(settings, losing(after)):
            await here.search("s", **SEARCH)
            await end(1)
        assert all(seen[what] >= 5 for what in KINDS), seen
        await here.search("s", **SEARCH)
        for what, number in DEATHS:
            async with killed_after(settings, what, number) as dead, asyncio.timeout(20):
                await dead.wait()
        assert here.reason("s", "Succeeded")[0] != "True"
        async with operator(settings):
            await end(2)  # one that had no Job yet counts as lost
    assert results == [results[0]] * 3
    assert [sorted(each) for each in trained[:3]] == [sorted(trained[0])] * 3
    assert len(set(trained[0])) == len(trained[0])
    assert here.stand_in.most_at_once[namespace, "s"] <= 2


async def test_an_observation_number_whose_answer_was_lost_is_not_given_to_another_child(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    lost: list[str] = []
    async with world(control_plane, namespace, tmp_path, act=False, hold=True) as here:

        async def after(what: str, object: Object) -> bool:
            if lost or what != "patch architecturetrials Succeeded":
                return False
            lost.append(object["metadata"]["name"])
            # A child with a lower index ends while nobody knows whether this one has its number.
            here.stand_in.release(await here.stand_in.running_trial(0))
            await here.until(lambda: _complete(here, "s-000000-1"), "child 0 to end")
            return True

        settings = settings_for(control_plane.kubeconfig, namespace)
        async with operator(settings, losing(after)):
            await here.search("s", trials={"max": 4, "parallelism": 2})
            here.stand_in.release(await here.stand_in.running_trial(1))
            await here.until(lambda: here.trial("s", 0).get("phase") == "Succeeded", "child 0 in the ledger")
            here.stand_in.release()
            await here.until_ended("s")
        assert lost == ["s-000001"]
        assert [here.trial("s", index)["observation"] for index in (1, 0)] == [0, 1]
        assert sorted(here.trial("s", index)["observation"] for index in range(4)) == [0, 1, 2, 3]
        assert [here.trial("s", index)["attempts"] for index in range(4)] == [1, 1, 1, 1]


def _complete(here: World, name: str) -> bool:
    job = next((job for job in here.jobs("s") if job["metadata"]["name"] == name), {})
    return any(one["type"] == "Complete" for one in job.get("status", {}).get("conditions", ()))


async def test_a_stop_that_fails_is_made_again(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    class Refusing(Losing):
        async def delete(self, resource: Any, namespace: str, name: str, **options: Any) -> None:
            deletions.append(name)
            if len(deletions) <= 2:
                await super()._lost("delete jobs", {})
            await super().delete(resource, namespace, name, **options)

    deletions: list[str] = []

    async def after(what: str, _: Object) -> bool:
        return what == "delete jobs" and len(deletions) <= 2

    async with world(control_plane, namespace, tmp_path, act=False, hold=True) as here:
        settings = settings_for(control_plane.kubeconfig, namespace)
        async with operator(settings, lambda port: Refusing(port, after)):
            await here.search("s", trials={"max": 4, "parallelism": 2})
            for index in (0, 1):
                await here.stand_in.running_trial(index)
            await here.edit("s", suspend=True)
            await here.until_reason("s", "False", "Suspended", 15)
        assert len(deletions) >= 4
        assert [here.trial("s", index)["reason"] for index in (0, 1)] == ["Suspended"] * 2
        assert [here.trial("s", index)["failures"] for index in (0, 1)] == [0, 0]


async def test_a_ledger_that_is_not_what_memory_has_is_told_and_read_anew(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    swapped: list[list[int]] = []
    async with world(control_plane, namespace, tmp_path, act=False, hold=True) as here:

        async def after(what: str, object: Object) -> bool:
            if swapped or what != "patch architecturetrials Succeeded":
                return False
            name, spec = object["metadata"]["name"], object["spec"]
            genotype = [(value + 1) % 4 for value in spec["genotype"]]
            choices = spec["architecture"]["values"]
            architecture = {**spec["architecture"], "values": {key: value % 4 + 1 for key, value in choices.items()}}
            metadata = {k: object["metadata"][k] for k in ("name", "namespace", "labels", "ownerReferences")}
            swapped.append(genotype)
            body = {key: object[key] for key in ("apiVersion", "kind")}
            body |= {"metadata": metadata, "spec": {**spec, "genotype": genotype, "architecture": architecture}}
            await here.delete(name, of=TRIALS)
            await here.api.call("POST", here.path(of=TRIALS), body)
            return True

        settings = settings_for(control_plane.kubeconfig, namespace)
        async with operator(settings, losing(after)):
            await here.search("s", trials={"max": 2, "parallelism": 1})
            here.stand_in.release(await here.stand_in.running_trial(0))
            await here.until(lambda: here.reason("s", "Ready") == ("False", "LedgerBroken"), "it to be told")
            assert "genotype of trial 0" in here.condition("s", "Ready")["message"]
            here.stand_in.release()
            await here.until(lambda: here.reason("s", "Ready") == ("True", "Accepted"), "it to go on")
            await here.until_ended("s")
        assert here.trials("s")[0]["spec"]["genotype"] == swapped[0]
        assert sorted(trial["status"]["observation"] for trial in here.trials("s")) == [0, 1]

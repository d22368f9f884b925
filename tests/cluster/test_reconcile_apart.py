"""Searches are kept apart: by name, by namespace, from those before them; what is deleted goes whole."""

import json
import uuid
from pathlib import Path
from typing import Any

from cluster_searches import kubectl
from kube.control_plane import ControlPlane
from kube.stand_in import hashed_reward
from reconciling import JOBS, TRIALS, World, world

KINDS = "architecturetrials,jobs,pods,secrets,services,networkpolicies"


async def left(here: World, namespace: str, name: str) -> list[str]:
    """What is there of a search, of any kind."""
    flags = ["-n", namespace, "-l", f"archsearch.io/search={name}", "-o", "name"]
    return str((await kubectl(here.plane, "get", KINDS, *flags)).stdout).split()


async def test_a_search_made_anew_under_its_name_at_once_runs_clean_and_leaves_nothing(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, hold=True) as here:
        await here.search("s", trials={"max": 6, "parallelism": 3})
        here.stand_in.release(await here.stand_in.running_trial(0))
        await here.until(lambda: here.trial("s", 0).get("phase") == "Succeeded", "a result")
        await here.stand_in.running_trial(3)
        await here.delete("s")
        await here.search("s", trials={"max": 2, "parallelism": 2}, seed=4)
        here.stand_in.release()
        await here.until(lambda: here.status("s").get("progress") == "2/2", "the second one to end", 60)
        await here.until_ended("s")
        assert len(here.trials("s")) == 2
        uid = here.trials("s")[0]["metadata"]["labels"]["archsearch.io/search-uid"]
        policies = json.loads(
            (await kubectl(control_plane, "get", "service,networkpolicy", "-n", namespace, "-o", "json")).stdout
        )["items"]
        owners = [one["metadata"]["labels"]["archsearch.io/search-uid"] for one in policies]
        assert owners == [uid] * 3
        await here.delete("s")
        await here.until(lambda: not here.names(TRIALS) | here.names(JOBS), "all of it to go", 20)
        await kubectl(control_plane, "wait", "--for=delete", "--timeout=20s", "-n", namespace, "pods", "--all")
        assert await left(here, namespace, "s") == []


async def test_equal_names_in_two_namespaces_and_two_names_in_one_do_not_mix(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    other = f"test-{uuid.uuid4().hex[:10]}"
    await kubectl(control_plane, "create", "namespace", other)
    both: dict[str, Any] = {"namespaces": (namespace, other)}
    async with world(
        control_plane, namespace, tmp_path, namespaces=[namespace, other], hold=True, settings=both
    ) as here:
        await here.search("s", trials={"max": 3, "parallelism": 1})
        await here.search("t", trials={"max": 2, "parallelism": 2}, seed=8)
        await here.search("s", namespace=other, trials={"max": 40, "parallelism": 2}, seed=9)
        await here.stand_in.until(lambda: len([p for p in here.stand_in.pods() if p.running]) == 5, "five children")
        here.stand_in.release()
        await kubectl(control_plane, "delete", "namespace", other, "--wait=false")
        for name, count in (("s", 3), ("t", 2)):
            status = await here.until_ended(name)
            assert (status["counts"]["succeeded"], len(here.trials(name))) == (count, count)
        genotypes = [trial["spec"]["genotype"] for name in ("s", "t") for trial in here.trials(name)]
        assert len({tuple(genotype) for genotype in genotypes}) > 2
        assert here.stand_in.most_at_once[namespace, "s"] == 1
        await kubectl(control_plane, "wait", "--for=delete", f"namespace/{other}", "--timeout=40s")
        assert here.reason("s", "Succeeded") == ("True", "MaxTrialsReached")


async def test_a_ledger_that_is_broken_is_told_stops_no_other_search_and_may_be_mended(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path / "one") as here:
        await here.search("s", trials={"max": 3, "parallelism": 1})
        await here.until_ended("s")
        kept = here.trials("s")[1]
    async with world(control_plane, namespace, tmp_path / "two", act=False) as here:
        await here.delete("s-000001", of=TRIALS)
        await here.edit("s", trials={"max": 4})
    async with world(control_plane, namespace, tmp_path / "three") as here:
        await here.search("t", trials={"max": 1})
        await here.until(lambda: here.reason("s", "Ready") == ("False", "LedgerBroken"), "it to be told")
        told = here.condition("s", "Ready")["message"]
        assert "trial 1 is missing: ArchitectureTrial s-000001 was deleted" in told
        await here.until_ended("t")
        metadata = {key: kept["metadata"][key] for key in ("name", "namespace", "labels", "ownerReferences")}
        body = {key: kept[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": metadata}
        await here.api.call("POST", here.path(of=TRIALS), body)
        await here.api.call("PATCH", f"{here.path('s-000001', of=TRIALS)}/status", {"status": kept["status"]})
        await here.until(lambda: here.status("s")["progress"] == "4/4", "it to go on", 60)
        await here.until_ended("s")


async def test_a_tiny_space_is_exhausted_and_equal_children_are_trained_once(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    trained: list[int] = []

    def trial(given: Any) -> Any:
        trained.append(given.index)
        return hashed_reward(given)

    tiny = {"choices": [{"name": "a", "values": [1, 2]}, {"name": "b", "values": [1, 2]}]}
    async with world(control_plane, namespace, tmp_path, trial=trial) as here:
        await here.search("s", searchSpace=tiny, trials={"max": 60, "parallelism": 2, "lookahead": 2})
        status = await here.until_ended("s")
        assert here.reason("s", "Succeeded") == ("True", "SpaceExhausted")
        assert len(trained) == 4
        assert status["counts"]["reused"] == len(here.trials("s")) - 4 > 0
        assert len(status["best"]) == 4


async def test_the_target_the_deadline_and_lookahead_are_kept(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, hold=True) as here:
        await here.search("target", objective={"target": 0.0}, trials={"max": 50, "parallelism": 1, "lookahead": 3})
        await here.until(lambda: len(here.trials("target")) == 4, "children proposed ahead")
        assert len(here.jobs("target")) == 1
        here.stand_in.release(await here.stand_in.running_trial(0, search="target"))
        status = await here.until_ended("target")
        assert here.reason("target", "Succeeded") == ("True", "TargetReached")
        assert status["counts"]["succeeded"] == 1
        assert status["counts"]["stopped"] == len(here.trials("target")) - 1
        await here.search("late", trials={"max": 50, "parallelism": 2, "deadline": "4s"})
        await here.until_ended("late", "Failed", 20)
        assert here.reason("late", "Failed") == ("True", "DeadlineReached")
        await here.until(lambda: not here.stand_in.pods(search="late"), "everything to end", 15)

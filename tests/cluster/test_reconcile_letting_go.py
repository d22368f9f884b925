"""What is over holds nothing: sidecars, Jobs that would start again, searches that a finalizer keeps, lost logs."""

from pathlib import Path
from typing import Any

import pytest
from kube.control_plane import ControlPlane
from kube.stand_in import Outcome, hashed_reward
from losing_port import Losing
from operator_runs import operator, settings_for
from reconciling import JOBS, SEARCHES, World, world

from archsearch.operator import tidying
from archsearch.operator.port import Object, Rejected, Resource, Unavailable
from archsearch.report import TrialInput, render_report

TRIAL: Object = {"task": {"custom": {}}, "image": "trial:test"}


async def never(_: str, __: Object) -> bool:
    return False


async def test_a_sidecar_that_does_not_end_holds_a_slot_for_a_while_and_is_told(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "LINGERS_FOR", 1.0)
    template = {"spec": {"containers": [{"name": "logs", "image": "logs:1"}]}}
    async with world(control_plane, namespace, tmp_path, late_phase=100) as here:
        await here.search("s", trials={"max": 3, "parallelism": 1}, trial={**TRIAL, "podTemplate": template})
        status = await here.until_ended("s")
        assert status["counts"]["succeeded"] == 3
        assert "do not end when the trial does (logs)" in status["warnings"][0]
        assert here.stand_in.most_at_once[namespace, "s"] == 1


async def test_a_job_that_is_suspended_and_has_lost_its_pod_goes_for_it_would_train_again(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, hold=True) as here:
        await here.search("s", trials={"max": 1})
        await here.stand_in.running_trial(0)
        await here.api.call("PATCH", here.path("s-000000-1", of=JOBS), {"spec": {"suspend": True}})
        await here.until(lambda: here.trial("s", 0).get("attempts") == 2, "another attempt")
        await here.until(lambda: here.names(JOBS) == {"s-000000-2"}, "the first Job to go", 10)
        here.stand_in.release()
        await here.until_ended("s")
        assert here.trial("s", 0).get("failures", 0) == 0


async def test_nothing_runs_of_a_search_that_is_deleted_and_kept_by_a_finalizer(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    keep = {"metadata": {"finalizers": ["example.org/keep"]}}
    async with world(control_plane, namespace, tmp_path, hold=True) as here:
        await here.search("s", trials={"max": 4, "parallelism": 2})
        for index in (0, 1):
            await here.stand_in.running_trial(index)
        await here.api.call("PATCH", here.path("s"), keep)
        await here.delete("s")
        await here.until(lambda: not here.names(JOBS), "its Jobs to go", 10)
        await here.stand_in.until(lambda: not _pods(here), "its pods to go", 10)
        assert here.names(SEARCHES) == {"s"}
        await here.api.call("PATCH", here.path("s"), {"metadata": {"finalizers": None}})
        await here.until(lambda: not here.names(SEARCHES), "the search to go", 10)


def _pods(here: World) -> list[Any]:
    return here.stand_in.pods() + here.stand_in.pods(component="controller")


async def test_a_status_that_was_edited_by_hand_is_written_again_and_a_good_one_is_not(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    looked: list[str] = []
    written: list[str] = []

    class Looking(Losing):
        async def get(self, resource: Resource, namespace: str, name: str) -> Object:
            looked.extend([name] if resource.kind == "ArchitectureSearch" else [])
            return await super().get(resource, namespace, name)

    async def after(what: str, _: Object) -> bool:
        written.extend([what] if what.startswith("patch architecturesearches") else [])
        return False

    settings = settings_for(control_plane.kubeconfig, namespace, resync=0.5)
    async with (
        world(control_plane, namespace, tmp_path, act=False) as here,
        operator(settings, lambda port: Looking(port, after)),
    ):
        await here.search("s", trials={"max": 2})
        good = await here.until_ended("s")
        before = len(looked)
        await here.until(lambda: len(looked) >= before + 2, "its last write")
        writes, before = len(written), len(looked)
        await here.until(lambda: len(looked) >= before + 3, "three more looks")
        assert len(written) == writes
        edited = {"status": {"progress": "9/9", "counts": {"succeeded": 77}, "best": None}}
        await here.api.call("PATCH", f"{here.path('s')}/status", edited)
        await here.until(lambda: here.status("s").get("progress") == "2/2", "the status")
        clocks = {"activeSeconds", "gpuSeconds"}
        assert all(here.status("s")[key] == good[key] for key in good.keys() - clocks)


async def test_a_log_that_cannot_be_read_loses_the_attempt_after_a_while_and_one_refusal_does_not(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    refusals: list[str] = []

    class Deaf(Losing):
        async def log(self, namespace: str, pod: str, container: str, *, tail_bytes: int) -> bytes:
            if pod.startswith("s-000000-1"):
                raise Unavailable("no route to the node")
            if pod.startswith("s-000001-1") and not refusals:
                refusals.append(pod)
                raise Rejected("container is not available", 400)
            return await super().log(namespace, pod, container, tail_bytes=tail_bytes)

    def trial(given: TrialInput) -> Outcome:
        return Outcome(log=render_report(hashed_reward(given)))

    settings = settings_for(control_plane.kubeconfig, namespace, node_lost_after=3.0)
    async with world(control_plane, namespace, tmp_path, act=False, trial=trial) as here:
        async with operator(settings, lambda port: Deaf(port, never)):
            await here.search("s", trials={"max": 2, "retries": 0}, trial={**TRIAL, "report": {"from": "Log"}})
            status = await here.until_ended("s")
        assert status["counts"]["succeeded"] == 2
        assert [here.trial("s", index)["attempts"] for index in (0, 1)] == [2, 1]
        assert refusals

"""The stand-in for nodes treats pods as a scheduler and a kubelet do: these are the facts that other tests build on."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientSession
from kube.control_plane import ControlPlane
from kube.stand_in import Outcome, Refusal, StandIn, hashed_reward

from archsearch.operator import names
from archsearch.report import Report, TrialInput, error_report, parse_report

MakeStandIn = Callable[..., StandIn]
GIVEN = {
    "search": "s",
    "trial": "s-000000",
    "index": 0,
    "architecture": {"layers": [1, 2]},
    "task": {"tabular": {}},
    "seed": 1,
    "attempt": 1,
}


def job(namespace: str, index: int = 0, **pod: Any) -> dict[str, Any]:
    """A Job as the operator makes them, as far as a node cares."""
    labels = names.attempt_labels("s", "uid-of-s", index, 1)
    given = json.dumps({**GIVEN, "index": index, "architecture": {"layers": [index, 2]}})
    container = {
        "name": names.TRIAL_CONTAINER,
        "image": "trial:1",
        "env": [{"name": "ARCHSEARCH_TRIAL", "value": given}],
    }
    spec = {"restartPolicy": "Never", "containers": [container], **pod}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": names.job_name("s", index, 1), "namespace": namespace, "labels": labels},
        "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": labels}, "spec": spec}},
    }


def pods_of(plane: ControlPlane, namespace: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plane.get("pods", "-n", namespace)["items"]
    return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))


def ended(pod: dict[str, Any]) -> dict[str, Any]:
    state: dict[str, Any] = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    return state


async def test_a_trial_reports_what_the_test_says(
    control_plane: ControlPlane, namespace: str, stand_in: MakeStandIn
) -> None:
    async with stand_in() as node:
        control_plane.apply(job(namespace))
        await node.until(lambda: [pod.phase for pod in node.pods()] == ["Succeeded"], "the trial's end")
        (pod,) = pods_of(control_plane, namespace)

    given = TrialInput.model_validate({**GIVEN, "architecture": {"layers": [0, 2]}})
    assert parse_report(ended(pod)["message"].encode()) == hashed_reward(given)
    assert ended(pod)["exitCode"] == 0
    assert node.most_at_once == {(namespace, "s"): 1}


async def test_the_job_controller_sees_that_its_pod_has_ended(
    control_plane: ControlPlane, namespace: str, stand_in: MakeStandIn
) -> None:
    outcomes: dict[int, Report | Outcome] = {
        0: Report(metrics={"accuracy": 0.5}),
        1: Outcome(error_report("OutOfMemory", "too big").model_dump_json().encode(), exit_code=3),
    }
    async with stand_in(trial=lambda given: outcomes[given.index], late_phase=0.2):
        control_plane.apply(job(namespace, 0), job(namespace, 1))
        waits = ("-n", namespace, "--timeout=30s")
        await asyncio.to_thread(control_plane.kubectl, "wait", "--for=condition=Complete", "job/s-000000-1", *waits)
        await asyncio.to_thread(control_plane.kubectl, "wait", "--for=condition=Failed", "job/s-000001-1", *waits)


async def test_no_more_trials_run_than_there_are_slots(
    control_plane: ControlPlane, namespace: str, stand_in: MakeStandIn
) -> None:
    def unschedulable() -> int:
        conditions = [each for pod in pods_of(control_plane, namespace) for each in pod["status"].get("conditions", ())]
        return sum(each.get("reason") == "Unschedulable" for each in conditions)

    async with stand_in(slots=2, hold=True) as node:
        control_plane.apply(*(job(namespace, index) for index in range(4)))
        await node.until(lambda: sum(pod.running for pod in node.pods()) == 2 and len(node.pods()) == 4, "two to run")
        await node.until(lambda: unschedulable() == 2, "two to be told that there is no room")
        node.release()
        await node.until(lambda: all(pod.phase == "Succeeded" for pod in node.pods()), "all to end")

    assert node.most_at_once == {(namespace, "s"): 4}


async def test_a_pod_that_is_not_refused_any_more_starts(
    control_plane: ControlPlane, namespace: str, stand_in: MakeStandIn
) -> None:
    def reason() -> str:
        (pod,) = pods_of(control_plane, namespace) or ({},)
        (container,) = pod.get("status", {}).get("containerStatuses", ()) or ({},)
        return str(container.get("state", {}).get("waiting", {}).get("reason", ""))

    async with stand_in() as node:
        node.refuse(Refusal.IMAGE_PULL)
        control_plane.apply(job(namespace))
        await node.until(lambda: len(node.pods()) == 1 and reason() == "ImagePullBackOff", "the pull to fail")
        node.accept()
        await node.until(lambda: [pod.phase for pod in node.pods()] == ["Succeeded"], "the trial's end")


async def test_faults_end_pods_as_nodes_do(control_plane: ControlPlane, namespace: str, stand_in: MakeStandIn) -> None:
    async with stand_in(hold=True) as node:
        control_plane.apply(*(job(namespace, index) for index in range(3)))
        killed, pressed, evicted = [await node.running_trial(index) for index in range(3)]
        node.oom_kill(killed)
        node.evict_by_node(pressed)
        await node.evict(evicted)
        await node.until(lambda: len(node.pods()) == 2, "the evicted pod to go")
        await node.until(lambda: {pod.phase for pod in node.pods()} == {"Failed"}, "the others to end")
        first, second = pods_of(control_plane, namespace)

    assert (ended(first)["exitCode"], ended(first)["reason"]) == (137, "OOMKilled")
    assert second["status"]["reason"] == "Evicted"
    conditions = {each["type"]: each for each in second["status"]["conditions"]}
    assert conditions["DisruptionTarget"]["reason"] == "TerminationByKubelet"


async def test_a_pod_on_a_lost_node_is_deleted_and_stays(
    control_plane: ControlPlane, namespace: str, stand_in: MakeStandIn
) -> None:
    async with stand_in(hold=True) as node:
        control_plane.apply(job(namespace, 0, terminationGracePeriodSeconds=1), job(namespace, 1))
        lost, other = await node.running_trial(0), await node.running_trial(1)
        await node.lose_node(lost)
        await node.delete(other)
        await node.until(lambda: len(node.pods()) == 1, "the pod that was deleted to go")
        node.release()
        pod = control_plane.get("pod", lost.name, "-n", namespace)

        assert "deletionTimestamp" in pod["metadata"]
        assert pod["status"]["phase"] == "Running"


async def test_a_pod_that_is_late_is_ended_by_its_deadline(
    control_plane: ControlPlane, namespace: str, stand_in: MakeStandIn
) -> None:
    async with stand_in(delay=60.0) as node:
        control_plane.apply(job(namespace, 0, activeDeadlineSeconds=1))
        await node.until(lambda: [pod.phase for pod in node.pods()] == ["Failed"], "the deadline")
        (pod,) = pods_of(control_plane, namespace)

    assert (pod["status"]["reason"], ended(pod)["exitCode"]) == ("DeadlineExceeded", 143)


async def test_the_api_server_serves_what_a_trial_printed(
    control_plane: ControlPlane, namespace: str, stand_in: MakeStandIn
) -> None:
    async with stand_in(trial=lambda given: Outcome(b"{}", log=b"one\ntwo\n")) as node:
        control_plane.apply(job(namespace))
        await node.until(lambda: [pod.phase for pod in node.pods()] == ["Succeeded"], "the trial's end")
        (pod,) = node.pods()
        said = await asyncio.to_thread(control_plane.kubectl, "logs", pod.name, "-n", namespace, "--tail=1")

    assert said.stdout == "two\n"


async def test_pods_outlast_an_outage_of_the_api_server(
    control_plane: ControlPlane, namespace: str, stand_in: MakeStandIn
) -> None:
    async with stand_in(hold=True) as node:
        control_plane.apply(job(namespace))
        await node.running_trial(0)
        await asyncio.to_thread(control_plane.stop_api_server)
        node.release()  # the trial ends while nobody can be told
        await asyncio.to_thread(control_plane.start_api_server)
        await node.until(lambda: [pod.phase for pod in node.pods()] == ["Succeeded"], "the trial's end to be told")


async def test_what_goes_wrong_in_a_trial_of_the_test_fails_the_test(
    control_plane: ControlPlane, namespace: str, stand_in: MakeStandIn
) -> None:
    def broken(given: TrialInput) -> Report:
        raise ZeroDivisionError("a mistake of the test")

    async def run() -> None:
        async with stand_in(trial=broken) as node:
            control_plane.apply(job(namespace))
            await node.until(lambda: False, "nothing")

    with pytest.raises(ZeroDivisionError):
        await run()


CONFIG = {
    "name": "s",
    "searchSpace": {"choices": [{"name": "width", "values": [8, 16]}]},
    "strategy": {"random": {}},
    "seed": 1,
}


def controller_objects(namespace: str) -> tuple[dict[str, Any], dict[str, Any]]:
    data = {"token": b"secret of the test", "config.json": json.dumps(CONFIG).encode()}
    labels = names.labels("s", "uid-of-s", names.CONTROLLER)
    container = {
        "name": names.CONTROLLER_CONTAINER,
        "image": "controller:1",
        "args": ["--config", "/etc/archsearch/config.json", "--host", "0.0.0.0", "--port", "8080"],
        "env": [
            {"name": "ARCHSEARCH_TOKEN", "valueFrom": {"secretKeyRef": {"name": "s-controller", "key": "token"}}},
        ],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/archsearch"}],
    }
    volume = {"name": "config", "secret": {"secretName": "s-controller"}}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s-controller", "namespace": namespace},
        "data": {key: b64encode(value).decode() for key, value in data.items()},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "s-controller-1", "namespace": namespace, "labels": labels},
        "spec": {"restartPolicy": "Never", "containers": [container], "volumes": [volume]},
    }
    return secret, pod


async def test_a_controller_pod_is_the_real_controller(
    control_plane: ControlPlane, namespace: str, stand_in: MakeStandIn
) -> None:
    secret, pod = controller_objects(namespace)
    async with stand_in() as node:
        control_plane.apply(pod)  # before its Secret: it waits for that
        control_plane.apply(secret)
        view = await node.running_controller()
        address = control_plane.get("pod", view.name, "-n", namespace)["status"]["podIP"]
        token = {"Authorization": "Bearer secret of the test"}
        async with (
            ClientSession(headers=token) as session,
            session.post(f"http://{address}:8080/v1/propose", json={"index": 0}) as answer,
        ):
            assert answer.status == 200
            assert (await answer.json())["index"] == 0
        node.crash(view)
        await node.until(lambda: node.pods(component=names.CONTROLLER)[0].phase == "Failed", "its end")
        (failed,) = pods_of(control_plane, namespace)
        assert ended(failed)["exitCode"] == 137


async def test_a_controller_pod_that_is_deleted_ends_at_sigterm(
    control_plane: ControlPlane, namespace: str, stand_in: MakeStandIn
) -> None:
    async with stand_in() as node:
        control_plane.apply(*controller_objects(namespace))
        view = await node.running_controller()
        await node.delete(view)
        await node.until(lambda: not node.pods(component=names.CONTROLLER), "the pod to go", seconds=10)

"""How attempts end, and what that means for their children: retries, faults that are not theirs, reports."""

from collections.abc import Callable
from pathlib import Path

from kube.control_plane import ControlPlane
from kube.stand_in import Outcome, hashed_reward
from reconciling import JOBS, World, world

from archsearch.report import Report, TrialInput, render_report

Result = Report | bytes | Outcome
GOOD = b'{"version": 1, "metrics": {"accuracy": 0.5}}'
BAD_REPORTS: list[tuple[bytes, str]] = [
    (b"", "ReportMissing"),
    (b" \n", "ReportEmpty"),
    (b"accuracy 0.93", "ReportNotJson"),
    (GOOD[:30], "ReportTruncated"),
    (GOOD + b" bye", "ReportTrailingText"),
    (b"[0.5]", "ReportNotObject"),
    (b'{"version": 2, "metrics": {"accuracy": 0.5}}', "ReportVersion"),
    (b'{"version": 1, "metrics": {"accuracy": "0.5"}}', "MetricNotNumber"),
    (b'{"version": 1, "metrics": {"accuracy": 1e999}}', "MetricNotFinite"),
    (b'{"version": 1, "metrics": {"loss": 0.5}}', "MetricMissing"),
    (b'{"version": 1, "error": {"reason": "Diverged", "message": "loss is NaN"}}', "Diverged"),
]
NO_RETRY = {"retries": 0, "duplicates": "Retrain"}


def failures(here: World, name: str, index: int) -> tuple[int, int]:
    """Attempts of a child, and those that used up a retry."""
    status = here.trial(name, index)
    return status["attempts"], status.get("failures", 0)


async def test_each_bad_report_has_its_own_reason_and_is_not_tried_again(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    count = len(BAD_REPORTS)
    async with world(control_plane, namespace, tmp_path, trial=lambda given: BAD_REPORTS[given.index][0]) as here:
        await here.search("s", trials={"max": count, "parallelism": 4, "maxFailed": count, "duplicates": "Retrain"})
        status = await here.until_ended("s", "Failed")
        assert status["counts"]["failed"] == count
        assert [here.trial("s", i)["reason"] for i in range(count)] == [reason for _, reason in BAD_REPORTS]
        assert all(failures(here, "s", index) == (1, 1) for index in range(count))
        assert "none has succeeded" in here.condition("s", "Failed")["message"]
        await here.until_told("s", "TrialFailed", "Failed")


async def test_a_crash_uses_up_a_retry_and_too_many_fail_the_child_and_at_last_the_search(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    def trial(given: TrialInput) -> Result:
        crashes = {0: 2, 1: 9}.get(given.index, 9)
        return Outcome(exit_code=1, message=GOOD) if given.attempt <= crashes else hashed_reward(given)

    async with world(control_plane, namespace, tmp_path, trial=trial) as here:
        await here.search("s", trials={"max": 9, "parallelism": 1, "retries": 2, "maxFailed": 1})
        await here.until_ended("s", "Failed")
        assert here.reason("s", "Failed") == ("True", "TooManyFailures")
        assert [here.trial("s", index)["phase"] for index in range(3)] == ["Succeeded", "Failed", "Failed"]
        assert [failures(here, "s", index) for index in range(3)] == [(3, 2), (3, 3), (3, 3)]
        assert "exit code 1" in here.trial("s", 1)["message"]
        assert "not believed" in here.trial("s", 1)["message"]


async def test_out_of_memory_fails_a_child_at_once(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    trial = {"task": {"custom": {}}, "image": "trial:test", "resources": {"limits": {"memory": "1Gi"}}}
    async with world(control_plane, namespace, tmp_path, hold=True) as here:
        await here.search("s", trials={"max": 1, "retries": 5}, trial=trial)
        here.stand_in.oom_kill(await here.stand_in.running_trial(0))
        await here.until_ended("s", "Failed")
        assert (here.trial("s", 0)["reason"], failures(here, "s", 0)) == ("OutOfMemory", (1, 1))
        assert "1Gi" in here.trial("s", 0)["message"]


async def test_what_is_no_fault_of_the_child_uses_up_no_retry(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, hold=True) as here:
        await here.search("s", trials={"max": 6, "parallelism": 6, **NO_RETRY})
        stand_in = here.stand_in
        pods = [await stand_in.running_trial(index) for index in range(6)]
        await stand_in.evict(pods[0])
        stand_in.evict_by_node(pods[1])
        await stand_in.delete(pods[2])
        await here.delete("s-000003-1", of=JOBS)
        await stand_in.lose_node(pods[4])
        await here.delete("s-000005", of="/apis/archsearch.io/v1alpha1/architecturetrials")
        for index in range(6):
            await here.until(lambda: here.trial("s", index).get("attempts") == 2, f"attempt 2 of {index}")  # noqa: B023
        reasons = [here.trial("s", index).get("reason") for index in range(6)]
        stand_in.release()
        status = await here.until_ended("s")
        assert status["counts"]["succeeded"] == 6
        assert [failures(here, "s", index) for index in range(6)] == [(2, 0)] * 6
        assert reasons[:2] == ["EvictionByEvictionAPI", "TerminationByKubelet"]
        assert reasons[2] == "PodDeleted"
        assert reasons[4] == "NodeLost"
        # The lost node's pod is still there: what it holds is beyond anybody's reach.
        assert stand_in.most_at_once[namespace, "s"] <= 7


async def test_the_report_is_found_in_the_log_where_the_manifest_says_so(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    def trial(given: TrialInput) -> Outcome:
        log = b"epoch 1\n" + render_report(hashed_reward(given)) + b"\nbye\n"
        return Outcome(message=b"of no use", log=b"nothing to see\n" if given.index == 2 else log)

    logged = {"task": {"custom": {}}, "image": "trial:test", "report": {"from": "Log"}}
    async with world(control_plane, namespace, tmp_path, trial=trial) as here:
        await here.search("s", trials={"max": 3, **NO_RETRY}, trial=logged)
        status = await here.until_ended("s")
        assert (status["counts"]["succeeded"], status["counts"]["failed"]) == (2, 1)
        assert here.trial("s", 2)["reason"] == "ReportMissing"


async def test_a_fault_that_every_child_shares_ends_the_search_and_an_edit_forgives_it(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    fault = b'{"version": 1, "error": {"reason": "DataMissing", "message": "no /data", "scope": "Search"}}'
    mended: list[bool] = []
    program: Callable[[TrialInput], Result] = lambda given: hashed_reward(given) if mended else fault  # noqa: E731
    async with world(control_plane, namespace, tmp_path, trial=program) as here:
        await here.search("s", trials={"max": 4, "parallelism": 1})
        await here.until_ended("s", "Failed")
        assert here.reason("s", "Failed") == ("True", "DataMissing")
        assert "no /data" in here.condition("s", "Failed")["message"]
        assert len(here.trials("s")) == 1
        mended.append(True)
        await here.edit("s", trial={"podTemplate": {"spec": {"nodeSelector": {"data": "there"}}}})
        status = await here.until_ended("s")
        assert (status["counts"]["succeeded"], status["counts"]["failed"], status["forgiven"]) == (3, 1, 1)


async def test_a_container_that_has_ended_is_believed_at_once_and_its_slot_is_free_when_its_pod_has_ended(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, late_phase=1.5) as here:
        await here.search("s", trials={"max": 3, "parallelism": 1})
        await here.until(lambda: here.trial("s", 0).get("phase") == "Succeeded", "the first result")
        assert [pod.phase for pod in here.stand_in.pods(search="s")] == ["Running"]
        assert len(here.jobs("s")) == 1
        await here.until_ended("s")
        assert here.stand_in.most_at_once[namespace, "s"] == 1


async def test_a_job_is_bound_to_go_only_once_its_report_is_in_the_ledger(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, hold=True, settings={"finished_ttl": 1}) as here:
        await here.search("s", trials={"max": 2, "parallelism": 2})
        for index in (0, 1):
            await here.stand_in.running_trial(index)
        assert [job["spec"].get("ttlSecondsAfterFinished") for job in here.jobs("s")] == [None, None]
        here.stand_in.release()
        await here.until_ended("s")
        await here.until(lambda: not here.jobs("s") and not here.stand_in.pods(), "Jobs and pods to go", 20)
        assert [trial["status"]["phase"] for trial in here.trials("s")] == ["Succeeded", "Succeeded"]

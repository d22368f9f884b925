"""What may be changed while a search runs is changed at once: suspend, parallelism, max, podTemplate."""

from pathlib import Path

from kube.control_plane import ControlPlane
from reconciling import World, world

LIVE = ("Pending", "Running")


def live(here: World, name: str) -> list[int]:
    """Indices of the children whose pods are not terminal."""
    return sorted(pod.index or 0 for pod in here.stand_in.pods(search=name) if pod.phase in LIVE)


async def test_suspend_gives_slots_back_at_once_and_uses_up_nothing(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, hold=True) as here:
        await here.search("s", trials={"max": 3, "parallelism": 2, "retries": 0})
        await here.stand_in.running_trial(0)
        await here.stand_in.running_trial(1)
        await here.edit("s", suspend=True)
        await here.until_reason("s", "False", "Suspended", 10)
        assert here.reason("s", "Suspended") == ("True", "Suspended")
        await here.until(lambda: not here.stand_in.pods() and not here.jobs("s"), "Jobs and pods to go", 10)
        first = here.trial("s", 0)
        assert (first["phase"], first["reason"], first.get("failures", 0)) == ("Pending", "Suspended", 0)
        here.stand_in.release()
        await here.edit("s", suspend=False)
        status = await here.until_ended("s")
        assert status["counts"]["succeeded"] == 3
        assert [here.trial("s", index).get("failures", 0) for index in range(3)] == [0, 0, 0]
        await here.until_told("s", "Suspended", "Resumed", "Succeeded")


async def test_a_search_that_begins_suspended_starts_nothing(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path) as here:
        await here.search("s", suspend=True, trials={"max": 2})
        await here.stand_in.running_controller()
        await here.until_reason("s", "False", "Suspended", 10)
        assert (here.trials("s"), here.jobs("s")) == ([], [])
        await here.edit("s", suspend=False)
        await here.until_ended("s")


async def test_parallelism_is_raised_lowered_and_drained(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, hold=True) as here:
        await here.search("s", trials={"max": 8, "parallelism": 1})
        await here.until(lambda: live(here, "s") == [0], "one child")
        await here.edit("s", trials={"parallelism": 3})
        await here.until(lambda: live(here, "s") == [0, 1, 2], "three children")
        await here.edit("s", trials={"parallelism": 1})
        for index in (0, 1):
            here.stand_in.release(await here.stand_in.running_trial(index))
        await here.until(lambda: here.status("s")["counts"]["succeeded"] == 2, "two results")
        assert live(here, "s") == [2]
        assert len(here.trials("s")) == 3
        await here.edit("s", trials={"parallelism": 0})
        await here.until_reason("s", "True", "Draining")
        here.stand_in.release(await here.stand_in.running_trial(2))
        await here.until_reason("s", "False", "Drained")
        assert len(here.trials("s")) == 3
        here.stand_in.release()
        await here.edit("s", trials={"parallelism": 2})
        await here.until_ended("s")
        assert here.stand_in.most_at_once[namespace, "s"] == 3


async def test_more_children_reopen_a_search_and_other_edits_do_not(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path) as here:
        await here.search("s", trials={"max": 2})
        ended = await here.until_ended("s")
        await here.until(lambda: not here.stand_in.pods(component="controller"), "the controller to go")
        for edit in ({"suspend": True}, {"suspend": False, "trials": {"parallelism": 1}}):
            generation = await here.edit("s", **edit)
            await here.until(lambda: here.status("s")["observedGeneration"] == generation, "the edit to be seen")  # noqa: B023
            assert here.reason("s", "Succeeded") == ("True", "MaxTrialsReached")
            assert here.status("s")["completionTime"] == ended["completionTime"]
        assert not here.stand_in.pods(component="controller")
        await here.edit("s", trials={"max": 4})
        await here.until(lambda: here.status("s")["progress"] == "4/4", "two more children")
        again = await here.until_ended("s")
        assert again["counts"]["succeeded"] == 4
        await here.until_told("s", "Continued")


async def test_an_edit_that_was_made_while_no_operator_was_there_reopens_too(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path / "one") as here:
        await here.search("s", trials={"max": 1})
        await here.until_ended("s")
    async with world(control_plane, namespace, tmp_path / "two", act=False) as here:
        await here.edit("s", trials={"max": 2})
    async with world(control_plane, namespace, tmp_path / "three") as here:
        await here.until(lambda: here.status("s").get("progress") == "2/2", "one more child")
        await here.until_ended("s")


async def test_a_pod_template_that_is_refused_stops_nothing_and_is_mended_by_another_edit(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    bad = {"podTemplate": {"spec": {"priorityClassName": "no/such"}}}
    good = {"podTemplate": {"spec": {"priorityClassName": None, "nodeSelector": {"disk": "fast"}}}}
    async with world(control_plane, namespace, tmp_path, hold=True) as here:
        await here.search("s", trials={"max": 4, "parallelism": 1})
        await here.stand_in.running_trial(0)
        await here.edit("s", trial=bad)
        await here.until(lambda: here.reason("s", "Ready") == ("False", "InvalidPodTemplate"), "the refusal")
        assert "priorityClassName" in here.condition("s", "Ready")["message"]
        here.stand_in.release(await here.stand_in.running_trial(0))
        await here.stand_in.running_trial(1)  # by the manifest before
        assert here.reason("s") == ("True", "Running")
        await here.edit("s", trial=good)
        await here.until(lambda: here.reason("s", "Ready") == ("True", "Accepted"), "the edit to be accepted")
        here.stand_in.release()
        await here.until_ended("s")
        selectors = [job["spec"]["template"]["spec"].get("nodeSelector") for job in here.jobs("s")]
        assert selectors.count({"disk": "fast"}) == 2
        assert selectors.count(None) == 2

"""What stands in a search's way is told in its conditions within seconds, and gone once it is mended."""

from pathlib import Path

from cluster_searches import kubectl
from kube.control_plane import ControlPlane
from kube.pods import Refusal
from reconciling import World, world

QUOTAS = "/api/v1/resourcequotas"


async def quota(here: World, **hard: str) -> None:
    """Limit the namespace, and wait until the limits count."""
    flags = [f"--hard={','.join(f'{key}={value}' for key, value in hard.items())}"]
    await kubectl(here.plane, "create", "quota", "tight", "-n", here.namespace, *flags)
    used = "--for=jsonpath={.status.hard}"
    await kubectl(here.plane, "wait", "-n", here.namespace, "quota/tight", used, "--timeout=20s")


async def test_an_image_that_cannot_be_pulled_is_told_and_forgotten(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path) as here:
        here.stand_in.refuse(Refusal.IMAGE_PULL)
        await here.search("s", trials={"max": 2})
        told = await here.until_reason("s", "False", "ImagePullFailed", 10)
        assert "localhost/archsearch/controller:test" in told["message"]
        await here.until_told("s", "ImagePullFailed")
        here.stand_in.accept()
        here.stand_in.hold()
        await here.until_reason("s", "True", "Running")
        assert here.condition("s", "Progressing")["message"] == "children are proposed and trained"
        here.stand_in.release()
        await here.until_ended("s")


async def test_children_without_room_are_told_and_never_more_than_parallelism_wait(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, slots=2, hold=True) as here:
        await here.search("s", trials={"max": 6, "parallelism": 4})
        await here.until(lambda: "but Unschedulable: " in here.condition("s", "Progressing").get("message", ""), "it")
        assert "Insufficient nvidia.com/gpu" in here.condition("s", "Progressing")["message"]
        assert here.reason("s") == ("True", "Running")
        here.stand_in.set_slots(0)
        for pod in [pod for pod in here.stand_in.pods(search="s") if pod.running]:
            here.stand_in.release(pod)
        await here.until_reason("s", "False", "Unschedulable", 10)
        here.stand_in.set_slots(2)
        here.stand_in.release()
        await here.until_ended("s")
        assert here.stand_in.most_at_once[namespace, "s"] == 4


async def test_a_quota_on_jobs_is_told_and_the_search_goes_on_once_it_is_lifted(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path) as here:
        await quota(here, **{"count/jobs.batch": "0"})
        await here.search("s", trials={"max": 2})
        told = await here.until_reason("s", "False", "JobRefused")
        assert "exceeded quota: tight" in told["message"]
        assert here.reason("s", "Ready") == ("True", "Accepted")
        await here.edit("s", suspend=True)  # is obeyed though no Job has room
        await here.until_reason("s", "False", "Suspended", 10)
        await here.edit("s", suspend=False)
        await here.until_reason("s", "False", "JobRefused")
        await here.delete("tight", of=QUOTAS)
        status = await here.until_ended("s")
        assert status["counts"]["succeeded"] == 2


async def test_a_quota_on_pods_is_told_and_the_search_goes_on_once_it_is_lifted(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, settings={"resync": 60.0}) as here:
        await quota(here, pods="1")  # the controller's
        await here.search("s", trials={"max": 1})
        told = await here.until_reason("s", "False", "PodsNotCreated", 15)
        assert "a quota or an admission rule" in told["message"]
        await here.delete("tight", of=QUOTAS)
        await here.until_ended("s")


async def test_a_controller_that_dies_again_and_again_is_told_and_the_search_goes_on(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, hold=True) as here:
        await here.search("s", trials={"max": 2, "parallelism": 1})
        for time in range(2):
            here.stand_in.crash(await here.stand_in.running_controller())
            await here.until(lambda: len(here.events("s", "ControllerReplaced")) == time + 1, "another")  # noqa: B023
        assert "exit code 137" in here.events("s", "ControllerReplaced")[0]
        await here.until(lambda: "ControllerFailed: " in here.condition("s", "Progressing")["message"], "it is told")
        await here.stand_in.running_controller()
        await here.until(lambda: "ControllerFailed" not in here.condition("s", "Progressing")["message"], "forgotten")
        here.stand_in.release()
        await here.until_ended("s")

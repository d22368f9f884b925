"""The controller of a search: replaced where it does not answer, and what it needs made again where it has gone."""

from pathlib import Path

import pytest
from kube.control_plane import ControlPlane
from reconciling import world

from archsearch.controller_client import ControllerClient, ControllerUnreachable
from archsearch.controller_contract import Health
from archsearch.operator import speaking
from archsearch.operator.client import KubernetesPort
from archsearch.operator.port import POD, Resource, Unavailable


class Faults:
    """The first controller of all never answers, and the API server does not take the first deletions of a pod."""

    def __init__(self, patch: pytest.MonkeyPatch, error: Exception, refusals: int) -> None:
        self.refused = 0
        first: list[str] = []
        health, delete = ControllerClient.health, KubernetesPort.delete

        async def faulty_health(client: ControllerClient) -> Health:
            first[:] = first or [client.base_url]
            patch.setattr(speaking, "PATIENCE", 60.0)  # those after it need their time to start
            if client.base_url in first:
                raise error
            return await health(client)

        async def faulty_delete(
            port: KubernetesPort, resource: Resource, namespace: str, name: str, *, uid: str, grace: int | None = None
        ) -> None:
            if resource == POD and self.refused < refusals:
                self.refused += 1
                raise Unavailable("delete Pod: no answer in time")
            await delete(port, resource, namespace, name, uid=uid, grace=grace)

        patch.setattr(ControllerClient, "health", faulty_health)
        patch.setattr(KubernetesPort, "delete", faulty_delete)
        patch.setattr(speaking, "PATIENCE", 0.5)


@pytest.mark.parametrize("error", [ControllerUnreachable("connection refused"), RuntimeError("odd")], ids=str)
async def test_a_controller_that_does_not_answer_is_replaced_also_where_it_cannot_be_deleted_at_once(
    error: Exception,
    control_plane: ControlPlane,
    crds: object,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faults = Faults(monkeypatch, error, refusals=2)
    async with world(control_plane, namespace, tmp_path) as here:
        await here.search("s", trials={"max": 2})
        status = await here.until_ended("s")
        assert faults.refused == 2
        assert status["counts"]["succeeded"] == 2
        await here.until_told("s", "ControllerReplaced")


async def test_what_a_controller_needs_is_made_again_before_the_next_one(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, hold=True) as here:
        await here.search("s", trials={"max": 2, "parallelism": 1})
        await here.stand_in.running_trial(0)
        kinds = ("secrets", "services", "networkpolicies")
        before = {kind: names_of(control_plane, namespace, kind) for kind in kinds}
        for kind, there in before.items():
            control_plane.kubectl("delete", kind, "-n", namespace, *there)
        first = await here.stand_in.running_controller()
        here.stand_in.crash(first)
        here.stand_in.release()
        await here.until_ended("s")
        assert {kind: names_of(control_plane, namespace, kind) for kind in kinds} == before
        assert here.events("s", "ControllerReplaced")


def names_of(plane: ControlPlane, namespace: str, kind: str) -> list[str]:
    """Names of everything of a kind that is a search's."""
    found = plane.get(kind, "-n", namespace, "-l", "archsearch.io/search=s")["items"]
    names = sorted(one["metadata"]["name"] for one in found)
    assert names
    return names

"""A search from `kubectl apply` to its end, on a real API server with the real controller program."""

import asyncio
from pathlib import Path
from typing import Any

from kube.control_plane import ControlPlane
from kube.stand_in import StandIn
from operator_runs import operator, settings_for


def search(name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    """A small search over 4 x 4 x 4 choices, with what ``spec`` adds."""
    whole: dict[str, Any] = {
        "searchSpace": {"choices": [{"name": n, "values": [1, 2, 3, 4]} for n in ("a", "b", "c")]},
        "strategy": {"random": {}},
        "trials": {"max": 6, "parallelism": 2},
        "trial": {"task": {"custom": {}}, "image": "localhost/archsearch/trial:test"},
        "seed": 3,
    }
    trials = {**whole["trials"], **spec.pop("trials", {})}
    return {
        "apiVersion": "archsearch.io/v1alpha1",
        "kind": "ArchitectureSearch",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {**whole, **spec, "trials": trials},
    }


async def kubectl(plane: ControlPlane, *arguments: str, **options: Any) -> Any:
    """kubectl beside the event loop."""
    return await asyncio.to_thread(plane.kubectl, *arguments, **options)


async def ended(
    plane: ControlPlane, namespace: str, name: str, condition: str = "Succeeded", seconds: int = 60
) -> dict[str, Any]:
    """Wait as a user does; the search as it is then."""
    await kubectl(
        plane, "wait", "-n", namespace, f"archsearch/{name}", f"--for=condition={condition}", f"--timeout={seconds}s"
    )
    return await asyncio.to_thread(plane.get, "archsearch", name, "-n", namespace)


async def test_a_search_runs_to_its_end(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with (
        StandIn(control_plane, tmp_path, namespaces=[namespace]) as stand_in,
        operator(settings_for(control_plane.kubeconfig, namespace)),
    ):
        await asyncio.to_thread(control_plane.apply, search("first", namespace))
        done = await ended(control_plane, namespace, "first")
    status = done["status"]
    assert status["counts"]["succeeded"] == 6
    assert status["progress"] == "6/6"
    assert stand_in.most_at_once[namespace, "first"] <= 2

"""Searches on a real API server: manifests, waiting as users do, and the ledger as it is stored."""

import asyncio
from typing import Any

from kube.control_plane import ControlPlane

Object = dict[str, Any]


def search(name: str, namespace: str, **spec: Any) -> Object:
    """A small search over 4 x 4 x 4 choices; ``spec`` replaces its fields, ``trials`` is merged."""
    whole: Object = {
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
    """kubectl, beside the event loop."""
    return await asyncio.to_thread(plane.kubectl, *arguments, **options)


async def apply(plane: ControlPlane, *objects: Object) -> None:
    """kubectl apply."""
    await asyncio.to_thread(plane.apply, *objects)


async def get(plane: ControlPlane, namespace: str, *arguments: str) -> Object:
    """kubectl get, as JSON."""
    return await asyncio.to_thread(plane.get, *arguments, "-n", namespace)


async def until(plane: ControlPlane, namespace: str, name: str, condition: str, seconds: int = 60) -> Object:
    """kubectl wait for a condition (``Succeeded``, ``Ready=False``); the search as it is then."""
    flags = (f"--for=condition={condition}", f"--timeout={seconds}s")
    await kubectl(plane, "wait", "-n", namespace, f"archsearch/{name}", *flags)
    return await get(plane, namespace, "archsearch", name)


async def ledger_of(plane: ControlPlane, namespace: str, name: str) -> list[Object]:
    """The ArchitectureTrials of a search, by index."""
    found = await get(plane, namespace, "archtrial", "-l", f"archsearch.io/search={name}")
    return sorted(found["items"], key=lambda item: int(item["spec"]["index"]))


def taught(ledger: list[Object]) -> list[tuple[int, list[int], int, float | None, int | None]]:
    """What a search has learned from, child by child: index, genotype, policy version, reward, observation."""
    return [
        (
            trial["spec"]["index"],
            trial["spec"]["genotype"],
            trial["spec"]["sampledBy"]["policyVersion"],
            trial["status"].get("reward"),
            trial["status"].get("observation"),
        )
        for trial in ledger
    ]

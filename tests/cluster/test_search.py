"""A search from `kubectl apply` to its end, on a real API server with the real controller program."""

from pathlib import Path

from cluster_searches import apply, ledger_of, search, taught, until
from kube.control_plane import ControlPlane
from kube.stand_in import StandIn
from operator_runs import operator, settings_for


async def test_a_search_runs_to_its_end(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    settings = settings_for(control_plane.kubeconfig, namespace)
    async with StandIn(control_plane, tmp_path, namespaces=[namespace]) as stand_in, operator(settings):
        await apply(control_plane, search("first", namespace))
        done = await until(control_plane, namespace, "first", "Succeeded")
    status = done["status"]
    assert status["counts"]["succeeded"] == 6
    assert status["progress"] == "6/6"
    assert stand_in.most_at_once[namespace, "first"] <= 2
    ledger = taught(await ledger_of(control_plane, namespace, "first"))
    assert [index for index, *_ in ledger] == list(range(6))
    assert sorted(observation for *_, observation in ledger if observation is not None) == list(range(6))
    best = max(ledger, key=lambda trial: trial[3] or 0)
    assert status["best"][0]["trial"] == f"first-{best[0]:06d}"
    assert status["bestReward"] == best[3]

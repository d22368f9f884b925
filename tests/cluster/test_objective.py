"""Further metrics and failing children on a cluster: the status has the Pareto set, and what fails teaches."""

from pathlib import Path
from typing import Any

from kube.control_plane import ControlPlane
from kube.trials import Outcome
from reconciling import world

from archsearch.report import Report, TrialInput

ALSO = {"metric": "latency", "target": 4, "weight": -0.5}


def two_sided(given: TrialInput) -> Report | Outcome:
    """The better a network, the slower; c only costs. Children with b = 1 crash."""
    values: Any = given.architecture["values"]
    if values["b"] == 1:
        return Outcome(exit_code=3)
    return Report(metrics={"accuracy": values["a"] / 4, "latency": float(values["a"] + values["c"])})


async def test_the_status_has_the_pareto_set_and_what_fails_teaches_alike_live_and_replayed(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    objective = {"also": [ALSO], "failure": {"reward": -1}}
    async with world(control_plane, namespace, tmp_path, trial=two_sided) as here:
        trials = {"max": 12, "parallelism": 2, "retries": 0, "maxFailed": 12}
        await here.search("s", objective=objective, strategy={"reinforce": {}}, trials=trials)
        status = await here.until_ended("s")
    assert status["counts"]["failed"] > 0
    unbeaten = [(one["metrics"]["accuracy"], -one["metrics"]["latency"]) for one in status["pareto"]]
    others = [(one["metrics"]["accuracy"], -one["metrics"]["latency"]) for one in status["best"]]
    assert unbeaten
    for x, y in unbeaten:
        assert not any(a >= x and b >= y and (a, b) != (x, y) for a, b in others)
    assert {pair for pair in others if pair in unbeaten} == set(unbeaten)
    for one in status["best"]:
        expected = one["metrics"]["accuracy"] * (one["metrics"]["latency"] / 4) ** -0.5
        assert abs(one["reward"] - expected) < 1e-9
    # Another operator replays the ledger into a new controller: the same policy, failures taught in it.
    before = status["policy"]["hash"]
    async with world(control_plane, namespace, tmp_path / "again", trial=two_sided) as here:
        await here.edit("s", trials={"max": 13})
        await here.until(lambda: here.status("s").get("progress") == "13/13", "one more child")
        status = await here.until_ended("s")
        assert here.condition("s", "PolicyDiverged")["status"] == "False"
    assert status["policy"]["hash"] != before

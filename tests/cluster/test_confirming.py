"""Confirmations on a cluster: the best are trained once more, and the status carries the means of both."""

from pathlib import Path

from cluster_searches import ledger_of
from kube.control_plane import ControlPlane
from reconciling import world

from archsearch.report import Report, TrialInput

NOISE = (0.0, 0.3, 0.0, 0.0, 0.0, 0.0)
"""What each trial's accuracy has beyond that of its network: child 1 is lucky once."""


def noisy(given: TrialInput) -> Report:
    values = given.architecture["values"]
    accuracy = (values["a"] + values["b"] + values["c"]) / 24 + (NOISE[given.index] if given.index < 6 else 0.0)
    return Report(metrics={"accuracy": accuracy})


async def test_the_best_are_confirmed_before_the_search_ends_and_ranked_by_the_mean(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, trial=noisy) as here:
        await here.search("s", trials={"max": 6, "parallelism": 2, "confirm": 2})
        status = await here.until_ended("s")
        ledger = await ledger_of(control_plane, namespace, "s")
        assert here.stand_in.most_at_once[namespace, "s"] <= 2
    children = [item for item in ledger if "confirmOf" not in item["spec"]]
    repeats = [item for item in ledger if "confirmOf" in item["spec"]]
    assert [item["spec"]["index"] for item in repeats] == [6, 7]
    assert all("observation" not in item["status"] and item["status"]["phase"] == "Succeeded" for item in repeats)
    ranked = sorted(children, key=lambda item: -item["status"]["reward"])
    assert [item["spec"]["confirmOf"] for item in repeats] == [item["spec"]["index"] for item in ranked[:2]]
    assert (status["progress"], status["counts"]["succeeded"], status["counts"]["confirmed"]) == ("6/6", 6, 2)
    rewards = {item["spec"]["index"]: item["status"]["reward"] for item in ledger}
    for best in status["best"][:2]:
        own, again = rewards[best["index"]], rewards[best["confirmedBy"]]
        assert best["rewards"] == [own, again]
        assert best["reward"] == (own + again) / 2
    assert status["bestReward"] == max(best["reward"] for best in status["best"][:2])
    assert "confirmedBy" not in status["best"][2]
    assert status["policy"]["asked"] == 6
    assert "2 of the best 2 were confirmed" in here.condition("s", "Succeeded")["message"]


async def test_a_search_that_has_ended_is_confirmed_when_it_is_asked_for_by_another_operator_too(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, trial=noisy) as here:
        await here.search("s", trials={"max": 3, "parallelism": 2})
        await here.until_ended("s")
        await here.edit("s", trials={"confirm": 1})
        await here.until(lambda: here.status("s")["counts"].get("confirmed") == 1, "a confirmation")
        await here.until_ended("s")
    async with world(control_plane, namespace, tmp_path / "again", trial=noisy) as here:
        await here.edit("s", trials={"max": 4})
        await here.until(lambda: here.status("s").get("progress") == "4/4", "a child after the confirmation")
        await here.until_ended("s")
        ledger = await ledger_of(control_plane, namespace, "s")
    late = [item["spec"] for item in ledger if item["spec"]["index"] > 3]
    assert late[0]["ask"] == 3
    assert all("confirmOf" in spec for spec in late[1:])

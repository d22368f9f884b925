"""`archsearch trials | best | show | audit | report` say of a search on a cluster what they say of its folder."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kube.control_plane import ControlPlane
from local_searches import ARCHSEARCH

from archsearch.api.status import PolicyStatus, Resolved, SearchStatus
from archsearch.engine.record import SearchRecord
from archsearch.engine.running import trial_name
from archsearch.local.record import load_record
from archsearch.operator.client import connect
from archsearch.operator.codec import trial_object, trial_status
from archsearch.operator.port import SEARCH, TRIAL
from archsearch.operator.scores import Scores
from archsearch.operator.search_status import View, patch_of, status_of

PROGRAM = """
import json, os, pathlib, sys
given = json.loads(os.environ["ARCHSEARCH_TRIAL"])
if given["index"] == 2:
    sys.exit(3)
report = {"version": 1, "metrics": {"accuracy": sum(given["architecture"]["values"].values()) / 6, "parameters": 7}}
pathlib.Path(os.environ["ARCHSEARCH_REPORT"]).write_text(json.dumps(report))
"""
MANIFEST: dict[str, Any] = {
    "apiVersion": "archsearch.io/v1alpha1",
    "kind": "ArchitectureSearch",
    "metadata": {"name": "small"},
    "spec": {
        "searchSpace": {"choices": [{"name": name, "values": [0, 1, 2]} for name in "abc"]},
        "trials": {"max": 6, "parallelism": 2, "retries": 0},
        "trial": {"task": {"custom": {}}, "command": [sys.executable, "child.py"], "image": "trial:1"},
        "seed": 4,
    },
}


class Twin(NamedTuple):
    """One search twice: in a folder, as it really ran, and on a cluster with the same ledger."""

    folder: Path
    namespace: str
    plane: ControlPlane

    def run(self, *arguments: object, cwd: Path | None = None, kubeconfig: Path | None = None) -> Any:
        """The program, with kubectl's way to the cluster."""
        environment = os.environ | {"KUBECONFIG": str(kubeconfig or self.plane.kubeconfig)}
        command = [*ARCHSEARCH, *map(str, arguments)]
        return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)

    def json(self, *arguments: object) -> Any:
        """What a command prints for programs."""
        done = self.run(*arguments, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def on_cluster(self, command: str, *arguments: object) -> Any:
        """The same of the search on the cluster."""
        return self.json(command, "small", "-n", self.namespace, *arguments)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search that has run on this machine."""
    place = tmp_path_factory.mktemp("ran")
    (place / "child.py").write_text(PROGRAM)
    (place / "search.yaml").write_text(json.dumps(MANIFEST))
    command = [*ARCHSEARCH, "run", "search.yaml", "--out", "small", "--quiet"]
    subprocess.run(command, cwd=place, check=True, capture_output=True)
    return place / "small"


@pytest.fixture(scope="module")
def twin(control_plane: ControlPlane, crds: object, ran: Path) -> Iterator[Twin]:
    """To be read only, since all tests share it."""
    name = f"twin-{uuid.uuid4().hex[:10]}"
    control_plane.kubectl("create", "namespace", name)
    control_plane.kubectl("wait", "--for=create", "--timeout=30s", "--namespace", name, "serviceaccount/default")
    yield put(control_plane, name, ran)
    control_plane.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def damaged(control_plane: ControlPlane, crds: object, namespace: str, ran: Path) -> Twin:
    """One whose fourth child has been deleted on the cluster."""
    twin = put(control_plane, namespace, ran)
    control_plane.kubectl("delete", "-n", namespace, f"architecturetrial/{trial_name('small', 3)}")
    return twin


def put(plane: ControlPlane, namespace: str, folder: Path) -> Twin:
    plane.apply(MANIFEST | {"metadata": {"name": "small", "namespace": namespace}})
    asyncio.run(keep(plane.kubeconfig, namespace, load_record(folder)))
    return Twin(folder, namespace, plane)


async def keep(kubeconfig: Path, namespace: str, record: SearchRecord) -> None:
    """Write ``record`` as the operator does."""
    async with await connect(kubeconfig) as port:
        stored = await port.get(SEARCH, namespace, "small")
        for trial in record.trials:
            await port.create(TRIAL, trial_object("small", namespace, stored["metadata"]["uid"], trial))
            name, status = trial_name("small", trial.index), trial_status(trial, gpus=0)
            await port.patch(TRIAL, namespace, name, {"status": status}, subresource="status")
        patch = patch_of(SearchStatus(), status_of(view_of(record)))
        await port.patch(SEARCH, namespace, "small", {"status": patch}, subresource="status")


def view_of(record: SearchRecord) -> View:
    return View(
        search=record.manifest,
        generation=1,
        previous=SearchStatus(),
        scores=Scores("small", record.trials),
        resolved=Resolved(strategy=record.strategy),
        now=record.started,
        policy=record.policy[-1],
        outcome=record.outcome,
        active_seconds=record.active_seconds,
    )


def without(data: Any, *names: str) -> Any:
    if isinstance(data, list):
        return [without(item, *names) for item in data]
    return {name: value for name, value in data.items() if name not in names}


def test_children_are_the_same(twin: Twin) -> None:
    here, there = twin.json("trials", twin.folder), twin.on_cluster("trials")
    assert len(here) == 6
    assert {child["phase"] for child in here} == {"Succeeded", "Failed"}
    # When its record was made is the API server's to say.
    assert without(there, "created") == without(here, "created")
    assert without(twin.on_cluster("best"), "created") == without(twin.json("best", twin.folder), "created")
    assert [child["index"] for child in twin.on_cluster("trials", "--failed")] == [2]
    one, other = (twin.json("show", twin.folder, "--child", 1), twin.on_cluster("show", "--child", 1))
    assert without(one, "created") == without(other, "created")
    assert one["architecture"]


def test_the_search_is_the_same(twin: Twin) -> None:
    here, there = twin.json("show", twin.folder), twin.on_cluster("show")
    own = ("versions", "human", "report", "startTime", "best", "policy", "warnings")
    assert without(there, *own) == without(here, *own)
    assert there["best"]["index"] == here["best"]["index"]
    assert there["policy"] == without(here["policy"], *(here["policy"].keys() - PolicyStatus.model_fields.keys()))


def test_the_ledger_of_a_cluster_can_be_audited(twin: Twin) -> None:
    audited = twin.on_cluster("audit")
    assert audited["agrees"]
    assert (audited["children"], audited["observations"]) == (6, 6)
    assert audited["storedHash"] == audited["derivedHash"]


def test_a_report_of_a_cluster_is_a_page_here(twin: Twin, tmp_path: Path) -> None:
    done = twin.run("report", "small", "-n", twin.namespace, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = tmp_path / "reports" / "small" / "report.html"
    assert done.stdout.strip() == str(page)
    assert "<html" in page.read_text()


def test_a_folder_of_that_name_comes_first_unless_a_namespace_is_given(twin: Twin, tmp_path: Path) -> None:
    in_folder = twin.run("show", "small", "-o", "json", cwd=twin.folder.parent)
    on_cluster = twin.run("show", "small", "-o", "json", "-n", twin.namespace, cwd=twin.folder.parent)
    # Only a search that ran here says with what.
    assert [bool(json.loads(done.stdout).get("versions")) for done in (in_folder, on_cluster)] == [True, False]
    (tmp_path / "small").mkdir()  # a folder, but not of a search
    neither = twin.run("trials", "small", cwd=tmp_path)
    assert neither.returncode == 2
    assert "small is neither the folder of a search nor a search on a cluster: namespace default" in neither.stderr


def test_a_search_that_is_not_there_is_told_with_the_nearest(twin: Twin) -> None:
    near, far = (twin.run("show", name, "-n", twin.namespace) for name in ("smal", "digits-of-pi"))
    assert (near.returncode, near.stdout) == (2, "")
    assert near.stderr.strip() == f"archsearch: namespace {twin.namespace} has no search smal; did you mean small?"
    assert "there are: " in far.stderr
    empty = twin.run("show", "small", "-n", "kube-public")
    assert "namespace kube-public has no search small, nor any other" in empty.stderr


def test_a_folders_path_with_a_namespace_is_told_apart(twin: Twin) -> None:
    done = twin.run("show", twin.folder, "-n", twin.namespace)
    assert done.returncode == 2
    assert "leave --namespace and --context out" in done.stderr


def test_a_wrong_context_is_told_with_those_that_are(twin: Twin) -> None:
    done = twin.run("show", "small", "--context", "moon")
    assert done.returncode == 2
    assert "has no context moon; there are:" in done.stderr


def test_whoever_may_not_read_is_told_so_in_a_sentence(twin: Twin) -> None:
    nobody = twin.plane.service_account_kubeconfig(twin.namespace, "default")
    done = twin.run("show", "small", "-n", twin.namespace, kubeconfig=nobody)
    assert done.returncode == 1
    assert done.stderr.startswith("archsearch: the cluster refuses: ")
    assert "forbidden" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_child_that_somebody_has_deleted_is_missed_by_name(damaged: Twin) -> None:
    done = damaged.run("trials", "small", "-n", damaged.namespace)
    assert (done.returncode, done.stdout) == (1, "")
    assert "somebody has deleted architecturetrial small-000003" in done.stderr


def test_a_search_that_no_operator_has_seen_is_shown(twin: Twin) -> None:
    fresh = MANIFEST | {"metadata": {"name": "unseen", "namespace": twin.namespace}}
    twin.plane.apply(fresh)
    shown = twin.json("show", "unseen", "-n", twin.namespace)
    assert (shown["state"], shown["detail"]) == ("Unseen", "no operator has looked at it yet")
    assert twin.json("trials", "unseen", "-n", twin.namespace) == []


def test_a_cluster_that_does_not_answer_is_told(twin: Twin, tmp_path: Path) -> None:
    gone = tmp_path / "kubeconfig"
    gone.write_text(twin.plane.kubeconfig.read_text().replace(twin.plane.url, "https://127.0.0.1:1"))
    done = twin.run("show", "small", "-n", twin.namespace, kubeconfig=gone)
    assert done.returncode == 1
    assert "the cluster cannot be read" in done.stderr

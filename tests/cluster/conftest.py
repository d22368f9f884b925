"""A real control plane for the tests of this folder: one for all of them, a namespace for each."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from kube.binaries import CONTROL_PLANE, MissingProgram, find
from kube.control_plane import ControlPlane
from kube.controller_pod import NoLoopbackError, free_address
from kube.stand_in import StandIn

CRDS = Path(__file__).resolve().parents[2] / "crds"


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd, API server and controller manager; skipped where they have not been built, which on CI is a failure."""
    try:
        for program in CONTROL_PLANE:
            find(program)
    except MissingProgram as missing:
        if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    plane.start()
    yield plane
    plane.stop()


@pytest.fixture(scope="session")
def crds(control_plane: ControlPlane) -> tuple[str, ...]:
    """Names of the project's resource definitions, applied and established."""
    files = sorted(CRDS.glob("*.yaml"))
    if not files:
        pytest.fail(f"{CRDS} has no resource definitions: make crds", pytrace=False)
    for file in files:
        control_plane.kubectl("apply", "--server-side", "-f", str(file))
    names = ("architecturesearches.archsearch.io", "architecturetrials.archsearch.io")
    established = [f"customresourcedefinition/{name}" for name in names]
    control_plane.kubectl("wait", "--for=condition=Established", "--timeout=120s", *established)
    return names


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A namespace for one test, with its default service account; it goes while the next test runs."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    control_plane.kubectl("create", "namespace", name)
    control_plane.kubectl("wait", "--for=create", "--timeout=120s", "--namespace", name, "serviceaccount/default")
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false")


class MakeStandIn(Protocol):
    """Makes a stand-in for this test's namespace, or for ``namespaces``; options are those of StandIn."""

    def __call__(self, **options: Any) -> StandIn: ...


@pytest.fixture
def stand_in(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> MakeStandIn:
    """A factory: ``async with stand_in(slots=4) as node``."""
    try:
        free_address()
    except NoLoopbackError as missing:
        pytest.skip(str(missing))

    def make(**options: Any) -> StandIn:
        folder = tmp_path / f"stand-in-{uuid.uuid4().hex[:6]}"
        return StandIn(control_plane, folder, **{"namespaces": {namespace}, **options})

    return make

"""A whole real node with our images, one for all tests of this folder: Linux and root; a namespace for each test."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from kube.binaries import MissingProgram, find
from node.requirements import problems
from node.whole import Node

HERE = Path(__file__).parent
ON_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
LONGEST = 1200
"""Seconds that one test may take: the first one waits for the images, which are built once."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LONGEST))


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """The node, its images imported; skipped where none can run, which on CI is a failure."""
    found = list(problems())
    for program in ("kubelet", "helm"):
        try:
            find(program)
        except MissingProgram as missing:
            found.append(str(missing))
    if found:
        if ON_CI:
            pytest.fail("; ".join(found), pytrace=False)
        pytest.skip("; ".join(found))
    whole = Node()
    whole.start()
    yield whole
    whole.stop()


@pytest.fixture
def namespace(node: Node) -> Iterator[str]:
    """A namespace for one test, in which only pods of the restricted standard may run; it is gone before the next."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    node.kubectl("create", "namespace", name)
    node.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    node.kubectl("wait", "--for=create", "--timeout=30s", "--namespace", name, "serviceaccount/default")
    yield name
    node.kubectl("delete", "namespace", name, "--timeout=60s")

"""Chart tests need Helm, and nothing else."""

import os

import pytest
from kube.binaries import MissingProgram, find


@pytest.fixture(scope="session", autouse=True)
def _helm() -> None:
    try:
        find("helm")
    except MissingProgram as missing:
        if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))

"""Where a search is looked for: a folder, a cluster, and what is said where there is neither."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from archsearch.cli.finding import Place, find
from archsearch.local.errors import FolderError, UsageError


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def refused(name: str, place: Place = Place()) -> str:  # noqa: B008 - frozen
    with pytest.raises(UsageError) as caught:
        find(name, place)
    return str(caught.value)


def test_a_name_that_is_neither_is_told_as_both(tmp_path: Path) -> None:
    text = refused("digits")
    assert text.startswith("digits is neither the folder of a search nor a search on a cluster: there is no kubeconfig")
    assert str(tmp_path / "kubeconfig") in text


def test_what_can_only_be_a_folder_is_told_as_a_folder() -> None:
    with pytest.raises(FolderError, match="runs/digits does not exist"):
        find("runs/digits", Place())


@pytest.mark.parametrize("place", [Place(namespace="team"), Place(context="here")])
def test_a_namespace_or_a_context_means_a_cluster(place: Place) -> None:
    assert refused("digits", place).startswith("there is no kubeconfig")
    assert "leave --namespace and --context out" in refused("runs/digits", place)


@pytest.mark.parametrize("content", ["", "7", "{", "kind: Config", "contexts: [1]\ncurrent-context: x", "\x00"])
def test_a_kubeconfig_of_garbage_is_told_in_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "kubeconfig").write_text(content)
    assert str(tmp_path / "kubeconfig") in refused("digits")


def test_without_the_extra_it_is_said_what_to_install() -> None:
    program = "import sys; sys.modules['kubernetes'] = None\nfrom archsearch.cli import main; main()"
    command = [sys.executable, "-c", program, "show", "digits"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 2
    assert (
        "kubernetes is not installed, but reads searches on clusters: pip install 'archsearch[operator]'" in done.stderr
    )

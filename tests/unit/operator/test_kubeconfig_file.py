"""Which kubeconfig is used: the operator and the commands that read a cluster find the one that kubectl would."""

import os
from pathlib import Path

import pytest

from archsearch.operator.connecting import kubeconfig_file
from archsearch.operator.port import ClusterError


@pytest.mark.parametrize(
    ("asked", "named", "there", "in_pod", "found"),
    [
        ("asked", ["a"], ["a", ".kube/config"], True, "asked"),
        (None, ["a", "b"], ["a", "b"], False, "a"),
        (None, ["a", "b"], ["b"], True, "b"),
        (None, ["", "b"], ["b"], False, "b"),
        (None, [], [".kube/config"], True, ".kube/config"),
        (None, [], [], True, None),
    ],
    ids=str,
)
def test_it_is_the_one_asked_for_else_the_first_there_is_else_the_pods_account(
    asked: str | None,
    named: list[str],
    there: list[str],
    in_pod: bool,
    found: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    surroundings(tmp_path, monkeypatch, named, there, in_pod)
    assert kubeconfig_file(asked and str(tmp_path / asked)) == (None if found is None else tmp_path / found)


@pytest.mark.parametrize(("named", "in_pod"), [([], False), (["a", "b"], False), (["a"], True)], ids=str)
def test_none_is_an_error_that_says_where_it_was_looked_for(
    named: list[str], in_pod: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    surroundings(tmp_path, monkeypatch, named, [], in_pod)
    looked = ", ".join(str(tmp_path / name) for name in named or [".kube/config"])
    with pytest.raises(ClusterError) as error:
        kubeconfig_file()
    assert f"({looked})" in str(error.value)


def surroundings(home: Path, monkeypatch: pytest.MonkeyPatch, named: list[str], there: list[str], in_pod: bool) -> None:
    """Files that there are at ``home``, and variables that name some."""
    for name in there:
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).touch()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(str(home / name) if name else "" for name in named))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    if in_pod:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

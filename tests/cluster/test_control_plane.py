"""The control plane of these tests is a real one: its schemas, its rights, its controllers and its outages are."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from kube.control_plane import ControlPlane
from kube.processes import Program

WIDGETS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.tests.archsearch.io"},
    "spec": {
        "group": "tests.archsearch.io",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "size": {
                                "type": "integer",
                                "x-kubernetes-validations": [
                                    {"rule": "self % 2 == 0", "message": "size must be even"},
                                    {"rule": "self >= oldSelf", "message": "size may not shrink"},
                                ],
                            }
                        },
                    }
                },
            }
        ],
    },
}


def widget(namespace: str, size: int) -> dict[str, Any]:
    return {
        "apiVersion": "tests.archsearch.io/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": namespace},
        "size": size,
    }


def test_cel_rules_refuse_what_breaks_them(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.apply(WIDGETS)
    control_plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd/widgets.tests.archsearch.io")

    odd = control_plane.kubectl("apply", "-f", "-", input=json.dumps(widget(namespace, 3)), check=False)
    assert odd.returncode != 0
    assert "size must be even" in odd.stderr

    control_plane.apply(widget(namespace, 4))
    smaller = control_plane.kubectl("apply", "-f", "-", input=json.dumps(widget(namespace, 2)), check=False)
    assert smaller.returncode != 0
    assert "size may not shrink" in smaller.stderr


def test_a_service_account_may_do_what_its_role_says_and_nothing_else(
    control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    control_plane.kubectl("create", "role", "reads-pods", "--verb=get,list", "--resource=pods", "-n", namespace)
    bound = ("--role=reads-pods", f"--serviceaccount={namespace}:reader")
    control_plane.kubectl("create", "rolebinding", "reader", *bound, "-n", namespace)
    config = control_plane.service_account_kubeconfig(namespace, "reader")
    as_reader = ("--kubeconfig", str(config), "-n", namespace)  # a flag given twice: the last one counts

    control_plane.kubectl("get", "pods", *as_reader)
    refused = control_plane.kubectl("get", "secrets", *as_reader, check=False)

    assert refused.returncode != 0
    assert "Forbidden" in refused.stderr
    user = f"system:serviceaccount:{namespace}:reader"
    seen = [
        (event["verb"], event["objectRef"]["resource"], event["responseStatus"]["code"])
        for event in control_plane.audit_events(user)
        if "objectRef" in event
    ]
    assert seen == [("list", "pods", 200), ("list", "secrets", 403)]


def test_a_pod_that_is_not_restricted_is_refused_where_the_namespace_asks_for_that(
    control_plane: ControlPlane, namespace: str
) -> None:
    enforce = "pod-security.kubernetes.io/enforce=restricted"
    control_plane.kubectl("label", "namespace", namespace, enforce)
    run = ("run", "open", "--image=trial:1", "-n", namespace)

    refused = control_plane.kubectl(*run, check=False)

    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted' in refused.stderr


def test_a_job_gets_its_pod_and_both_go_with_their_owner(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("create", "configmap", "owner", "-n", namespace)
    owner = control_plane.get("configmap", "owner", "-n", namespace)["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
    pod = {"restartPolicy": "Never", "containers": [{"name": "trial", "image": "trial:1"}]}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "owned", "namespace": namespace, "ownerReferences": [reference]},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }

    def pods() -> int:
        return len(control_plane.get("pods", "-n", namespace, "-l", "job-name=owned")["items"])

    control_plane.apply(job)
    control_plane.wait_until(lambda: pods() == 1, "the pod of a Job", seconds=30)
    control_plane.kubectl("delete", "configmap", "owner", "-n", namespace)
    control_plane.kubectl("wait", "--for=delete", "job/owned", "-n", namespace, "--timeout=30s")
    control_plane.wait_until(lambda: pods() == 0, "the pod of a deleted Job to go", seconds=30)


def test_what_was_written_outlives_an_outage_of_the_api_server(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("create", "configmap", "kept", "--from-literal=a=1", "-n", namespace)
    before = len(list(control_plane.audit_events()))
    url = control_plane.url

    control_plane.stop_api_server()
    try:
        silent = control_plane.kubectl("get", "configmap", "kept", "-n", namespace, check=False)
        assert silent.returncode != 0
        assert "refused" in silent.stderr
    finally:
        control_plane.start_api_server()

    assert control_plane.url == url
    assert control_plane.get("configmap", "kept", "-n", namespace)["data"] == {"a": "1"}
    assert len(list(control_plane.audit_events())) > before  # the log of before is still there, and goes on


def test_every_part_has_ended_after_stop(tmp_path: Path) -> None:
    program = Program(["/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"], tmp_path / "log")
    program.start()
    pid = program.pid
    assert pid is not None
    program.kill()
    assert program.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_program_does_not_outlive_a_test_run_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from kube.processes import Program\n"
        f"program = Program(['/bin/sleep', '600'], Path({str(tmp_path / 'log')!r})); program.start()\n"
        "print(program.pid, flush=True); time.sleep(600)"
    )
    support = str(Path(__file__).resolve().parents[1] / "support")
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": support}
    ) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        os.kill(pid, 0)
        run.kill()
        run.wait()

    end = time.monotonic() + 10
    while _is_alive(pid):
        assert time.monotonic() < end, "the program still runs"
        time.sleep(0.05)


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for init to be told does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")

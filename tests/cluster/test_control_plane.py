"""The control plane of these tests is a real one: its schemas, its rights, its controllers and its outages are."""

import json
from typing import Any

from kube.control_plane import ControlPlane

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

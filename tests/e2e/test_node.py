"""The node is a real one: pods reach the API server, the machine reaches pods, GPUs that are none are counted."""

import json
import urllib.request
from typing import Any

from node.whole import Node

SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
ASK = """
import os, ssl, urllib.request
account = "/var/run/secrets/kubernetes.io/serviceaccount/"
context = ssl.create_default_context(cafile=account + "ca.crt")
host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
headers = {"Authorization": "Bearer " + open(account + "token").read()}
request = urllib.request.Request(f"https://{host}:{port}/version", headers=headers)
print(urllib.request.urlopen(request, context=context, timeout=10).read().decode())
"""
SERVE = "import http.server; http.server.HTTPServer(('', 8080), http.server.SimpleHTTPRequestHandler).serve_forever()"


def pod(image: str, program: str, **container: Any) -> dict[str, Any]:
    main = {"name": "main", "image": image, "command": ["python3", "-c", program], "securityContext": SECURITY}
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [main | container],
    }


def start(node: Node, namespace: str, name: str, spec: dict[str, Any], **labels: str) -> None:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    node.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


def test_a_pod_reaches_the_api_server_by_its_service(node: Node, namespace: str) -> None:
    start(node, namespace, "asks", pod(node.images["operator"], ASK))
    node.kubectl(
        "wait", "pod/asks", "-n", namespace, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", check=False
    )
    log = node.kubectl("logs", "asks", "-n", namespace).stdout
    assert '"gitVersion": "v1.' in log


def test_the_machine_reaches_a_pod_and_its_service_by_their_addresses(node: Node, namespace: str) -> None:
    start(node, namespace, "serves", pod(node.images["trial"], SERVE), app="serves")
    node.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "serves", "namespace": namespace},
            "spec": {"selector": {"app": "serves"}, "ports": [{"port": 80, "targetPort": 8080}]},
        }
    )
    node.kubectl("wait", "pod/serves", "-n", namespace, "--for=condition=Ready", "--timeout=60s")
    address = node.get("pod", "serves", "-n", namespace)["status"]["podIP"]
    service = node.get("service", "serves", "-n", namespace)["spec"]["clusterIP"]
    node.wait_until(lambda: answers(f"http://{address}:8080/"), "the pod to answer")
    node.wait_until(lambda: answers(f"http://{service}/"), "the service to answer")


def test_gpus_that_are_none_are_counted_as_real_ones(node: Node, namespace: str) -> None:
    node.set_capacity("nvidia.com/gpu", 2)
    for number in range(3):
        limits = {"limits": {"nvidia.com/gpu": 1}}
        start(node, namespace, f"gpu-{number}", pod(node.images["trial"], SERVE, resources=limits))
    pods = ("pods", "-n", namespace)

    def unschedulable() -> list[str]:
        conditions = [one for found in node.get(*pods)["items"] for one in found["status"].get("conditions", [])]
        return [one["message"] for one in conditions if one.get("reason") == "Unschedulable"]

    node.wait_until(lambda: bool(unschedulable()), "one pod to wait for a GPU")
    (message,) = unschedulable()
    assert "Insufficient nvidia.com/gpu" in message
    node.wait_until(lambda: phases(node, namespace) == ["Pending", "Running", "Running"], "two pods to run")


def test_helm_reaches_the_cluster_and_the_audit_log_has_every_request(node: Node, namespace: str) -> None:
    assert json.loads(node.helm("list", "--namespace", namespace, "--output", "json").stdout) == []
    asked = [event["requestURI"] for event in node.audit_events(user="admin")]
    assert any(uri.startswith(f"/api/v1/namespaces/{namespace}/secrets") for uri in asked)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def phases(node: Node, namespace: str) -> list[str]:
    return sorted(found["status"]["phase"] for found in node.get("pods", "-n", namespace)["items"])

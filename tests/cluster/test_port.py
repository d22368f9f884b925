"""The cluster port against a real API server: what it sends is understood, what comes back is typed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest
from kube.control_plane import ControlPlane
from kubernetes.aio.config import incluster_config

from archsearch.operator.client import PAGE, KubernetesPort, connect
from archsearch.operator.connecting import configuration_from
from archsearch.operator.names import FIELD_MANAGER
from archsearch.operator.port import (
    JOB,
    POD,
    AlreadyExists,
    ClusterError,
    Conflict,
    Expired,
    NotFound,
    Object,
    Rejected,
    Resource,
    Unavailable,
)

CONFIG_MAP = Resource("", "v1", "configmaps", "ConfigMap")
SELF_REVIEW = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview")
THING = Resource("nowhere.archsearch.io", "v1", "things", "Thing")


@pytest.fixture
async def port(control_plane: ControlPlane) -> AsyncIterator[KubernetesPort]:
    async with await connect(control_plane.kubeconfig) as port:
        yield port


def config_map(namespace: str, name: str, labels: dict[str, str] | None = None, **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
        "data": data,
    }


def job(namespace: str, name: str, **pod: Any) -> Object:
    container = {"name": "trial", "image": "trial:1"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container], **pod}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"backoffLimit": 0, "template": template},
    }


async def test_what_is_created_is_got_and_listed_with_its_kind(port: KubernetesPort, namespace: str) -> None:
    made = await port.create(CONFIG_MAP, config_map(namespace, "a", {"of": "me"}, key="ü"))
    await port.create(CONFIG_MAP, config_map(namespace, "b", {"of": "you"}))

    listing = await port.list(CONFIG_MAP, namespace, "of=me")

    assert await port.get(CONFIG_MAP, namespace, "a") == made
    assert listing.items == (made,)
    assert int(listing.resource_version) >= int(made["metadata"]["resourceVersion"])
    assert made["metadata"]["managedFields"][0]["manager"] == FIELD_MANAGER


async def test_a_list_without_a_namespace_is_of_all(port: KubernetesPort, namespace: str) -> None:
    await port.create(CONFIG_MAP, config_map(namespace, "a", {"test": namespace}))
    await port.create(CONFIG_MAP, config_map("default", namespace, {"test": namespace}))

    found = (await port.list(CONFIG_MAP, None, f"test={namespace}")).items

    assert {each["metadata"]["namespace"] for each in found} == {"default", namespace}


async def test_a_list_longer_than_a_page_is_whole_and_of_one_version(
    control_plane: ControlPlane, port: KubernetesPort, namespace: str
) -> None:
    count = PAGE + 3
    names = [f"c{number:04}" for number in range(count)]
    for start in range(0, count, 50):
        batch = names[start : start + 50]
        await asyncio.gather(*(port.create(CONFIG_MAP, config_map(namespace, name, {"long": ""})) for name in batch))

    async with aclosing(port.pages(CONFIG_MAP, namespace, "long")) as found:
        pages = [page async for page in found]
    listing = await port.list(CONFIG_MAP, namespace, "long")

    assert [len(page.items) for page in pages] == [PAGE, 3]
    assert len({page.resource_version for page in pages}) == 1
    assert [each["metadata"]["name"] for each in listing.items] == names


async def test_a_dry_run_writes_nothing_and_refuses_fields_that_nobody_knows(
    port: KubernetesPort, namespace: str
) -> None:
    await port.create(JOB, job(namespace, "good"), dry_run=True)
    with pytest.raises(Rejected, match=r'unknown field "spec.template.spec.nodeselector"'):
        await port.create(JOB, job(namespace, "bad", nodeselector={}), dry_run=True)

    assert (await port.list(JOB, namespace)).items == ()


async def test_a_name_that_is_taken_is_another_error_than_a_write_that_came_too_late(
    port: KubernetesPort, namespace: str
) -> None:
    first = await port.create(CONFIG_MAP, config_map(namespace, "a"))
    seen = first["metadata"]["resourceVersion"]
    await port.patch(CONFIG_MAP, namespace, "a", {"metadata": {"resourceVersion": seen}, "data": {"by": "one"}})

    with pytest.raises(AlreadyExists) as taken:
        await port.create(CONFIG_MAP, config_map(namespace, "a"))
    with pytest.raises(Conflict) as late:
        await port.patch(CONFIG_MAP, namespace, "a", {"metadata": {"resourceVersion": seen}, "data": {"by": "two"}})

    assert (taken.value.status, late.value.status) == (409, 409)
    assert (await port.get(CONFIG_MAP, namespace, "a"))["data"] == {"by": "one"}


async def test_a_merge_patch_of_the_status_leaves_the_rest_and_null_removes(
    port: KubernetesPort, namespace: str
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": namespace, "labels": {"keep": "1", "drop": "1"}},
        "spec": {"containers": [{"name": "trial", "image": "trial:1"}]},
    }
    await port.create(POD, pod)

    await port.patch(POD, namespace, "p", {"metadata": {"labels": {"drop": None}}})
    status = {"status": {"phase": "Running", "message": "by hand"}, "spec": {"activeDeadlineSeconds": 3}}
    found = await port.patch(POD, namespace, "p", status, subresource="status")

    assert found["metadata"]["labels"] == {"keep": "1"}
    assert found["status"]["message"] == "by hand"
    assert "activeDeadlineSeconds" not in found["spec"]


@pytest.mark.parametrize("name", ["absent", "with/slash", "with space?a=b"])
async def test_what_is_not_there_is_not_found(port: KubernetesPort, namespace: str, name: str) -> None:
    with pytest.raises(NotFound):
        await port.get(CONFIG_MAP, namespace, name)
    with pytest.raises(NotFound):
        await port.patch(CONFIG_MAP, namespace, name, {"data": {"a": "b"}})


async def test_a_kind_that_is_not_there_is_not_found(port: KubernetesPort, namespace: str) -> None:
    with pytest.raises(NotFound, match="list Thing"):
        await port.list(THING, namespace)


async def test_a_call_about_one_object_never_becomes_one_about_all(port: KubernetesPort, namespace: str) -> None:
    await port.create(CONFIG_MAP, config_map(namespace, "a"))
    with pytest.raises(Rejected, match="name is empty"):
        await port.delete(CONFIG_MAP, namespace, "", uid="any")
    assert (await port.get(CONFIG_MAP, namespace, "a"))["metadata"]["name"] == "a"


async def test_what_the_schema_refuses_is_rejected_with_the_path_of_each_field(
    port: KubernetesPort, namespace: str
) -> None:
    bad = job(namespace, "bad", restartPolicy="Sometimes")
    bad["spec"]["backoffLimit"] = -1

    with pytest.raises(Rejected) as refused:
        await port.create(JOB, bad)

    assert refused.value.status == 422
    assert any(cause.startswith("spec.backoffLimit: ") for cause in refused.value.causes)
    assert any(cause.startswith("spec.template.spec.restartPolicy: ") for cause in refused.value.causes)


async def test_what_is_not_even_an_object_of_that_kind_is_rejected(port: KubernetesPort, namespace: str) -> None:
    with pytest.raises(Rejected) as refused:
        await port.create(JOB, job(namespace, "bad") | {"spec": "words"})
    assert refused.value.status == 400
    assert refused.value.causes != ()


async def test_a_quota_that_is_used_up_is_rejected(
    control_plane: ControlPlane, port: KubernetesPort, namespace: str
) -> None:
    control_plane.kubectl("create", "quota", "none", "--hard=count/jobs.batch=0", "-n", namespace)
    control_plane.wait_until(
        lambda: "hard" in control_plane.get("quota", "none", "-n", namespace).get("status", {}), "the quota"
    )
    with pytest.raises(Rejected, match="exceeded quota: none") as refused:
        await port.create(JOB, job(namespace, "a"))
    assert refused.value.status == 403


async def test_two_ports_of_one_configuration_have_connections_of_their_own(control_plane: ControlPlane) -> None:
    configuration = await configuration_from(control_plane.kubeconfig, None)
    async with KubernetesPort(configuration) as one:
        async with KubernetesPort(configuration) as other:
            await other.list(JOB, "default")
        await one.list(JOB, "default")


async def test_a_missing_right_is_rejected_and_says_which(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("create", "serviceaccount", "nobody", "-n", namespace)
    kubeconfig = control_plane.service_account_kubeconfig(namespace, "nobody")
    async with await connect(kubeconfig) as port:
        with pytest.raises(Rejected, match="cannot list resource") as refused:
            await port.list(JOB, namespace)
        with pytest.raises(Rejected, match="cannot watch resource"):
            async with aclosing(port.watch(JOB, namespace, "", "0")) as changes:
                await anext(changes)
    assert refused.value.status == 403


async def test_credentials_that_are_no_longer_good_may_be_renewed(control_plane: ControlPlane, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    cluster = f"server: {control_plane.url}, certificate-authority: {control_plane.authority_file}"
    kubeconfig.write_text(
        f"clusters: [{{name: c, cluster: {{{cluster}}}}}]\nusers: [{{name: u, user: {{token: stale}}}}]\n"
        "contexts: [{name: x, context: {cluster: c, user: u}}]\n"
    )
    async with await connect(kubeconfig, "x") as port:
        with pytest.raises(Unavailable) as refused:
            await port.list(JOB, "default")
    assert refused.value.status == 401


async def test_in_a_pod_the_token_is_read_again_when_it_may_have_been_renewed(
    control_plane: ControlPlane, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    host, port_number = control_plane.url.removeprefix("https://").split(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port_number)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(control_plane.authority_file))
    token.write_text("stale")
    async with await connect() as port:
        with pytest.raises(Unavailable) as stale:
            await port.create(SELF_REVIEW, {"metadata": {}})
        made = control_plane.kubectl("create", "token", "default", "-n", namespace).stdout  # ends with a newline
        token.write_text(made)

        class Later(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> "Later":
                return cls.fromtimestamp(datetime.now(tz).timestamp() + 61, tz)

        monkeypatch.setattr(incluster_config.datetime, "datetime", Later)
        review = await port.create(SELF_REVIEW, {"metadata": {}})

    assert stale.value.status == 401
    assert review["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:default"


async def test_an_object_for_a_namespace_that_is_going_is_too_late_and_not_wrong(
    control_plane: ControlPlane, port: KubernetesPort, namespace: str
) -> None:
    held = config_map(namespace, "held")
    held["metadata"]["finalizers"] = ["tests.archsearch.io/hold"]
    await port.create(CONFIG_MAP, held)
    control_plane.kubectl("delete", "namespace", namespace, "--wait=false")
    try:
        with pytest.raises(Conflict, match="because it is being terminated"):
            await port.create(CONFIG_MAP, config_map(namespace, "late"))
    finally:
        await port.patch(CONFIG_MAP, namespace, "held", {"metadata": {"finalizers": None}})


async def test_only_the_object_that_was_meant_is_deleted(port: KubernetesPort, namespace: str) -> None:
    old = await port.create(CONFIG_MAP, config_map(namespace, "a"))
    await port.delete(CONFIG_MAP, namespace, "a", uid=old["metadata"]["uid"])
    await port.delete(CONFIG_MAP, namespace, "a", uid=old["metadata"]["uid"])
    new = await port.create(CONFIG_MAP, config_map(namespace, "a"))

    with pytest.raises(Conflict):
        await port.delete(CONFIG_MAP, namespace, "a", uid=old["metadata"]["uid"])

    assert await port.get(CONFIG_MAP, namespace, "a") == new


async def test_what_an_object_owns_is_deleted_after_it(
    control_plane: ControlPlane, port: KubernetesPort, namespace: str
) -> None:
    owner = await port.create(CONFIG_MAP, config_map(namespace, "owner"))
    owned = config_map(namespace, "owned")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned["metadata"]["ownerReferences"] = [reference]
    made = await port.create(CONFIG_MAP, owned)
    await port.delete(CONFIG_MAP, namespace, "owner", uid=owner["metadata"]["uid"])

    async with (
        asyncio.timeout(30),
        aclosing(port.watch(CONFIG_MAP, namespace, "", made["metadata"]["resourceVersion"])) as changes,
    ):
        gone = [change.object["metadata"]["name"] async for change in _until_deleted(changes, "owned")]
    assert gone == ["owner", "owned"]


async def _until_deleted(changes: AsyncIterator[Any], name: str) -> AsyncIterator[Any]:
    async for change in changes:
        if change.type == "DELETED":
            yield change
            if change.object["metadata"]["name"] == name:
                return


async def test_a_watch_tells_what_has_happened_since_a_version(port: KubernetesPort, namespace: str) -> None:
    start = (await port.list(CONFIG_MAP, namespace, "mine")).resource_version
    made = await port.create(CONFIG_MAP, config_map(namespace, "a", {"mine": ""}))
    await port.create(CONFIG_MAP, config_map(namespace, "b", {"other": ""}))
    await port.patch(CONFIG_MAP, namespace, "a", {"data": {"big": "x" * 900_000}})
    await port.delete(CONFIG_MAP, namespace, "a", uid=made["metadata"]["uid"])

    seen = []
    async with asyncio.timeout(10), aclosing(port.watch(CONFIG_MAP, namespace, "mine", start)) as changes:
        async for change in changes:
            seen.append((change.type, len(change.object.get("data", {}).get("big", ""))))
            if change.type == "DELETED":
                break

    assert seen == [("ADDED", 0), ("MODIFIED", 900_000), ("DELETED", 900_000)]


async def test_a_watch_ends_as_unavailable_when_the_api_server_dies_and_what_it_forgot_is_expired(
    control_plane: ControlPlane, port: KubernetesPort, namespace: str
) -> None:
    start = (await port.list(CONFIG_MAP, namespace, "mine")).resource_version
    changes = port.watch(CONFIG_MAP, namespace, "mine", start)
    await port.create(CONFIG_MAP, config_map(namespace, "a", {"mine": ""}))
    assert (await anext(changes)).type == "ADDED"

    control_plane.stop_api_server()
    try:
        with pytest.raises(Unavailable):
            async with asyncio.timeout(10):
                await anext(changes)
        with pytest.raises(Unavailable) as refused:
            await port.get(CONFIG_MAP, namespace, "a")
    finally:
        control_plane.start_api_server()

    with pytest.raises(Expired) as gone:  # a new API server knows nothing of what was before its first list
        async with asyncio.timeout(10), aclosing(port.watch(CONFIG_MAP, namespace, "mine", "1")) as changes:
            await anext(changes)
    assert (refused.value.status, gone.value.status) == (0, 410)
    assert (await port.get(CONFIG_MAP, namespace, "a"))["metadata"]["name"] == "a"


async def test_a_log_is_empty_without_a_node_and_rejected_without_the_container(
    port: KubernetesPort, namespace: str
) -> None:
    pod = {"metadata": {"name": "p", "namespace": namespace}, "spec": {"containers": [{"name": "trial", "image": "t"}]}}
    await port.create(POD, pod)
    assert await port.log(namespace, "p", "trial", tail_bytes=1000) == b""
    with pytest.raises(Rejected, match="container other is not valid for pod p"):
        await port.log(namespace, "p", "other", tail_bytes=1000)
    with pytest.raises(NotFound):
        await port.log(namespace, "absent", "trial", tail_bytes=1000)


async def test_every_call_is_counted_by_verb_resource_and_status(control_plane: ControlPlane, namespace: str) -> None:
    counted: list[tuple[str, str, int]] = []
    async with await connect(control_plane.kubeconfig, on_call=lambda *call: counted.append(call)) as port:
        made = await port.create(CONFIG_MAP, config_map(namespace, "a"))
        version, uid = made["metadata"]["resourceVersion"], made["metadata"]["uid"]
        await port.patch(CONFIG_MAP, namespace, "a", {"data": {"a": "b"}})
        async with aclosing(port.watch(CONFIG_MAP, namespace, "", version)) as changes:
            await anext(changes)
        await port.list(CONFIG_MAP, namespace)
        await port.delete(CONFIG_MAP, namespace, "a", uid=uid)
        with pytest.raises(ClusterError):
            await port.log(namespace, "absent", "trial", tail_bytes=1)
        with pytest.raises(ClusterError):
            await port.patch(JOB, namespace, "absent", {}, subresource="status")

    assert counted == [
        ("create", "configmaps", 201),
        ("patch", "configmaps", 200),
        ("watch", "configmaps", 200),
        ("list", "configmaps", 200),
        ("delete", "configmaps", 200),
        ("get", "pods/log", 404),
        ("patch", "jobs/status", 404),
    ]


async def test_who_may_not_write_any_more_still_reads_and_tries_out(
    control_plane: ControlPlane, namespace: str
) -> None:
    async with await connect(control_plane.kubeconfig, may_write=lambda: False) as port:
        with pytest.raises(Unavailable, match="does not hold its Lease"):
            await port.create(CONFIG_MAP, config_map(namespace, "a"))
        with pytest.raises(Unavailable, match="does not hold its Lease"):
            await port.patch(CONFIG_MAP, namespace, "kube-root-ca.crt", {"data": {}})
        with pytest.raises(Unavailable, match="does not hold its Lease"):
            await port.delete(CONFIG_MAP, namespace, "kube-root-ca.crt", uid="any")
        await port.create(CONFIG_MAP, config_map(namespace, "a"), dry_run=True)
        assert all(each["metadata"]["name"] != "a" for each in (await port.list(CONFIG_MAP, namespace)).items)

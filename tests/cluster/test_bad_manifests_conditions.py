"""A running operator and everything that is wrong with manifests: told where people look, and nothing else happens.

What the API server stores although it is wrong (its rules cannot say everything) is answered by conditions, in the
sentences of `archsearch validate`; so are the fields that only a cluster reads. One operator meets all of it.
"""

import asyncio
import json
import time
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cluster_searches import apply, get, kubectl, search, until
from kube.control_plane import ControlPlane
from kube.stand_in import StandIn
from operator_runs import operator, settings_for
from prometheus_client.parser import text_string_to_metric_families

from archsearch.manifest import ManifestError, check, check_all

BAD = sorted((Path(__file__).parents[1] / "data" / "manifests" / "bad").glob("*.yaml"))
RESYNC = 5.0
"""Seconds. Reading a manifest anew costs some 30 ms: 32 of them each second would be all that this process does."""
ACCOUNT = "operator-under-test"
Object = dict[str, Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


# --- what only a cluster minds --------------------------------------------------------------------------------------


def pod(**spec: Any) -> Object:
    """A podTemplate with this spec."""
    return {"podTemplate": {"spec": spec}}


def container(**fields: Any) -> Object:
    return pod(containers=[fields])


@dataclass(frozen=True)
class Mistake:
    """A trial of a manifest that cannot be run, and what its user must be told."""

    name: str
    trial: Object
    words: tuple[str, ...]
    """Words of the message: the field, and the value or what is right."""
    reason: str = "InvalidPodTemplate"
    """Reason of the condition; empty: the API server refuses the manifest itself, in these words."""

    def manifest(self, namespace: str) -> Object:
        """A search that has nothing wrong but this."""
        return search(self.name, namespace, trial={"task": {"custom": {}}, "image": "x", **self.trial})

    def is_told_by(self, condition: Object) -> bool:
        """Whether ``condition`` says what is wrong."""
        said = all(word in condition["message"] for word in self.words)
        return said and (condition["status"], condition["reason"]) == ("False", self.reason)


AT = "spec.trial.podTemplate"
BY_SERVER = ("the API server refuses the first Job", "look at spec.trial.podTemplate")
MISTAKES = [
    # Found while the pod is built.
    Mistake("part-unknown", {"podTemplate": {"containers": []}}, (f"{AT}.containers", "podTemplate.spec")),
    Mistake("metadata-unknown", {"podTemplate": {"metadata": {"name": "mine"}}}, (f"{AT}.metadata.name", "labels")),
    Mistake("label-of-ours", {"podTemplate": {"metadata": {"labels": {"archsearch.io/index": "7"}}}},
            (f'{AT}.metadata.labels["archsearch.io/index"]', '"7"')),
    Mistake("label-no-text", {"podTemplate": {"metadata": {"labels": {"team": 7}}}},
            (f"{AT}.metadata.labels.team", "needs a text")),
    Mistake("restart-policy", pod(restartPolicy="OnFailure"), (f"{AT}.spec.restartPolicy", "OnFailure", "Never")),
    Mistake("own-deadline", pod(activeDeadlineSeconds=60), (f"{AT}.spec.activeDeadlineSeconds", "spec.trial.deadline")),
    Mistake("spec-no-object", {"podTemplate": {"spec": []}}, (f"{AT}.spec", "needs an object")),
    Mistake("containers-no-list", pod(containers={"image": "x"}), (f"{AT}.spec.containers", "needs a list")),
    Mistake("container-no-object", pod(containers=["trial"]), (f"{AT}.spec.containers[0]", "needs an object")),
    Mistake("container-twice", pod(containers=[{"name": "side", "image": "a"}, {"name": "side", "image": "b"}]),
            (f"{AT}.spec.containers[1]", '"side" stands twice')),
    Mistake("trial-deleted", container(name="trial", **{"$patch": "delete"}),
            (f"{AT}.spec.containers", '"trial" cannot be deleted')),
    Mistake("directive-unknown", container(name="trial", **{"$patch": "drop"}),
            (f'{AT}.spec.containers[0]["$patch"]', '"drop"', "replace")),
    Mistake("report-elsewhere", container(terminationMessagePath="/tmp/report"),
            (f"{AT}.spec.containers[0].terminationMessagePath", "/tmp/report")),
    Mistake("variable-of-ours", container(env=[{"name": "ARCHSEARCH_TRIAL", "value": "mine"}]),
            (f"{AT}.spec.containers[0].env", "ARCHSEARCH_TRIAL")),
    Mistake("variable-no-text", container(env=[{"name": "EPOCHS", "value": 3}]),
            (f"{AT}.spec.containers[0].env[0].value", "needs a text")),
    Mistake("mount-no-path", container(volumeMounts=[{"name": "data"}]),
            (f"{AT}.spec.containers[0].volumeMounts[0].mountPath", "missing")),
    Mistake("selector-no-text", pod(nodeSelector={"gpu": True}), (f"{AT}.spec.nodeSelector.gpu", "needs a text")),
    Mistake("volume-no-name", pod(volumes=[{"emptyDir": {}}]), (f"{AT}.spec.volumes[0].name", "missing")),
    # Found by the API server, which is asked about the first Job before anything is made.
    Mistake("field-misspelt", pod(nodeSelektor={"gpu": "yes"}), ("spec.template.spec.nodeSelektor", *BY_SERVER)),
    Mistake("container-field-misspelt", container(imagePullPolice="Always"), ("imagePullPolice", *BY_SERVER)),
    Mistake("type-wrong", pod(hostNetwork="maybe"), ("hostNetwork", *BY_SERVER)),
    Mistake("value-unknown", pod(dnsPolicy="Mine"), ("spec.template.spec.dnsPolicy", '"Mine"', *BY_SERVER)),
    Mistake("image-missing", container(name="side"), ("spec.template.spec.containers[1].image", *BY_SERVER)),
    Mistake("volume-unknown", container(volumeMounts=[{"name": "data", "mountPath": "/data"}]),
            ("volumeMounts[1].name", '"data"', *BY_SERVER)),
    Mistake("toleration-bad", pod(tolerations=[{"key": "a", "operator": "Exists", "value": "b"}]),
            ("spec.template.spec.tolerations", *BY_SERVER)),
    Mistake("quantity-in-template", container(resources={"limits": {"cpu": "two"}}), ("quantities", *BY_SERVER)),
    Mistake("request-above-limit", {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}},
            ("resources.requests", *BY_SERVER)),
    Mistake("hugepages-alone", {"resources": {"limits": {"hugepages-2Mi": "2Mi"}}}, ("resources", *BY_SERVER)),
    Mistake("half-a-gpu", {"resources": {"limits": {"nvidia.com/gpu": "500m"}}},
            ("resources.limits[nvidia.com/gpu]", *BY_SERVER)),
    Mistake("resource-unknown", {"resources": {"limits": {"gpu": 1}}}, ("resources.limits[gpu]", *BY_SERVER)),
    # Found by `archsearch validate` as well, or only on a cluster.
    Mistake("job-label-of-ours", {"jobMetadata": {"labels": {"archsearch.io/index": "7"}}},
            ('spec.trial.jobMetadata.labels["archsearch.io/index"]', "the operator's"), "InvalidManifest"),
    Mistake("job-note-of-ours", {"jobMetadata": {"annotations": {"archsearch.io/stop-reason": "x"}}},
            ('spec.trial.jobMetadata.annotations["archsearch.io/stop-reason"]', "the operator's"), "InvalidManifest"),
    Mistake("quantity-true", {"resources": {"limits": {"cpu": True}}},
            ("spec.trial.resources.limits.cpu", "true"), "InvalidManifest"),
    # Refused before anything is stored.
    Mistake("quantity-no-number", {"resources": {"limits": {"cpu": "two"}}}, ("spec.trial.resources.limits.cpu",), ""),
    Mistake("template-no-object", {"podTemplate": "gpu"}, (AT,), ""),
]  # fmt: skip


# --- one operator for all of it -------------------------------------------------------------------------------------


def account(plane: ControlPlane, namespace: str) -> Path:
    """Kubeconfig of an account of its own, so that the audit log tells the operator's calls from all others."""
    plane.kubectl("create", "serviceaccount", ACCOUNT, "-n", namespace)
    role = ("--clusterrole=cluster-admin", f"--serviceaccount={namespace}:{ACCOUNT}")
    plane.kubectl("create", "rolebinding", ACCOUNT, *role, "-n", namespace)
    may = ("auth", "can-i", "create", "leases.coordination.k8s.io", "-n", namespace)
    user = f"system:serviceaccount:{namespace}:{ACCOUNT}"
    plane.wait_until(lambda: plane.kubectl(*may, as_user=user, check=False).returncode == 0, f"{user} to get its role")
    return plane.service_account_kubeconfig(namespace, ACCOUNT)


class Site:
    """A namespace with a running operator."""

    def __init__(self, plane: ControlPlane, namespace: str, metrics: str) -> None:
        self.plane, self.namespace, self._metrics = plane, namespace, metrics

    def calls(self) -> int:
        """Calls of the operator so far."""
        user = f"system:serviceaccount:{self.namespace}:{ACCOUNT}"
        return sum(1 for _ in self.plane.audit_events(user))

    def passes(self) -> dict[str, float]:
        """Passes over each search so far."""
        text = urllib.request.urlopen(self._metrics, timeout=10).read().decode()
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        counted = [one for one in samples if one.name == "archsearch_reconcile_duration_seconds_count"]
        return {one.labels["search"]: one.value for one in counted}

    def create(self, text: str) -> tuple[Object | None, str]:
        """kubectl create of a manifest's text: what was stored, or what was said instead."""
        done = self.plane.kubectl("create", "-n", self.namespace, "-f", "-", "-o", "json", input=text, check=False)
        return (json.loads(done.stdout) if done.stdout else None), done.stderr

    async def good_search(self, name: str) -> None:
        """A good search runs to its end."""
        await apply(self.plane, search(name, self.namespace, trials={"max": 3}))
        done = await until(self.plane, self.namespace, name, "Succeeded")
        assert done["status"]["counts"]["succeeded"] == 3
        await kubectl(self.plane, "delete", "archsearch", name, "-n", self.namespace)


@pytest.fixture
async def site(control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path) -> AsyncIterator[Site]:
    kubeconfig = await asyncio.to_thread(account, control_plane, namespace)
    settings = settings_for(kubeconfig, namespace, resync=RESYNC)
    async with StandIn(control_plane, tmp_path, namespaces=[namespace]) as _, operator(settings) as running:
        await kubectl(control_plane, "wait", "--for=create", "-n", namespace, "lease/archsearch-operator")
        yield Site(control_plane, namespace, f"http://127.0.0.1:{running.port}/metrics")


def told(object: Object) -> Object:
    """The condition Ready."""
    (ready,) = [one for one in object["status"]["conditions"] if one["type"] == "Ready"]
    return ready


def sentences(errors: list[ManifestError]) -> list[str]:
    return [f"{error.path}: {error.message}" if error.path else error.message for error in errors]


def validated(stored: Object) -> list[str]:
    """What `archsearch validate` says of a stored object, without what servers alone write."""
    metadata = {key: value for key, value in stored["metadata"].items() if key in ("name", "labels", "annotations")}
    kept = {**{key: stored[key] for key in ("apiVersion", "kind", "spec")}, "metadata": metadata}
    _, errors = check(json.dumps(kept), "stored")
    return sentences(errors)


def mistakes(file: Path) -> list[ManifestError]:
    documents, broken = check_all(file.read_bytes(), file.name)
    return [*(error for document in documents for error in document.errors), *broken]


async def test_each_bad_manifest_is_refused_or_told_in_the_words_of_validate(site: Site) -> None:
    refused, answered = set(), set()
    for file in BAD:
        object, said = await asyncio.to_thread(site.create, file.read_text(encoding="utf-8", errors="surrogateescape"))
        if object is None:
            assert said, file.name
            refused.add(file.stem)
            continue
        wrong = validated(object) if object["kind"] == "ArchitectureSearch" else []
        if wrong:
            answered.add(file.stem)
            condition = told(await until(site.plane, site.namespace, "bad", "Ready=False", 20))
            assert condition["reason"] == "InvalidManifest"
            assert condition["message"].split("\n") == wrong
            if file.stem not in CHANGED_BY_SERVER:
                assert wrong == sentences(mistakes(file))
        await kubectl(site.plane, "delete", object["kind"], object["metadata"]["name"], "-n", site.namespace)
    assert len(refused) >= 60
    assert len(answered) >= 3
    assert answered >= CHANGED_BY_SERVER
    await site.good_search("after-all-bad-manifests")


CHANGED_BY_SERVER = {"choice_same_number"}
"""1 and 1.0 are stored as 1 and 1: there are two 1 in the list, and that is what is told."""


async def test_mistakes_that_only_a_cluster_minds_are_told_by_field_and_nobody_goes_on_trying(site: Site) -> None:
    stored = [mistake for mistake in MISTAKES if mistake.reason]
    await apply(site.plane, *(mistake.manifest(site.namespace) for mistake in stored))
    for mistake in MISTAKES:
        if not mistake.reason:
            object, said = await asyncio.to_thread(site.create, json.dumps(mistake.manifest(site.namespace)))
            assert object is None, mistake.name
            assert [word for word in mistake.words if word not in said] == [], f"{mistake.name}: {said}"
    names = [f"archsearch/{mistake.name}" for mistake in stored]
    await kubectl(site.plane, "wait", "-n", site.namespace, *names, "--for=condition=Ready=False", "--timeout=60s")
    found = await get(site.plane, site.namespace, "archsearch")
    conditions = {one["metadata"]["name"]: told(one) for one in found["items"]}
    otherwise = {
        mistake.name: conditions[mistake.name] for mistake in stored if not mistake.is_told_by(conditions[mistake.name])
    }
    assert otherwise == {}
    await is_idle(site, {mistake.name for mistake in stored})
    made = await get(site.plane, site.namespace, "pods,jobs,secrets,services,networkpolicies,archtrial")
    assert [one["metadata"]["name"] for one in made["items"]] == []
    await site.good_search("after-all-mistakes")


async def is_idle(site: Site, searches: set[str]) -> None:
    """What was refused is looked at again with each resync, by two calls, and not in between."""
    begun, calls, passes = time.monotonic(), site.calls(), await asyncio.to_thread(site.passes)
    await asyncio.to_thread(
        site.plane.wait_until,
        lambda: all(count >= passes[name] + 2 for name, count in site.passes().items() if name in passes),
        "two more passes over each search",
    )
    seconds = time.monotonic() - begun
    more = {name: count - passes[name] for name, count in (await asyncio.to_thread(site.passes)).items()}
    rounds = seconds / RESYNC + 1
    assert set(more) == searches
    assert max(more.values()) <= rounds, more
    others = 10 + seconds  # the Lease, and watches that are begun anew
    assert site.calls() - calls <= 2 * rounds * len(searches) + others

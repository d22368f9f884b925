import json

from cluster_objects import SETTINGS, UID, search

from archsearch.api import Strategy
from archsearch.controller.program import TOKEN_VARIABLE, Config
from archsearch.operator.builders import controller as build
from archsearch.operator.builders.network import build_network_policies
from archsearch.operator.names import CONFIG_HASH
from archsearch.operator.port import Object

TOKEN = build.token(b"key", UID)
STRATEGY = Strategy.model_validate_json('{"random": {}}')


def pod(**spec: object) -> Object:
    manifest = search(**spec)
    return build.build_controller_pod(manifest, UID, 4, TOKEN, build.config(manifest, STRATEGY), "image:1", SETTINGS)


def test_a_token_is_the_searchs_and_the_operators() -> None:
    assert len(TOKEN) == 64
    assert build.token(b"key", UID) == TOKEN
    assert len({TOKEN, build.token(b"key", UID + "x"), build.token(b"other", UID)}) == 3


def test_the_controller_program_reads_the_configuration() -> None:
    manifest = search(seed=7)
    read = Config.model_validate_json(build.config(manifest, STRATEGY))
    assert (read.name, read.search_space, read.strategy, read.seed) == (
        "digits",
        manifest.spec.search_space,
        STRATEGY,
        7,
    )


def test_the_secret_is_immutable_and_named_after_its_token() -> None:
    secret = build.build_secret(search(), UID, TOKEN, "{}")
    assert secret["immutable"] is True
    assert secret["stringData"] == {"token": TOKEN, "config.json": "{}"}
    assert TOKEN not in json.dumps(secret["metadata"])
    other = build.build_secret(search(), UID, TOKEN + "x", "{}")
    assert secret["metadata"]["name"] != other["metadata"]["name"]


def test_the_pod_takes_its_token_and_configuration_from_that_secret() -> None:
    made, secret = pod(), build.build_secret(search(), UID, TOKEN, "")["metadata"]["name"]
    (container,) = made["spec"]["containers"]
    reference = {"valueFrom": {"secretKeyRef": {"name": secret, "key": "token"}}}
    assert {"name": TOKEN_VARIABLE} | reference in container["env"]
    volumes = [volume["secret"]["secretName"] for volume in made["spec"]["volumes"] if "secret" in volume]
    assert volumes == [secret]
    assert container["args"] == ["--config", "/etc/archsearch/config.json", "--host", "0.0.0.0", "--port", "8080"]
    assert TOKEN not in json.dumps(made)


def test_a_controller_asks_for_the_memory_that_torch_takes_unless_told_otherwise() -> None:
    def resources(given: dict[str, object]) -> object:
        return pod(controller={"resources": given})["spec"]["containers"][0]["resources"]

    assert resources({}) == {"requests": {"cpu": "100m", "memory": "768Mi"}}
    assert resources({"limits": {"memory": "2Gi"}}) == {"limits": {"memory": "2Gi"}, "requests": {"cpu": "100m"}}
    assert resources({"requests": {"cpu": 1, "memory": "1Gi"}}) == {"requests": {"cpu": "1", "memory": "1Gi"}}


def test_the_hash_tells_pods_made_from_something_else_apart() -> None:
    hashes = {build.config_hash(*parts) for parts in (("t", "c"), ("t", "d"), ("u", "c"), ("tc", ""), ("", "tc"))}
    assert len(hashes) == 5
    manifest = search()
    assert pod()["metadata"]["annotations"][CONFIG_HASH] == build.config_hash(TOKEN, build.config(manifest, STRATEGY))


def test_the_service_finds_the_controller_pod_and_no_other() -> None:
    selector = build.build_service(search(), UID)["spec"]["selector"]
    labels = pod()["metadata"]["labels"]
    assert selector.items() <= labels.items()
    assert selector["archsearch.io/search-uid"] == UID
    assert selector["app.kubernetes.io/component"] == "controller"


def test_everything_of_a_controller_is_owned_by_the_search() -> None:
    made = [pod(), build.build_service(search(), UID), build.build_secret(search(), UID, TOKEN, "")]
    for object in [*made, *build_network_policies(search(), UID)]:
        (owner,) = object["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == (
            "ArchitectureSearch",
            "digits",
            UID,
            True,
        )
        assert object["metadata"]["namespace"] == "team"


def test_controllers_hear_the_operator_only_and_trials_nobody() -> None:
    controller, trial = build_network_policies(search(), UID)
    assert controller["metadata"]["name"] == "digits-controller"
    assert controller["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert controller["spec"]["egress"] == []
    (rule,) = controller["spec"]["ingress"]
    assert rule["from"] == [
        {
            "namespaceSelector": {},
            "podSelector": {
                "matchLabels": {
                    "app.kubernetes.io/name": "archsearch",
                    "app.kubernetes.io/component": "operator",
                }
            },
        }
    ]
    assert trial["spec"]["policyTypes"] == ["Ingress"]
    assert trial["spec"]["ingress"] == []
    assert trial["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "trial"

"""Who may talk to the pods of a search."""

from archsearch.api import ArchitectureSearch
from archsearch.operator.builders.owner import namespace_of, owner_reference
from archsearch.operator.names import (
    COMPONENT,
    CONTROLLER,
    CONTROLLER_PORT,
    MANAGER,
    SEARCH_UID_LABEL,
    TRIAL,
    labels,
)
from archsearch.operator.port import NETWORK_POLICY, SEARCH, Object

OPERATOR = "operator"
"""Value of the component label of the operator's own pods."""


def build_network_policies(search: ArchitectureSearch, uid: str) -> list[Object]:
    """The two policies of a search.

    Its controller hears the operator, from whatever namespace, and calls nobody. Its trials hear nobody; whom they
    call is left to the user, for data may come from anywhere. Enforcing them is the business of the cluster's network.
    """
    operator = {"matchLabels": {"app.kubernetes.io/name": MANAGER, COMPONENT: OPERATOR}}
    ingress = {
        "from": [{"namespaceSelector": {}, "podSelector": operator}],
        "ports": [{"port": CONTROLLER_PORT, "protocol": "TCP"}],
    }
    controller = {"policyTypes": ["Ingress", "Egress"], "ingress": [ingress], "egress": []}
    trial = {"policyTypes": ["Ingress"], "ingress": []}
    return [_policy(search, uid, CONTROLLER, controller), _policy(search, uid, TRIAL, trial)]


def _policy(search: ArchitectureSearch, uid: str, component: str, rules: Object) -> Object:
    return {
        "apiVersion": NETWORK_POLICY.api_version,
        "kind": NETWORK_POLICY.kind,
        "metadata": {
            "name": f"{search.metadata.name}-{component}",
            "namespace": namespace_of(search),
            "labels": labels(search.metadata.name, uid, component),
            "ownerReferences": [owner_reference(SEARCH, search.metadata.name, uid)],
        },
        "spec": {"podSelector": {"matchLabels": {SEARCH_UID_LABEL: uid, COMPONENT: component}}, **rules},
    }

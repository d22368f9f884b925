"""What a search owns beside pods and records: its Secret, its Service, its NetworkPolicies."""

from archsearch.api import ArchitectureSearch, Strategy
from archsearch.operator.builders import controller as build
from archsearch.operator.builders.network import build_network_policies
from archsearch.operator.port import NETWORK_POLICY, SECRET, SERVICE, AlreadyExists, ClusterPort, Object, Resource


async def make_belongings(
    port: ClusterPort, search: ArchitectureSearch, uid: str, strategy: Strategy, key: bytes
) -> None:
    """Make what is not there yet. Their content follows from the search and the operator's key, so one that is there is
    as it should be, and nothing has to be read.

    Raises:
        ClusterError: one is refused, or the API server does not answer.
    """
    token = build.token(key, uid)
    wanted: list[tuple[Resource, Object]] = [
        (SECRET, build.build_secret(search, uid, token, build.config(search, strategy))),
        (SERVICE, build.build_service(search, uid)),
        *((NETWORK_POLICY, policy) for policy in build_network_policies(search, uid)),
    ]
    for resource, object in wanted:
        try:
            await port.create(resource, object)
        except AlreadyExists:
            continue

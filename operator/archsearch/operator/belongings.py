"""What a search owns beside pods and records: its Secret, its Service, its NetworkPolicies."""

from archsearch.api import ArchitectureSearch, Strategy
from archsearch.operator.builders import controller as build
from archsearch.operator.builders.network import build_network_policies
from archsearch.operator.leftovers import refuse_stranger
from archsearch.operator.port import NETWORK_POLICY, SECRET, SERVICE, AlreadyExists, ClusterPort, Object, Resource


async def make_belongings(
    port: ClusterPort, search: ArchitectureSearch, uid: str, strategy: Strategy, key: bytes
) -> None:
    """Make what is not there yet.

    Their content follows from the search and the operator's key: one of this search's that is there is as it should be.
    The Secret's name says whose it is; of the others that has to be read.

    Raises:
        Rejected: one is refused, or somebody else's object has its name.
        ClusterError: one of an earlier search of this name is about to go, or the API server does not answer.
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
            if resource is not SECRET:
                metadata = object["metadata"]
                refuse_stranger(await port.get(resource, metadata["namespace"], metadata["name"]), uid)

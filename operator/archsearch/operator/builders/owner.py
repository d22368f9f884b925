"""Who owns an object, and where it lives."""

from archsearch.api import ArchitectureSearch
from archsearch.operator.port import Object, Resource


def owner_reference(resource: Resource, name: str, uid: str) -> Object:
    """Reference to the owner of an object: it is deleted with its owner, and belongs to no other controller.

    ``blockOwnerDeletion`` is false: nothing waits for what is owned, and no right on finalizers is needed to set it.
    """
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def namespace_of(search: ArchitectureSearch) -> str:
    """Namespace of a search; ``default`` where its manifest was never read from a cluster, as kubectl has it."""
    return search.metadata.namespace or "default"

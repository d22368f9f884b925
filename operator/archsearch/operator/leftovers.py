"""Objects of an earlier search of the same name, which is gone: its belongings go after it, within seconds."""

from archsearch.operator import names
from archsearch.operator.port import Conflict, Object, Rejected


def refuse_stranger(object: Object, uid: str) -> None:
    """Do nothing where ``object``, whose name is taken, belongs to the search with ``uid``.

    Raises:
        Conflict: it is an earlier search's, and garbage collection is about to take it away: try again soon.
        Rejected: it is somebody else's, or was kept when its search was deleted: it stays until somebody deletes it.
    """
    metadata = object["metadata"]
    owner = (metadata.get("labels") or {}).get(names.SEARCH_UID_LABEL)
    if owner == uid:
        return
    what = f"{object.get('kind', 'object')} {metadata['name']} is there already"
    if owner and (metadata.get("ownerReferences") or "deletionTimestamp" in metadata):
        raise Conflict(f"{what}: it is an earlier search's and is about to go", 409)
    whose = f"it was kept when the search {owner} was deleted" if owner else "it is not archsearch's"
    raise Rejected(f"{what} and is not this search's: {whose}; delete it, or give the search another name", 409)

"""Where a node keeps its things, and its addresses."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

NODE = "node1"
"""Name of the node."""
HOST_ADDRESS, NODE_ADDRESS = "10.250.0.1", "10.250.0.2"
"""Both ends of the cable between the machine and the node's network namespace."""
POD_RANGE, NODE_POD_RANGE, SERVICE_RANGE = "10.244.0.0/16", "10.244.0.0/24", "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
"""First address of the services: the API server's."""
NETWORK_NAMESPACE = "archsearch-node"
HOST_LINK, NODE_LINK = "archsearch-h", "archsearch-n"
CNI_NETWORK = "archsearch-e2e"
CNI_PLUGINS = Path("/usr/lib/cni")
PAUSE_IMAGE = "localhost/archsearch/pause:1"


@dataclass(frozen=True)
class Layout:
    """Folders of a node; nothing of it lies elsewhere, but for mounts, cgroups and links, which stopping removes."""

    cache: Path
    """What outlives a run: containerd's images."""
    run: Path
    """Sockets (whose paths may have 107 bytes), process ids and what must not outlive the machine."""

    @property
    def state(self) -> Path:
        """What one run of the node has: removed when the next one starts."""
        return self.cache / "state"

    @property
    def containerd_root(self) -> Path:
        """containerd's store."""
        return self.cache / "containerd"

    @property
    def socket(self) -> Path:
        """containerd's socket."""
        return self.run / "containerd.sock"

    @property
    def namespace(self) -> Path:
        """The network namespace, as a file."""
        return Path("/run/netns") / NETWORK_NAMESPACE


class MachineTaken(Exception):  # noqa: N818 - it says what is the matter
    """Another run has a node on this machine."""


def take_the_machine(layout: Layout) -> IO[str]:
    """Hold the machine until the file that is returned is closed, by the end of this process at the latest.

    Raises:
        MachineTaken: another process holds it.
    """
    lock = layout.run.with_suffix(".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise MachineTaken("another run has a node on this machine; there can be one at a time") from None
    return lock


def default() -> Layout:
    """The layout of this machine's one node."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Layout(cache=base / "archsearch" / "node", run=Path("/run/archsearch-node"))

"""What a machine needs for a node, and what of it is missing."""

import os
import shutil
import sys
from collections.abc import Iterator

from node.layout import CNI_PLUGINS

PROGRAMS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "xtables-nft-multi": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "curl": "curl",
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "prometheus": "prometheus",
    "promtool": "prometheus",
}
"""Programs, each with the package of Debian and Ubuntu that has it."""
PLUGINS = ("bridge", "host-local", "portmap", "loopback")
_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def program(name: str) -> str | None:
    """Path of a program, also where the user's PATH lacks the folders of administration."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_FOLDERS}")


def missing_packages() -> list[str]:
    """Packages to install, sorted."""
    found = {package for name, package in PROGRAMS.items() if program(name) is None}
    if not all((CNI_PLUGINS / plugin).is_file() for plugin in PLUGINS):
        found.add("containernetworking-plugins")
    return sorted(found)


def problems() -> Iterator[str]:
    """Why no node can run here, each with its remedy."""
    if sys.platform != "linux":
        yield f"a node needs Linux; this is {sys.platform}"
        return
    if os.geteuid() != 0:
        yield "a node needs root: sudo make e2e"
    packages = missing_packages()
    if packages:
        yield f"programs are missing: apt-get install {' '.join(packages)} (as root `tools/node` does it)"


def main() -> None:
    """Print the packages that are missing, for tools/node."""
    print(" ".join(missing_packages()))


if __name__ == "__main__":
    main()

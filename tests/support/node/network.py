"""The node's network: a namespace joined to the machine by one cable, with no way out of it."""

import subprocess

from node.layout import (
    HOST_ADDRESS,
    HOST_LINK,
    NETWORK_NAMESPACE,
    NODE_ADDRESS,
    NODE_LINK,
    POD_RANGE,
    SERVICE_RANGE,
    Layout,
)


def lay(layout: Layout) -> None:
    """Make namespace, cable and routes.

    The machine reaches pods and services through the cable, and nothing meant for them leaves by its own interfaces.

    Raises:
        RuntimeError: ip(8) refused; the message has what it said.
    """
    _ip("netns", "add", NETWORK_NAMESPACE)
    _ip("link", "add", HOST_LINK, "type", "veth", "peer", "name", NODE_LINK, "netns", NETWORK_NAMESPACE)
    _ip("address", "add", f"{HOST_ADDRESS}/30", "dev", HOST_LINK)
    _ip("link", "set", HOST_LINK, "up")
    inside = ("-netns", NETWORK_NAMESPACE)
    _ip(*inside, "address", "add", f"{NODE_ADDRESS}/30", "dev", NODE_LINK)
    _ip(*inside, "link", "set", NODE_LINK, "up")
    _ip(*inside, "link", "set", "lo", "up")
    # Any route will do for services as seen from the node itself: there is no default route, and kube-proxy's address
    # translation takes over before the packet leaves.
    _ip(*inside, "route", "add", SERVICE_RANGE, "via", HOST_ADDRESS)
    for addresses in (POD_RANGE, SERVICE_RANGE):
        _ip("route", "add", addresses, "via", NODE_ADDRESS)
    forward = ("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    subprocess.run(["nsenter", f"--net={layout.namespace}", *forward], check=True)


def remove() -> None:
    """Take it all away; the namespace's rules, bridges and routes go with it. What is not there is no error."""
    for what in (("link", "delete", HOST_LINK), ("netns", "delete", NETWORK_NAMESPACE)):
        subprocess.run(["ip", *what], capture_output=True, check=False)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(arguments)} failed: {done.stderr.strip()}")

"""Configuration files of containerd, CNI, kubelet and scheduler. What each odd setting is for stands beside it."""

import json
from pathlib import Path
from typing import Any

from kube.pki import Authority, Certificate

from node.layout import CNI_NETWORK, CNI_PLUGINS, NODE_POD_RANGE, PAUSE_IMAGE, Layout


def containerd(layout: Layout) -> str:
    """containerd's configuration (TOML, version 2: releases 1.6 and later read it)."""
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
root = "{layout.containerd_root}"
state = "{layout.run}/containerd"
[grpc]
  address = "{layout.socket}"
[{cri}]
  sandbox_image = "{PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true   # machines without CAP_SYS_RESOURCE cannot lower it
[{cri}.cni]
  bin_dir = "{CNI_PLUGINS}"
  conf_dir = "{layout.state}/cni/net.d"
[{cri}.containerd]
  snapshotter = "overlayfs"
[{cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[{cri}.containerd.runtimes.runc.options]
  SystemdCgroup = false
"""


def cni(layout: Layout) -> str:
    """One bridge inside the namespace, without translation of addresses: the machine sees each pod by its own."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.state / "cni" / "addresses"),
            "ranges": [[{"subnet": NODE_POD_RANGE}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.4.0", "name": CNI_NETWORK, "plugins": [bridge, portmap]})


def kubelet(layout: Layout, authority: Authority, server: Certificate) -> str:
    """The kubelet's configuration (JSON is YAML)."""
    settings: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{layout.socket}",
        "address": "0.0.0.0",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(authority.itself.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(server.certificate),
        "tlsPrivateKeyFile": str(server.key),
        "cgroupDriver": "cgroupfs",
        "failSwapOn": False,
        "resolvConf": str(layout.state / "resolv.conf"),
        "podLogsDir": str(layout.state / "pod-logs"),
        "volumePluginDir": str(layout.state / "volume-plugins"),
        # A full disk is no reason to delete images or evict pods here.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "oomScoreAdj": 0,
        "kubeAPIQPS": 100,
        "kubeAPIBurst": 200,
        "eventRecordQPS": 50,
        "eventBurst": 100,
        "nodeStatusUpdateFrequency": "1s",
        "clusterDomain": "cluster.local",
    }
    return json.dumps(settings)


def scheduler(kubeconfig: Path) -> str:
    """The scheduler's configuration: fast, and quick to try again, or bursts of Jobs crawl."""
    settings: dict[str, Any] = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig), "qps": 200, "burst": 400},
        "leaderElection": {"leaderElect": False},
        "podInitialBackoffSeconds": 1,
        "podMaxBackoffSeconds": 1,
    }
    return json.dumps(settings)

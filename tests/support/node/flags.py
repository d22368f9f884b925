"""The flags of a node's programs, which differ from those of tests/cluster: here are a real node and real pods."""

from pathlib import Path

from kube.pki import Authority, Certificate

from node.layout import NODE, NODE_ADDRESS, POD_RANGE, SERVICE_RANGE, Layout

ETCD = "http://127.0.0.1:2379"
"""Inside the node's namespace every port is free."""


def etcd(layout: Layout) -> tuple[str, ...]:
    """Of etcd."""
    peers = "http://127.0.0.1:2380"
    return (
        *("--name=default", f"--data-dir={layout.state / 'etcd'}", "--logger=zap", "--log-level=warn"),
        *(f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}"),
        *(f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}"),
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",  # the data need not outlive the machine
    )


def api_server(
    layout: Layout, authority: Authority, server: Certificate, client: Certificate, signing: tuple[Path, Path]
) -> tuple[str, ...]:
    """Of the API server; ``client`` is its certificate for kubelets, ``signing`` the key pair of service accounts."""
    private, public = signing
    return (
        *(f"--etcd-servers={ETCD}", f"--advertise-address={NODE_ADDRESS}", "--bind-address=0.0.0.0"),
        *("--secure-port=6443", f"--service-cluster-ip-range={SERVICE_RANGE}", "--allow-privileged=true"),
        *(f"--tls-cert-file={server.certificate}", f"--tls-private-key-file={server.key}"),
        f"--client-ca-file={authority.itself.certificate}",
        *(f"--kubelet-client-certificate={client.certificate}", f"--kubelet-client-key={client.key}"),
        f"--kubelet-certificate-authority={authority.itself.certificate}",
        "--kubelet-preferred-address-types=InternalIP",
        *(f"--service-account-key-file={public}", f"--service-account-signing-key-file={private}"),
        "--service-account-issuer=https://kubernetes.default.svc",
        *("--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"),
        *(
            f"--audit-log-path={layout.state / 'audit.log'}",
            f"--audit-policy-file={layout.state / 'audit-policy.yaml'}",
        ),
        *("--audit-log-mode=blocking", "--audit-log-maxsize=8192"),  # megabytes: never rotated, so one file has it all
    )


def controller_manager(kubeconfig: Path, authority: Authority, signing: Path) -> tuple[str, ...]:
    """Of the controller manager, with every controller."""
    return (
        *(f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0", "--use-service-account-credentials"),
        *("--kube-api-qps=200", "--kube-api-burst=400", f"--cluster-cidr={POD_RANGE}"),
        *(f"--service-account-private-key-file={signing}", f"--root-ca-file={authority.itself.certificate}"),
    )


def scheduler(layout: Layout) -> tuple[str, ...]:
    """Of the scheduler."""
    return (f"--config={layout.state / 'scheduler.json'}", "--secure-port=0")


def kubelet(layout: Layout, kubeconfig: Path) -> tuple[str, ...]:
    """Of the kubelet."""
    return (
        *(f"--config={layout.state / 'kubelet.json'}", f"--kubeconfig={kubeconfig}"),
        *(f"--root-dir={layout.state / 'kubelet'}", f"--cert-dir={layout.state / 'kubelet' / 'pki'}"),
        *(f"--hostname-override={NODE}", f"--node-ip={NODE_ADDRESS}"),
    )


def kube_proxy(kubeconfig: Path) -> tuple[str, ...]:
    """Of kube-proxy; conntrack's limits are the machine's and stay as they are."""
    return (
        *(f"--kubeconfig={kubeconfig}", f"--hostname-override={NODE}", "--proxy-mode=iptables"),
        *(f"--cluster-cidr={POD_RANGE}", f"--bind-address={NODE_ADDRESS}", "--healthz-bind-address=127.0.0.1:10256"),
        *("--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0"),
        *("--conntrack-tcp-timeout-close-wait=0", "--oom-score-adj=0"),
    )

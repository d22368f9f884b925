"""The flags of a control plane's programs."""

from pathlib import Path

from kube.pki import Authority, Certificate
from kube.processes import free_port


def etcd_flags(data: Path, url: str) -> tuple[str, ...]:
    """Of an etcd with its data in ``data`` that answers at ``url``."""
    peers = f"http://127.0.0.1:{free_port()}"
    return (
        *("--name=default", f"--data-dir={data}", "--logger=zap", "--log-level=warn"),
        *(f"--listen-client-urls={url}", f"--advertise-client-urls={url}"),
        *(f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}"),
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",  # the data need not outlive the machine
    )


def api_server_flags(
    folder: Path, etcd: str, port: int, authority: Authority, server: Certificate, signing: tuple[Path, Path]
) -> tuple[str, ...]:
    """Of an API server at ``port`` of loopback; ``signing`` is the key pair for service account tokens."""
    private, public = signing
    return (
        *(f"--etcd-servers={etcd}", f"--secure-port={port}", "--bind-address=127.0.0.1"),
        *(f"--tls-cert-file={server.certificate}", f"--tls-private-key-file={server.key}"),
        *(f"--client-ca-file={authority.itself.certificate}", "--authorization-mode=RBAC", "--allow-privileged=true"),
        *(f"--service-account-key-file={public}", f"--service-account-signing-key-file={private}"),
        *("--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.96.0.0/16"),
        "--endpoint-reconciler-type=none",  # a loopback address may not be that of the Service `kubernetes`
        *(f"--audit-log-path={folder / 'audit.log'}", f"--audit-policy-file={folder / 'audit-policy.yaml'}"),
        *("--audit-log-mode=blocking", "--audit-log-maxsize=8192"),  # megabytes: never rotated, so one file has it all
    )


def controller_manager_flags(kubeconfig: Path, authority: Authority, signing: Path) -> tuple[str, ...]:
    """Of a controller manager with all controllers that need no cloud and no kubelet."""
    return (
        *(f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0"),
        *("--kube-api-qps=200", "--kube-api-burst=400", "--use-service-account-credentials=true"),
        *(f"--service-account-private-key-file={signing}", f"--root-ca-file={authority.itself.certificate}"),
        "--controllers=*,-node-lifecycle-controller",  # it would taint a stand-in's node: no kubelet reports for it
    )

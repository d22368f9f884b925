"""A Kubernetes control plane of its own on loopback: etcd, API server and controller manager; no root, no nodes."""

import http.client
import json
import ssl
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kube.binaries import find
from kube.flags import api_server_flags, controller_manager_flags, etcd_flags
from kube.pki import Authority, Certificate, signing_key
from kube.processes import Program, free_port

AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""
_READY_SECONDS = 60.0


class ControlPlane:
    """Starts in a few seconds in ``folder``, which holds its data, certificates and logs.

    The API server authorises by RBAC and has the admission plugins that are on by default, Pod Security among them. All
    controllers run except that for nodes (a stand-in's node sends no heartbeats). Nothing schedules or runs pods: see
    :mod:`kube.stand_in`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kubeconfig = folder / "admin.kubeconfig"
        """Kubeconfig of an administrator."""
        self.audit_log = folder / "audit.log"
        """Every request that was answered, one JSON event each."""
        self.url = ""
        """Address of the API server: ``https://127.0.0.1:PORT``."""
        self._programs: dict[str, Program] = {}

    @property
    def kubectl_program(self) -> Path:
        """The kubectl that :meth:`kubectl` runs, for what it is not made for (a watch)."""
        return self._kubectl

    @property
    def authority_file(self) -> Path:
        """PEM file of the authority that signed the API server's certificate."""
        return self.folder / "pki" / "ca.crt"

    @property
    def administrator(self) -> Certificate:
        """Client certificate of an administrator."""
        return Certificate(self.folder / "pki" / "admin.crt", self.folder / "pki" / "admin.key")

    @property
    def server(self) -> Certificate:
        """Certificate for servers at 127.0.0.1."""
        return Certificate(self.folder / "pki" / "server.crt", self.folder / "pki" / "server.key")

    def start(self) -> None:
        """Start everything and return once the API server is ready and the controllers have begun their work.

        Raises:
            MissingProgram: a program is not there.
            ProgramDied: one ended at once; the message has the end of its log.
            TimeoutError: it is not ready after a minute.
        """
        programs = {name: find(name) for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")}
        self.folder.mkdir(parents=True, exist_ok=True)
        port, etcd = free_port(), f"http://127.0.0.1:{free_port()}"
        self.url = f"https://127.0.0.1:{port}"
        self._kubectl = programs["kubectl"]
        authority = Authority(self.folder / "pki")
        self._write_kubeconfig(self.kubeconfig, authority.issue("admin", "/O=system:masters/CN=admin"))
        manager = self.folder / "controller-manager.kubeconfig"
        self._write_kubeconfig(manager, authority.issue("manager", "/CN=system:kube-controller-manager"))
        private, public = signing_key(authority.folder)
        self._add("etcd", programs["etcd"], *etcd_flags(self.folder / "etcd", etcd))
        (self.folder / "audit-policy.yaml").write_text(AUDIT_POLICY)
        server = authority.issue("server", "/CN=kube-apiserver", ("DNS:localhost", "DNS:kubernetes", "IP:127.0.0.1"))
        flags = api_server_flags(self.folder, etcd, port, authority, server, (private, public))
        self._add("kube-apiserver", programs["kube-apiserver"], *flags)
        flags = controller_manager_flags(manager, authority, private)
        self._add("kube-controller-manager", programs["kube-controller-manager"], *flags)
        try:
            self._programs["etcd"].start()
            self.start_api_server()
            self._programs["kube-controller-manager"].start()
            account = "/api/v1/namespaces/default/serviceaccounts/default"
            self.wait_until(lambda: self._status_of(account) == 200, "the controllers to make a service account")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything that runs; what stands in ``folder`` stays."""
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            if name in self._programs:
                self._programs[name].stop()

    def start_api_server(self) -> None:
        """Start the API server where it was, and return once it is ready. Raises as :meth:`start`."""
        self._programs["kube-apiserver"].start()
        self.wait_until(lambda: self._status_of("/readyz") == 200, "the API server to be ready")
        self._renew_controllers()

    def _renew_controllers(self) -> None:
        # Those that saw an outage come back one by one, each up to a minute later (client-go waits ever longer between
        # its tries), and meanwhile nobody makes service accounts or pods: the next test would wait for them in vain.
        controllers = self._programs.get("kube-controller-manager")
        if controllers is not None and controllers.pid is not None:
            controllers.stop()
            controllers.start()

    def stop_api_server(self) -> None:
        """End the API server as a crash does (SIGKILL); etcd keeps what was written."""
        self._programs["kube-apiserver"].kill()

    def kubectl(
        self, *arguments: str, input: str | None = None, check: bool = True, as_user: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator, or as ``as_user`` (``system:serviceaccount:NAMESPACE:NAME`` for an account).

        Raises:
            AssertionError: it failed and ``check`` is set; the message has what it said.
        """
        command: list[str | Path] = [self._kubectl, "--kubeconfig", self.kubeconfig]
        command += ["--cache-dir", self.folder / "kubectl"]
        command += ["--as", as_user] if as_user else []
        done = subprocess.run([*command, *arguments], input=input, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise AssertionError(
                f"kubectl {' '.join(arguments)} failed ({done.returncode}):\n{done.stderr}{done.stdout}"
            )
        return done

    def get(self, *arguments: str) -> dict[str, Any]:
        """``kubectl get ARGUMENTS -o json`` as JSON."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)
        return found

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """``kubectl apply`` of ``objects``."""
        self.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig with a token of an existing service account, good for an hour."""
        token = self.kubectl("create", "token", name, "--namespace", namespace, "--duration", "1h").stdout.strip()
        path = self.folder / f"{namespace}-{name}.kubeconfig"
        self._write_user(path, {"token": token})
        return path

    def audit_events(self, user: str | None = None) -> Iterator[dict[str, Any]]:
        """Every request so far, oldest first, as audit.k8s.io/v1 Events; with ``user`` only that user's.

        An event is written before its answer is sent, so what a test has an answer to is there.
        """
        with self.audit_log.open(encoding="utf-8") as log:
            for line in log:
                if line.endswith("\n"):
                    event: dict[str, Any] = json.loads(line)
                    if user is None or event["user"].get("username") == user:
                        yield event

    def wait_until(self, holds: Callable[[], bool], what: str, seconds: float = _READY_SECONDS) -> None:
        """Ask again and again until ``holds``.

        Raises:
            TimeoutError: not within ``seconds``.
            ProgramDied: a part of the control plane ended by itself meanwhile.
        """
        end = time.monotonic() + seconds
        while not holds():
            for program in self._programs.values():
                program.check()
            if time.monotonic() > end:
                logs = "\n".join(f"{name}: {program.tail(1000)}" for name, program in self._programs.items())
                raise TimeoutError(f"waited {seconds:.0f} s for {what}\n{logs}")
            time.sleep(0.05)

    def _add(self, name: str, program: Path, *flags: str) -> None:
        self._programs[name] = Program([program, *flags], self.folder / f"{name}.log")

    def _status_of(self, path: str) -> int:
        context = ssl.create_default_context(cafile=str(self.authority_file))
        context.load_cert_chain(self.administrator.certificate, self.administrator.key)
        connection = http.client.HTTPSConnection(self.url.removeprefix("https://"), context=context, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def _write_kubeconfig(self, path: Path, user: Certificate) -> None:
        self._write_user(
            path, {"client-certificate-data": _base64(user.certificate), "client-key-data": _base64(user.key)}
        )

    def _write_user(self, path: Path, user: Mapping[str, str]) -> None:
        cluster = {"server": self.url, "certificate-authority-data": _base64(self.authority_file)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "user"}}],
            "current-context": "tests",
        }
        path.write_text(json.dumps(config))
        path.chmod(0o600)


def _base64(path: Path) -> str:
    return b64encode(path.read_bytes()).decode()

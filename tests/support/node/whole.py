"""A whole node: control plane, scheduler, containerd, kubelet and kube-proxy, each a process of this machine."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from kube.binaries import find
from kube.control_plane import AUDIT_POLICY, ControlPlane
from kube.pki import Authority, Certificate, signing_key
from kube.processes import Program

from node import configuration, flags, leftovers, network
from node.images import Images
from node.layout import API_SERVICE, NODE, NODE_ADDRESS, Layout, default, take_the_machine
from node.requirements import program

_KUBERNETES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
_TABLES = "xtables-nft-multi"
# Callers first, so that nobody complains; containers go between the kubelet and containerd.
_STOP_FIRST = ("kubelet", "kube-proxy", "kube-scheduler", "kube-controller-manager")
_STOP_LAST = ("containerd", "kube-apiserver", "etcd")


class Node(ControlPlane):
    """One node with its own control plane in its own network namespace; one at a time on a machine.

    The machine reaches the API server, pods and services by their addresses; nothing reaches beyond the machine, and
    names of services do not resolve (there is no DNS). NetworkPolicies are accepted and not enforced: the bridge plugin
    of CNI cannot.
    """

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout or default()
        super().__init__(self.layout.state)
        self.images: Mapping[str, str] = {}
        """Names of the images in containerd: operator, controller, trial, pause."""
        self.base_image = ""
        """Name of the image on which the three are built, in buildah's storage."""
        self._lock: IO[str] | None = None

    def start(self) -> None:
        """Build what is not built, start everything, and return once the node is ready for pods.

        Raises:
            MissingProgram: a program of Kubernetes has not been built.
            MachineTaken: another run has a node on this machine.
            ProgramDied: one ended at once; the message has the end of its log.
            RuntimeError: a command failed.
            TimeoutError: something is not ready in a minute.
        """
        programs = {name: find(name) for name in (*_KUBERNETES, "kubectl", "helm")}
        self._kubectl, self._helm = programs["kubectl"], programs["helm"]
        self._lock = take_the_machine(self.layout)
        self.layout.cache.mkdir(parents=True, exist_ok=True)
        leftovers.clear(self.layout)
        images = Images(self.layout)
        try:
            self.base_image, names = images.base(), images.build()
            self._start(programs)
            images.give(names, self._ctr())
            self.images = names
            self._start_kubelet(programs)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything and leave nothing behind but the images, for the next start."""
        for name in _STOP_FIRST:
            self._stop_program(name)
        if "containerd" in self._programs and self._programs["containerd"].pid is not None:
            self._remove_containers()
        for name in _STOP_LAST:
            self._stop_program(name)
        self._keep_logs()
        leftovers.clear(self.layout)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def helm(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Helm as administrator.

        Raises:
            AssertionError: it failed and ``check`` is set; the message has what it said.
        """
        home = {f"HELM_{kind}_HOME": str(self.folder / "helm" / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
        environment = {**os.environ, **home, "KUBECONFIG": str(self.kubeconfig)}
        command = [str(self._helm), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"helm {' '.join(arguments)} failed ({done.returncode}):\n{done.stderr}{done.stdout}")
        return done

    def set_capacity(self, resource: str, amount: int) -> None:
        """Give the node ``amount`` of an extended resource such as ``nvidia.com/gpu``, without any device behind it.

        The scheduler counts with it as with a real one.
        """
        path = f"/status/capacity/{resource.replace('~', '~0').replace('/', '~1')}"
        patch = json.dumps([{"op": "add", "path": path, "value": str(amount)}])
        self.kubectl("patch", "node", NODE, "--subresource=status", "--type=json", f"--patch={patch}")
        self.wait_until(
            lambda: self.get("node", NODE)["status"]["allocatable"].get(resource) == str(amount),
            f"{resource} to be allocatable",
        )

    # --- the parts ----------------------------------------------------------------------------------------------------

    def _start(self, programs: Mapping[str, Path]) -> None:
        """Network, certificates, control plane, scheduler, containerd."""
        state = self.layout.state
        for folder in (state / "cni" / "net.d", self.layout.run):
            folder.mkdir(parents=True)
        leftovers.remember_sysctls(self.layout)
        network.lay(self.layout)
        self.url = f"https://{NODE_ADDRESS}:6443"
        authority = Authority(state / "pki")
        private, public = signing_key(authority.folder)
        self._write_kubeconfig(self.kubeconfig, authority.issue("admin", "/O=system:masters/CN=admin"))
        names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
        addresses = (f"IP:{NODE_ADDRESS}", f"IP:{API_SERVICE}", "IP:127.0.0.1")
        server = authority.issue("server", "/CN=kube-apiserver", (*(f"DNS:{name}" for name in names), *addresses))
        client = authority.issue("kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client")
        (state / "audit-policy.yaml").write_text(AUDIT_POLICY)
        self._add("etcd", programs["etcd"], *flags.etcd(self.layout))
        api_server = flags.api_server(self.layout, authority, server, client, (private, public))
        self._add("kube-apiserver", programs["kube-apiserver"], *api_server)
        manager = self._identity(authority, "kube-controller-manager", "/CN=system:kube-controller-manager")
        self._add(
            "kube-controller-manager",
            programs["kube-controller-manager"],
            *flags.controller_manager(manager, authority, private),
        )
        scheduler = self._identity(authority, "kube-scheduler", "/CN=system:kube-scheduler")
        (state / "scheduler.json").write_text(configuration.scheduler(scheduler))
        self._add("kube-scheduler", programs["kube-scheduler"], *flags.scheduler(self.layout))
        (state / "containerd.toml").write_text(configuration.containerd(self.layout))
        (state / "cni" / "net.d" / "10-archsearch.conflist").write_text(configuration.cni(self.layout))
        containerd = program("containerd")
        assert containerd is not None
        self._add("containerd", Path(containerd), "--config", str(state / "containerd.toml"), "--log-level", "warn")
        self._prepare_kubelet(authority)
        for name in ("etcd", "containerd"):
            self._run_program(name)
        self.start_api_server()
        for name in ("kube-controller-manager", "kube-scheduler"):
            self._run_program(name)
        self.wait_until(self._cri_answers, "containerd to answer")

    def start_api_server(self) -> None:
        """Start the API server where it was, and return once it is ready. Raises as :meth:`start`."""
        super().start_api_server()
        self._note("kube-apiserver")

    def _renew_controllers(self) -> None:
        """Nothing: on a node the cluster's own controllers live through an outage, as a person's would."""

    def _prepare_kubelet(self, authority: Authority) -> None:
        state = self.layout.state
        (state / "resolv.conf").write_text("nameserver 127.0.0.1\n")  # names do not resolve
        names = (f"DNS:{NODE}", f"IP:{NODE_ADDRESS}", "IP:127.0.0.1")
        server: Certificate = authority.issue("kubelet-server", f"/CN={NODE}", names)
        (state / "kubelet.json").write_text(configuration.kubelet(self.layout, authority, server))
        self._identity(authority, "kubelet", f"/O=system:nodes/CN=system:node:{NODE}")
        self._identity(authority, "kube-proxy", "/CN=system:kube-proxy")

    def _start_kubelet(self, programs: Mapping[str, Path]) -> None:
        state = self.layout.state
        self._add("kubelet", programs["kubelet"], *flags.kubelet(self.layout, state / "kubelet.kubeconfig"))
        self._add("kube-proxy", programs["kube-proxy"], *flags.kube_proxy(state / "kube-proxy.kubeconfig"))
        for name in ("kubelet", "kube-proxy"):
            self._run_program(name)
        self.wait_until(self._is_ready, "the node to be ready")
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self.wait_until(lambda: self._status_of(account) == 200, "the controllers to make a service account")

    def _is_ready(self) -> bool:
        found = self.kubectl("get", "node", NODE, "--output=json", check=False)
        if found.returncode != 0:
            return False
        conditions = json.loads(found.stdout)["status"].get("conditions", [])
        return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)

    def _identity(self, authority: Authority, name: str, subject: str) -> Path:
        path = self.folder / f"{name}.kubeconfig"
        self._write_kubeconfig(path, authority.issue(name, subject))
        return path

    # --- processes ----------------------------------------------------------------------------------------------------

    def _add(self, name: str, program: Path, *arguments: str) -> None:
        # nsenter, not `ip netns exec`: that mounts /sys anew and hides the cgroups. Our folder of links is first in
        # PATH, so that kubelet, kube-proxy and CNI all write the same kind of rules.
        inside = ["nsenter", f"--net={self.layout.namespace}", str(program), *arguments]
        tables = self._tables()
        path = f"{tables}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self._programs[name] = Program(inside, self.folder / f"{name}.log", {"PATH": path})

    def _tables(self) -> Path:
        folder = self.folder / "tables"
        if not folder.exists():
            folder.mkdir(parents=True)
            for family in ("iptables", "ip6tables"):
                for kind in ("", "-save", "-restore"):
                    (folder / f"{family}{kind}").symlink_to(program(_TABLES) or _TABLES)
        return folder

    def _run_program(self, name: str) -> None:
        self._programs[name].start()
        self._note(name)

    def _note(self, name: str) -> None:
        pid = self._programs[name].pid
        if pid is not None:
            leftovers.remember_process(self.layout, name, pid)

    def _stop_program(self, name: str) -> None:
        if name in self._programs:
            self._programs[name].stop()

    def _keep_logs(self) -> None:
        """For whoever asks later why something went wrong: the last run's logs stay beside the images."""
        kept = self.layout.cache / "logs"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        for log in self.folder.glob("*.log"):
            shutil.copy(log, kept)

    # --- containerd ---------------------------------------------------------------------------------------------------

    def _ctr(self) -> list[str]:
        return [program("ctr") or "ctr", "--address", str(self.layout.socket), "--namespace", "k8s.io"]

    def _cri_answers(self) -> bool:
        """`ctr version` answers before CRI does, and a kubelet started then dies: CRI itself is asked, by gRPC."""
        url = "http://localhost/runtime.v1.RuntimeService/Version"
        headers = ("--header", "content-type: application/grpc", "--header", "te: trailers")
        command = ["curl", "--silent", "--fail", "--max-time", "2", "--http2-prior-knowledge", *headers]
        command += ["--unix-socket", str(self.layout.socket), "--data-binary", "@-", url]
        empty = b"\0" * 5  # an uncompressed message of no bytes
        return b"containerd" in subprocess.run(command, input=empty, capture_output=True, check=False).stdout

    def _remove_containers(self) -> None:
        for what, *remove in (("tasks", "delete", "--force"), ("containers", "delete")):
            listed = subprocess.run([*self._ctr(), what, "list", "-q"], capture_output=True, text=True, check=False)
            commands = [[*self._ctr(), what, *remove, name] for name in listed.stdout.split()]
            quiet = subprocess.DEVNULL
            for process in [subprocess.Popen(command, stdout=quiet, stderr=quiet) for command in commands]:
                process.wait()

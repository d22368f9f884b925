"""Where the programs of a control plane are: KUBEBUILDER_ASSETS first, then what tools/kubernetes has built."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TOOL = ROOT / "tools" / "kubernetes"
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
"""What tests/cluster needs."""


class MissingProgram(Exception):  # noqa: N818 - it says what is the matter
    """A program is not there; the message says which, and how it is had."""


def find(program: str) -> Path:
    """Path of ``program``: ``etcd``, ``kubectl``, ``helm``, ``kubelet`` and so on.

    Raises:
        MissingProgram: it is in none of the folders.
    """
    part = "helm" if program == "helm" else "control-plane"
    built = subprocess.run([TOOL, "where", part], check=True, capture_output=True, text=True).stdout.strip()
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    folders = [Path(assets), Path(built)] if assets else [Path(built)]
    for folder in folders:
        if os.access(folder / program, os.X_OK):
            return folder / program
    looked = " nor in ".join(map(str, folders))
    raise MissingProgram(f"{program} is not in {looked}: `tools/kubernetes {part}` builds it (make kubernetes: all)")

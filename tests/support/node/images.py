"""The project's images for the node: built on one base, kept by what they are made of, and given to containerd."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from node.layout import PAUSE_IMAGE, Layout

ROOT = Path(__file__).resolve().parents[3]
ROOMS = {"operator": "operator", "controller": "controller_image", "trial": "trial_image"}
"""Images, each with the folder of its Dockerfile."""
SUITE = "trixie"
PACKAGES = (
    "python3",
    "python3-pip",
    "ca-certificates",
    "python3-torch",
    "python3-numpy",
    "python3-sklearn",
    "python3-pil",
)
"""The base of all three: Debian's Python with its CPU build of torch."""
_LEAVE_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
_REFERENCE = "org.opencontainers.image.ref.name"
_CONTEXT = (
    *("core", "requirements/core.txt", "pyproject.toml", "LICENSE", ".dockerignore"),
    *("tools/images", "tools/image_install", "tools/image_requirements.py", "tools/image_torch"),
)


class Images:
    """Builds into buildah's storage, which is the cache: only what has changed is made anew."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._notes = layout.cache / "images.json"

    def build(self) -> dict[str, str]:
        """Names of the images by room, pause's among them, all of them built."""
        base = self.base()
        made_of = {room: _fingerprint(base, room) for room in ROOMS}
        names = {room: name for room in ROOMS if (name := self._kept(room, made_of[room]))}
        missing = [room for room in ROOMS if room not in names]
        if missing:
            before = {_id(f"localhost/archsearch/{room}:{_version()}") for room in missing} - {None}
            told = _run([ROOT / "tools" / "images", *missing], BASE_IMAGE=base, BUILDER="buildah", REGISTRY="localhost")
            names |= dict(zip(missing, told.split(), strict=True))
            self._notes.write_text(json.dumps({room: [made_of[room], _id(name)] for room, name in names.items()}))
            for image in before - {_id(name) for name in names.values()}:  # what has lost its name to a newer one
                subprocess.run(["buildah", "rmi", str(image)], capture_output=True, check=False)
        if not _id(PAUSE_IMAGE):
            dockerfile = self._layout.cache / "pause.Dockerfile"
            dockerfile.write_text(f'FROM {base}\nENTRYPOINT ["/usr/bin/sleep", "infinity"]\nCMD []\n')
            _build(dockerfile, PAUSE_IMAGE)
        return {**names, "pause": PAUSE_IMAGE}

    def give(self, names: Mapping[str, str], control: Sequence[str]) -> None:
        """Import ``names`` into containerd by ``control`` (ctr with its socket and namespace); what it has is left out.

        All go in one OCI layout, so that layers that they share are written once, and uncompressed.
        """
        notes = self._layout.containerd_root / "archsearch-images.json"
        there = set(_run([*control, "images", "list", "-q"]).split())
        given: dict[str, str] = json.loads(notes.read_text()) if notes.exists() else {}
        ids = {name: _id(name) or "" for name in names.values()}
        missing = [name for name, image in ids.items() if given.get(name) != image or name not in there]
        if not missing:
            return
        folder = self._layout.cache / "oci"
        shutil.rmtree(folder, ignore_errors=True)
        manifests = [_push(name, folder) for name in missing]
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))
        has = {line.removeprefix("sha256:") for line in _run([*control, "content", "ls", "-q"]).split()}
        blobs = sorted(blob for blob in (folder / "blobs" / "sha256").iterdir() if blob.name not in has)
        files = ["oci-layout", "index.json", *(str(blob.relative_to(folder)) for blob in blobs)]
        with subprocess.Popen(["tar", "-C", folder, "-c", *files], stdout=subprocess.PIPE) as archive:
            assert archive.stdout is not None
            _run([*control, "images", "import", "-"], stdin=archive.stdout.fileno())
        shutil.rmtree(folder)
        notes.write_text(json.dumps(given | {name: ids[name] for name in missing}))

    def base(self) -> str:
        """Name of the base of all three, built where it is not there."""
        recipe = json.dumps([SUITE, PACKAGES, _LEAVE_OUT])
        name = f"localhost/archsearch-e2e-base:{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
        if not _id(name):
            folder = self._layout.cache / "base"
            folder.mkdir(parents=True, exist_ok=True)
            options = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEAVE_OUT]
            include = f"--include={','.join(PACKAGES)}"
            _run(["mmdebstrap", "--quiet", "--variant=minbase", include, *options, SUITE, folder / "root.tar"])
            dockerfile = folder / "Dockerfile"
            dockerfile.write_text('FROM scratch\nADD root.tar /\nCMD ["python3"]\n')
            _build(dockerfile, name)
            (folder / "root.tar").unlink()
        return name

    def _kept(self, room: str, fingerprint: str) -> str | None:
        try:
            notes = json.loads(self._notes.read_text())
        except (OSError, ValueError):
            return None
        name = f"localhost/archsearch/{room}:{_version()}"
        return name if notes.get(room) == [fingerprint, _id(name)] else None


def _version() -> str:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    return next(line for line in lines if line.startswith("version = ")).split('"')[1]


def _fingerprint(base: str, room: str) -> str:
    """Of everything that an image is made of."""
    total = hashlib.sha256(base.encode())
    for top in (*_CONTEXT, ROOMS[room], f"requirements/{room}.txt"):
        files = [ROOT / top] if (ROOT / top).is_file() else (ROOT / top).rglob("*")
        for file in sorted(path for path in files if path.is_file() and "__pycache__" not in path.parts):
            total.update(f"{file.relative_to(ROOT)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def _id(name: str) -> str | None:
    done = subprocess.run(
        ["buildah", "inspect", "--type", "image", "--format", "{{.FromImageID}}", name],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else None


def _build(dockerfile: Path, name: str) -> None:
    options = ["--isolation", "chroot", "--timestamp", "0", "--quiet"]
    _run(["buildah", "build", *options, "--file", dockerfile, "--tag", name, dockerfile.parent])


def _push(name: str, folder: Path) -> dict[str, object]:
    """Write an image into an OCI layout; its descriptor, with the name that containerd is to give it."""
    tag = name.rpartition("/")[2].replace(":", "-")
    _run(["buildah", "push", "--quiet", "--disable-compression", name, f"oci:{folder}:{tag}"])
    index = json.loads((folder / "index.json").read_text())
    found = next(entry for entry in index["manifests"] if entry["annotations"].get(_REFERENCE) == tag)
    kept = {key: found[key] for key in ("mediaType", "digest", "size")}
    return {**kept, "annotations": {"io.containerd.image.name": name}}


def _run(command: Sequence[str | Path], stdin: int = subprocess.DEVNULL, **environment: str) -> str:
    """Output of a command.

    Raises:
        RuntimeError: it failed; the message has the end of what it said.
    """
    done = subprocess.run(
        [str(part) for part in command],
        stdin=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))[:200]} failed ({done.returncode}):\n{done.stderr[-3000:]}")
    return done.stdout

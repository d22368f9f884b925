"""`tools/kubernetes`: what it says where Go is missing, and that what it builds is whole, built once, and found."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PLAIN = ("sh", "cat", "chmod", "cksum", "dirname", "ln", "mkdir", "mv", "rm", "rmdir", "sed", "sleep", "uname")
NEW = '[ "$1" = version ] && echo go version go1.26.0 linux/amd64 && exit 0'
BUILDS = f"""
{NEW}
echo build >>"$HOME/builds"
sleep 0.3
while [ "$1" != -o ]; do shift; done
echo program >"$2" && chmod +x "$2"
"""
REPOSITORY = Path(__file__).resolve().parents[3]
NEEDED = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    shutil.copytree(repository / "tests/support/controlplane", folder / "tests/support/controlplane")
    (folder / "tools").mkdir()
    shutil.copy(repository / "tools/kubernetes", folder / "tools/kubernetes")
    (tmp_path / "home").mkdir()
    return folder


def start(checkout: Path, *arguments: str, go: str | None = None, assets: Path | None = None) -> subprocess.Popen[str]:
    """The tool on a machine that has plain programs, and ``go`` as a shell script."""
    path = checkout.parent / "bin"
    path.mkdir(exist_ok=True)
    for name in PLAIN:
        found = shutil.which(name)
        if found is not None and not (path / name).exists():
            (path / name).symlink_to(found)
    if go is not None:
        (path / "go").write_text(f"#!/bin/sh\n{go}\n")
        (path / "go").chmod(0o755)
    environment = {"PATH": str(path), "HOME": str(checkout.parent / "home")}
    if assets is not None:
        environment["KUBEBUILDER_ASSETS"] = str(assets)
    command = ["/bin/sh", str(checkout / "tools/kubernetes"), *arguments]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(checkout: Path, *arguments: str, go: str | None = None, assets: Path | None = None) -> tuple[int, str, str]:
    process = start(checkout, *arguments, go=go, assets=assets)
    out, errors = process.communicate(timeout=30)
    return process.returncode, out, errors


def test_without_go_it_says_how_to_get_it_and_what_else_would_do(checkout: Path) -> None:
    code, _, said = run(checkout, "control-plane")
    assert code == 1
    assert "apt-get install golang-go" in said
    assert "KUBEBUILDER_ASSETS" in said
    assert "no kube-controller-manager" in said


OLD = """
[ "$1" = version ] && echo go version {version} linux/amd64 && exit 0
[ "$*" = "env GOHOSTOS" ] && echo linux && exit 0
[ "$*" = "env GOHOSTARCH" ] && echo {architecture} && exit 0
[ "$1" = build ] && echo "too old: $*" >&2 && exit 1
echo "$*" >>"$HOME/fetched"
mkdir -p "$HOME/fetched.d/bin"
cat >"$HOME/fetched.d/bin/go" <<'END'
#!/bin/sh
{builds}
END
chmod a-x "$HOME/fetched.d/bin/go"
echo '{{'
echo '	"Dir": "'"$HOME/fetched.d"'",'
echo '	"Sum": "{sum}",'
echo '	"GoModSum": "h1:another"'
echo '}}'
"""


def old_go(version: str = "go1.19.8", architecture: str = "amd64", sum: str | None = None) -> str:
    """A Go that cannot build anything, and fetches another that can."""
    pinned = (REPOSITORY / "tests/support/controlplane/go.toolchain").read_text()
    match = re.search(r"linux-amd64 (h1:\S+)$", pinned, re.MULTILINE)
    assert match is not None
    return OLD.format(version=version, architecture=architecture, sum=sum or match[1], builds=BUILDS)


@pytest.mark.parametrize("version", ["go1.4", "go1.19.8", "go1.25.11", "go1.25rc1", "devel +1a2b3c"])
def test_a_go_that_is_too_old_fetches_the_pinned_one_which_builds(checkout: Path, version: str) -> None:
    code, _, said = run(checkout, "control-plane", go=old_go(version))
    assert code == 0, said
    assert "older than 1.26" in said
    assert re.fullmatch(
        r"mod download -json golang\.org/toolchain@v0\.0\.1-go1\.\d+\.\d+\.linux-amd64\n",
        (checkout.parent / "home/fetched").read_text(),
    )
    assert (checkout.parent / "home/builds").read_text().split() == ["build"]


@pytest.mark.parametrize("version", ["go1.26", "go1.26.8", "go1.27rc1", "go1.30.1", "go2.0"])
def test_a_go_that_is_new_enough_fetches_none(checkout: Path, version: str) -> None:
    assert run(checkout, "control-plane", go=BUILDS.replace("go1.26.0", version))[0] == 0


def test_a_go_with_another_hash_than_the_pinned_one_is_not_run(checkout: Path) -> None:
    code, _, said = run(checkout, "control-plane", go=old_go(sum="h1:forged"))
    assert code == 1
    assert "has the hash h1:forged" in said
    assert not (checkout.parent / "home/builds").exists()


def test_a_platform_without_a_pinned_go_is_told_what_it_needs(checkout: Path) -> None:
    code, _, said = run(checkout, "control-plane", go=old_go(architecture="riscv64"))
    assert code == 1
    assert "none is pinned for linux-riscv64" in said


def test_one_go_is_pinned_for_every_platform_and_it_is_new_enough() -> None:
    pinned = (REPOSITORY / "tests/support/controlplane/go.toolchain").read_text().splitlines()
    form = r"golang\.org/toolchain v0\.0\.1-go(\d+\.\d+)(\.\d+)\.(\w+-\w+) h1:[A-Za-z0-9+/]{43}="
    found = [re.fullmatch(form, line) for line in pinned]
    assert {match and match[3] for match in found} == {"linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"}
    assert len({match and match[2] for match in found}) == 1
    needed = re.search(r"^go_needed=(\S+)", (REPOSITORY / "tools/kubernetes").read_text(), re.MULTILINE)
    assert needed is not None
    assert {match and match[1] for match in found} == {needed[1]}


def test_assets_that_have_everything_need_no_go(checkout: Path, tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in NEEDED:
        (assets / name).touch(0o755)
    assert run(checkout, "control-plane", assets=assets)[0] == 0
    (assets / "kube-controller-manager").unlink()
    assert run(checkout, "control-plane", assets=assets)[0] == 1


def test_two_at_once_build_once_and_both_find_it(checkout: Path) -> None:
    both = [start(checkout, "control-plane", go=BUILDS) for _ in range(2)]
    assert [(process.communicate(timeout=30), process.returncode)[1] for process in both] == [0, 0]
    code, where, _ = run(checkout, "where", "control-plane")
    assert code == 0
    for name in NEEDED:
        assert os.access(Path(where.strip()) / name, os.X_OK)
    assert (checkout.parent / "home/builds").read_text().split() == ["build"]
    assert sorted(path.name for path in Path(where.strip()).parents[1].iterdir()) == [Path(where.strip()).parent.name]


def test_what_is_there_is_not_built_again_until_its_sources_change(checkout: Path) -> None:
    assert run(checkout, "control-plane", go=BUILDS)[0] == 0
    assert run(checkout, "control-plane", go="exit 1")[0] == 0
    with (checkout / "tests/support/controlplane/main.go").open("a") as source:
        source.write("// changed\n")
    assert run(checkout, "control-plane", go=BUILDS)[0] == 0
    assert (checkout.parent / "home/builds").read_text().split() == ["build", "build"]


def test_a_build_that_fails_leaves_nothing_under_its_name(checkout: Path) -> None:
    code, _, said = run(checkout, "control-plane", go=f"{NEW}; exit 1")
    assert code == 1
    assert "go build failed" in said
    where = run(checkout, "where", "control-plane")[1].strip()
    assert not Path(where).exists()
    assert run(checkout, "control-plane", go=BUILDS)[0] == 0  # and no lock


def test_a_lock_whose_holder_has_died_is_taken_over(checkout: Path) -> None:
    dead = subprocess.Popen(["/bin/sh", "-c", "exit 0"])
    dead.wait()
    where = Path(run(checkout, "where", "control-plane")[1].strip())
    lock = where.parents[1] / f"{where.parent.name}.lock"
    lock.mkdir(parents=True)
    (lock / "pid").write_text(f"{dead.pid}\n")
    assert run(checkout, "control-plane", go=BUILDS)[0] == 0


def test_unknown_arguments_are_refused_with_the_allowed_ones(checkout: Path) -> None:
    code, _, said = run(checkout, "kubelet")
    assert code == 1
    assert "unknown arguments: kubelet" in said
    assert "control-plane | helm | all" in said


def test_the_modules_of_kubernetes_are_all_of_one_release(repository: Path) -> None:
    text = (repository / "tests/support/controlplane/go.mod").read_text()
    release = re.search(r"^\tk8s\.io/kubernetes v1\.(\d+\.\d+)$", text, re.MULTILINE)
    assert release is not None
    replaced = re.findall(r"^replace k8s\.io/(\S+) => k8s\.io/(\S+) (\S+)$", text, re.MULTILINE)
    assert len(replaced) > 20
    assert {(name == target, version) for name, target, version in replaced} == {(True, f"v0.{release[1]}")}

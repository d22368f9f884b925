"""What an image installs on its base: core as pinned, the rest only where the base lacks it."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

HASH = "    --hash=sha256:" + "0" * 64 + "\n"
ROOMS = {"operator": "operator", "controller": "controller_image", "trial": "trial_image"}


def block(name: str, *parents: str, marker: str = "") -> str:
    via = "".join(f"    #   {parent}\n" for parent in parents)
    return f"{name}=={'1.0'}{marker} \\\n{HASH}    # via\n    #   -c requirements/all.txt\n{via}"


PROJECT = "archsearch (pyproject.toml)"
CORE = block("aiohttp", PROJECT) + f"yarl==1.0 \\\n{HASH}    # via aiohttp\n"
TRIAL = (
    CORE
    + block("torch", PROJECT, "torchvision")
    + block("torchvision", PROJECT)
    + block("numpy", PROJECT, "scikit-learn", marker=" ; python_full_version < '3.12'")
    + block("numpy", PROJECT, "scikit-learn", marker=" ; python_full_version >= '3.12'")
    + block("nvidia-cublas", "torch")
    + block("scikit-learn", PROJECT)
    + block("joblib", "scikit-learn")
)


@pytest.fixture(scope="module")
def tool(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("image_requirements", repository / "tools" / "image_requirements.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for the module of their fields
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("base", "installed", "left"),
    [
        (set(), {"torch", "torchvision", "numpy", "nvidia-cublas", "scikit-learn", "joblib"}, set()),
        ({"torch", "torchvision", "numpy"}, {"scikit-learn", "joblib"}, {"torch", "torchvision", "numpy"}),
        ({"torch", "numpy", "scikit-learn"}, set(), {"torch", "torchvision", "numpy", "scikit-learn"}),
        ({"numpy"}, {"torch", "torchvision", "nvidia-cublas", "scikit-learn", "joblib"}, {"numpy"}),
        ({"aiohttp", "torch", "numpy", "scikit-learn"}, set(), {"torch", "torchvision", "numpy", "scikit-learn"}),
    ],
    ids=["bare", "a PyTorch image", "torch without torchvision", "NumPy alone", "an aiohttp of its own"],
)
def test_the_base_keeps_what_it_has_and_core_is_always_as_pinned(
    tool: ModuleType, base: set[str], installed: set[str], left: set[str]
) -> None:
    found = tool.needed(tool.read(CORE), tool.read(TRIAL), base.__contains__)
    assert found == (sorted({"aiohttp", "yarl"} | installed), sorted(left))


def test_a_package_pinned_twice_keeps_both_blocks_with_markers_and_hashes(tool: ModuleType) -> None:
    text = tool.read(TRIAL)["numpy"].text
    assert [line.split(" ; ")[1] for line in text.splitlines() if line.startswith("numpy")] == [
        "python_full_version < '3.12' \\",
        "python_full_version >= '3.12' \\",
    ]
    assert text.count("--hash=") == 2


@pytest.mark.parametrize("room", ROOMS)
def test_a_base_without_anything_gets_the_whole_pinned_file(tool: ModuleType, repository: Path, room: str) -> None:
    texts = {name: (repository / "requirements" / f"{name}.txt").read_text() for name in ("core", room)}
    install, left = tool.needed(tool.read(texts["core"]), tool.read(texts[room]), lambda _: False)
    assert left == []
    assert install == sorted({tool.canonical(name) for name in re.findall(r"^([\w.-]+)==", texts[room], re.MULTILINE)})


def test_the_operator_takes_nothing_from_its_base(repository: Path) -> None:
    tool = [sys.executable, str(repository / "tools" / "image_requirements.py"), "operator"]
    done = subprocess.run(tool, cwd=repository, check=True, capture_output=True, text=True)
    pinned = (repository / "requirements" / "operator.txt").read_text()
    assert re.findall(r"^([\w.-]+)==", done.stdout, re.MULTILINE) == re.findall(r"^([\w.-]+)==", pinned, re.MULTILINE)


@pytest.mark.parametrize("room", ROOMS)
def test_a_dockerfile_has_the_version_of_the_release_and_all_of_its_files_are_in_the_context(
    repository: Path, room: str
) -> None:
    text = (repository / ROOMS[room] / "Dockerfile").read_text()
    version = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["version"]
    assert f"ARG VERSION={version}\n" in text
    assert f'ENTRYPOINT ["python3", "-m", "archsearch.{room}"]' in text
    assert "USER 65532:65532\n" in text
    context = {line[1:] for line in (repository / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    needed = {"pyproject.toml", "LICENSE", "tools/image_install", "tools/image_requirements.py", "core/archsearch"}
    assert needed | {f"{ROOMS[room]}/archsearch", f"requirements/{room}.txt"} <= context
    assert all((repository / path).exists() for path in context)


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["worker"], {}, "there is no image called worker; there are: operator, controller, trial"),
        ([], {"BUILDER": "kaniko"}, "BUILDER is kaniko; it may be buildah or docker"),
        ([], {"BUILDER": ""}, "neither buildah nor docker runs here; on Debian or Ubuntu: apt-get install buildah"),
        ([], {"BUILDER": "docker"}, "docker runs here"),
    ],
)
def test_a_build_that_cannot_begin_says_why(
    repository: Path, tmp_path: Path, arguments: list[str], environment: dict[str, str], says: str
) -> None:
    for program in ("sh", "dirname", "sed", "git"):  # a machine without any builder
        found = shutil.which(program)
        assert found is not None
        (tmp_path / program).symlink_to(found)
    command = [str(repository / "tools" / "images"), *arguments]
    done = subprocess.run(
        command, env={**os.environ, "PATH": str(tmp_path), **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert says in done.stderr

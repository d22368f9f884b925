"""A layer of tests that was skipped as a whole fails CI: seen on a real pytest run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SKIPPED = "import pytest\n\n@pytest.mark.skip(reason='no thing')\ndef test_a():\n    pass\n"
PASSING = "def test_b():\n    pass\n"


def run_pytest(repository: Path, project: Path, ci: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(repository / "tests" / "conftest.py", project / "conftest.py")
    environment = {**os.environ, "CI": ci, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--import-mode=importlib", "."]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("ci", "files", "expected"),
    [
        ("true", {"one/test_a.py": SKIPPED, "two/test_b.py": PASSING}, 1),
        ("true", {"one/test_a.py": SKIPPED, "one/test_b.py": PASSING}, 0),
        ("true", {"two/test_b.py": PASSING}, 0),
        ("false", {"one/test_a.py": SKIPPED, "two/test_b.py": PASSING}, 0),
    ],
    ids=["a skipped folder fails CI", "one that ran is enough", "nothing skipped", "a desk may skip"],
)
def test_ci_fails_only_when_every_test_of_a_folder_is_skipped(
    repository: Path, tmp_path: Path, ci: str, files: dict[str, str], expected: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    result = run_pytest(repository, tmp_path, ci)
    assert result.returncode == expected, result.stdout + result.stderr
    assert ("every test was skipped (Skipped: no thing)" in result.stdout) == bool(expected)

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from archsearch.cli import report
from archsearch.cli.report import ReportError
from archsearch.local.errors import FolderError
from archsearch.local.folder import Folder
from archsearch.local.store import Store
from archsearch.page import render

WITHOUT = """
import sys
sys.modules["{missing}"] = None
from archsearch.cli.app import main
sys.argv = ["archsearch", "report", {folder!r}]
main()
"""


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    report.register(app)
    return app


@pytest.fixture
def ledger(tmp_path: Path, convolutional_record) -> Path:
    record = convolutional_record
    with Store.create(
        Folder(tmp_path).ledger, record.manifest, record.strategy, record.started, record.versions
    ) as store:
        store.write(
            kinds=("plan",), trials=record.trials, policy=record.policy, warnings=record.warnings,
            active_seconds=record.active_seconds,
        )  # fmt: skip
        store.put_human(record.human)
    return tmp_path


def test_the_page_is_that_of_the_ledger(app, ledger, convolutional_record):
    result = CliRunner().invoke(app, [str(ledger), "-o", "json"])
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert Path(answer["page"]).read_text(encoding="utf-8") == render(replace(convolutional_record, outcome=None))
    assert [Path(path).name for path in answer["pictures"]] == sorted(
        ["layers.png", "networks.png", "options.png", "policy.png", "rewards.png", "time.png"]
    )


def test_text_is_the_path_alone(app, ledger):
    result = CliRunner().invoke(app, [str(ledger)])
    assert result.stdout.strip() == str((ledger / "report.html").resolve())


def test_a_folder_that_is_no_search_is_told_so(app, tmp_path):
    with pytest.raises(FolderError, match="does not exist"):
        CliRunner().invoke(app, [str(tmp_path / "absent")], catch_exceptions=False)


def test_a_page_that_cannot_be_written_is_told_so(app, ledger):
    (ledger / "report.html").mkdir()
    with pytest.raises(ReportError, match="the report cannot be written"):
        CliRunner().invoke(app, [str(ledger)], catch_exceptions=False)


@pytest.mark.parametrize("missing", ["matplotlib", "jinja2"])
def test_a_missing_extra_is_named_with_its_remedy(ledger, missing):
    program = WITHOUT.format(missing=missing, folder=str(ledger))
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stdout == ""
    assert f"{missing} is not installed" in result.stderr
    assert "pip install 'archsearch[report]'" in result.stderr
    assert "Traceback" not in result.stderr

"""Whatever goes wrong around the controller ends the run with a reason; nothing waits for ever."""

import asyncio
import sys
from pathlib import Path

import pytest

from archsearch.controller_contract import Health, PolicyState
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import Call, Teach
from archsearch.local.controller import Controller
from archsearch.local.controller_process import ControllerProcess, derive
from archsearch.local.errors import ProcessFailedError

LACKS = (sys.executable, "-S", "-c", "import no_such_module_at_all")


async def failure(controller: Controller, wake: asyncio.Event) -> str:
    """The error in which a controller's keeping ends, soon."""
    controller.open()
    await asyncio.wait_for(wake.wait(), 10)
    with pytest.raises(ProcessFailedError) as raised:
        controller.check()
    await controller.close()
    return str(raised.value)


async def test_a_log_that_cannot_be_written_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "controller.log").mkdir()
    wake = asyncio.Event()
    controller = Controller(tmp_path / "c.json", tmp_path / "controller.log", wake.set, None)
    told = await failure(controller, wake)
    assert "the controller cannot be started" in told
    assert "controller.log" in told
    assert "remove the folder that is in its place, then the same command goes on" in told


async def test_what_nobody_foresaw_in_keeping_it_alive_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> ControllerProcess:
        raise RuntimeError("never thought of")

    monkeypatch.setattr(ControllerProcess, "start", breaks)
    wake = asyncio.Event()
    told = await failure(Controller(tmp_path / "c.json", tmp_path / "c.log", wake.set, None), wake)
    assert "keeping the controller alive failed: RuntimeError: never thought of" in told
    assert "Traceback" in (tmp_path / "c.log").read_text()


async def test_what_nobody_foresaw_in_a_call_ends_the_run(tmp_path: Path) -> None:
    class Broken:
        async def health(self) -> Health:
            return Health(version=0, asked=0)

        async def observe(self, _: object) -> PolicyState:
            raise TypeError("never thought of")

    wake = asyncio.Event()
    controller = Controller(tmp_path / "c.json", tmp_path / "c.log", wake.set, None)
    await controller.caller.connect(Broken())  # type: ignore[arg-type]
    wake.clear()
    calls: tuple[Call, ...] = (Teach(0, 1),)
    controller.submit(calls, Ledger())
    await asyncio.wait_for(wake.wait(), 10)
    with pytest.raises(ProcessFailedError, match="calling the controller failed: TypeError: never thought of"):
        controller.check()


async def test_a_missing_module_is_said_at_once_with_what_to_install(tmp_path: Path) -> None:
    wake = asyncio.Event()
    controller = Controller(tmp_path / "c.json", tmp_path / "c.log", wake.set, None, LACKS)
    told = await failure(controller, wake)
    assert "no_such_module_at_all is not installed here: pip install 'archsearch[controller,trial]'" in told
    assert (tmp_path / "c.log").read_text().count("Traceback") == 1


async def test_a_module_that_an_earlier_process_lacked_is_not_missing_any_more(tmp_path: Path) -> None:
    (tmp_path / "c.log").write_text("ModuleNotFoundError: No module named 'torch'\n")
    wake = asyncio.Event()
    dies = (sys.executable, "-S", "-c", "import os; os._exit(7)")
    told = await failure(Controller(tmp_path / "c.json", tmp_path / "c.log", wake.set, None, dies), wake)
    assert "exit code 7, 5 times in a row" in told
    assert "pip install" not in told


async def test_a_replay_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    (tmp_path / "c.log").mkdir()
    with pytest.raises(ProcessFailedError, match="the controller cannot be started"):
        await derive(tmp_path / "c.json", tmp_path / "c.log", Ledger())

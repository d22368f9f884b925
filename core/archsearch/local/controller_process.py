"""One controller process: how it is started, spoken to and ended."""

import asyncio
import json
import secrets
import sys
from pathlib import Path

from archsearch.api import SearchSpace, Strategy
from archsearch.controller_client import ControllerClient, ControllerError
from archsearch.controller_contract import Mismatch, PolicyState
from archsearch.engine.ledger import Ledger
from archsearch.local.errors import ProcessFailedError
from archsearch.local.processes import end, how, kill, missing_extra, spawn, tail
from archsearch.local.refusals import refusals

TOKEN_VARIABLE = "ARCHSEARCH_TOKEN"  # noqa: S105 - the variable's name
PROGRAM = (sys.executable, "-m", "archsearch.controller")
_START_SECONDS = 180.0
_PATIENCE = 5.0


def write_config(path: Path, name: str, space: SearchSpace, strategy: Strategy, seed: int) -> None:
    """Write the controller's configuration file.

    Raises:
        MachineError: the system refuses it.
    """
    config = {
        "name": name,
        "searchSpace": space.model_dump(mode="json", exclude_none=True),
        "strategy": strategy.model_dump(mode="json", exclude_none=True),
        "seed": seed,
    }
    with refusals(f"{path} cannot be written"):
        path.write_text(json.dumps(config, indent=2) + "\n")


class ControllerProcess:
    """One controller process, from its start to its end."""

    def __init__(self, process: asyncio.subprocess.Process, client: ControllerClient) -> None:
        self.process = process
        self.client = client

    @classmethod
    async def start(cls, config: Path, log: Path, program: tuple[str, ...] = PROGRAM) -> "ControllerProcess":
        """Start one and wait until it listens.

        Raises:
            ControllerError: it died, or said nothing in time.
            SpawnError: the system refused to start it.
        """
        token = secrets.token_urlsafe(32)
        command = (*program, "--config", str(config), "--port", "0")
        environment = {TOKEN_VARIABLE: token}
        process = await spawn((*command, "--exit-with-stdin"), what="the controller", log=log, environment=environment)
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
            port = int(json.loads(line)["port"])
        except (TimeoutError, ValueError, KeyError, TypeError) as error:
            kill(process)
            await process.wait()
            raise ControllerError(
                f"the controller did not say where it listens: it {how(process.returncode)}"
            ) from error
        except BaseException:
            kill(process)
            raise
        return cls(process, ControllerClient(f"http://127.0.0.1:{port}", token))

    async def close(self) -> None:
        """End it."""
        await self.client.close()
        await end(self.process, patience=_PATIENCE)


async def derive(
    config: Path, log: Path, ledger: Ledger, *, verify: bool = False
) -> tuple[PolicyState, tuple[Mismatch, ...]]:
    """Replay ``ledger`` in a fresh controller: the policy it ends in, and with ``verify`` every ask that differs.

    Raises:
        ProcessFailedError: the controller cannot do it.
    """
    try:
        process = await ControllerProcess.start(config, log)
        try:
            replayed = await process.client.replay(ledger.log(complete=True), verify=verify)
            return await process.client.policy(), replayed.mismatches or ()
        finally:
            await process.close()
    except ControllerError as error:
        raise ProcessFailedError(f"the ledger cannot be replayed: {error}{tail(log)}{missing_extra(log)}") from error

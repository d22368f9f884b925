"""How the operator reaches a controller pod: by its address, or from outside the cluster by `kubectl port-forward`."""

import asyncio
import contextlib
import re
from dataclasses import dataclass

from archsearch.operator.names import CONTROLLER_PORT
from archsearch.operator.port import Object
from archsearch.operator.settings import Settings

_FORWARDING = re.compile(rb"Forwarding from 127\.0\.0\.1:(\d+)")
_START_SECONDS = 20.0


@dataclass(frozen=True)
class Reach:
    """A way to a controller, open until it is closed."""

    url: str
    process: asyncio.subprocess.Process | None = None
    drain: asyncio.Task[None] | None = None

    @property
    def open(self) -> bool:
        """Whether it still leads anywhere: kubectl ends with the first connection that the pod refuses."""
        return self.process is None or self.process.returncode is None

    async def close(self) -> None:
        """Give it up."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            await self.process.wait()
        if self.drain is not None:
            await self.drain


async def reach(pod: Object, settings: Settings) -> Reach:
    """The way to the controller in ``pod``.

    Raises:
        OSError: kubectl is not there, or does not forward in time.
    """
    if settings.port_forward:
        return await _forward(pod["metadata"]["namespace"], pod["metadata"]["name"], settings)
    address = str(pod["status"]["podIP"])
    host = f"[{address}]" if ":" in address else address
    return Reach(f"http://{host}:{CONTROLLER_PORT}")


async def _forward(namespace: str, name: str, settings: Settings) -> Reach:
    where = ["--kubeconfig", settings.kubeconfig] if settings.kubeconfig else []
    where += ["--context", settings.context] if settings.context else []
    process = await asyncio.create_subprocess_exec(
        "kubectl",
        *where,
        "port-forward",
        "--namespace",
        namespace,
        f"pod/{name}",
        f":{CONTROLLER_PORT}",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = b""
    try:
        with contextlib.suppress(TimeoutError):
            line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
    except BaseException:  # nobody waits for it any more
        await Reach("", process).close()
        raise
    found = _FORWARDING.search(line)
    if found is None:
        await Reach("", process).close()
        raise OSError(f"kubectl port-forward to pod {name} does not start: {line.decode(errors='replace').strip()}")
    # It says a line for every connection; nobody reading them, it would stop at the thousandth.
    return Reach(f"http://127.0.0.1:{int(found[1])}", process, asyncio.create_task(_drain(process.stdout)))


async def _drain(lines: asyncio.StreamReader) -> None:
    while await lines.read(4096):
        pass

"""Runs the real controller program for a controller pod, on a loopback address of its own."""

import asyncio
import os
import random
import signal
import socket
import sys
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from archsearch.operator.names import CONTROLLER_CONTAINER, CONTROLLER_PORT
from kube.api import Api

Object = dict[str, Any]


class NoLoopbackError(Exception):
    """The machine has no loopback addresses but 127.0.0.1."""


def free_address() -> str:
    """A loopback address at which the controller's port is free.

    Raises:
        NoLoopbackError: there is none (macOS has 127.0.0.1 only, until told otherwise).
    """
    draw = random.SystemRandom()
    for _ in range(20):
        address = f"127.{draw.randrange(16, 255)}.{draw.randrange(256)}.{draw.randrange(1, 255)}"
        with socket.socket() as trial:
            try:
                trial.bind((address, CONTROLLER_PORT))
            except OSError:
                continue
            return address
    raise NoLoopbackError("needs loopback addresses besides 127.0.0.1, which Linux has and macOS has not")


class ControllerPod:
    """The process of one controller pod; its files and its log are in ``folder``."""

    def __init__(self, api: Api, pod: Mapping[str, Any], folder: Path) -> None:
        self._api, self._pod, self._folder = api, pod, folder
        self._namespace = pod["metadata"]["namespace"]
        self._process: asyncio.subprocess.Process | None = None
        self.address = free_address()
        self.log = folder / "log"
        self.exit_code: int | None = None
        """How it ended: 128 + N by signal N."""

    async def start(self, when_ended: Callable[[], None]) -> None:
        """Start it as its pod says: arguments, variables, Secrets as files, with the address in place of 0.0.0.0.

        ``when_ended`` is called once it has ended.

        Raises:
            Refused: a Secret that it needs is not there.
        """
        container = next(each for each in self._pod["spec"]["containers"] if each["name"] == CONTROLLER_CONTAINER)
        mounts = await self._mount(container)
        arguments = [self._argument(each, mounts) for each in container["args"]]
        environment = {**os.environ, **await self._environment(container)}
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "archsearch.controller", *arguments, "--exit-with-stdin"),
                stdin=asyncio.subprocess.PIPE,  # whose end it takes for its own: it does not outlive the test run
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        self._waiter = asyncio.create_task(self._wait(self._process, when_ended))

    async def ready(self) -> bool:
        """Wait until /healthz answers; False where the process ended before."""
        assert self._process is not None
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while self._process.returncode is None:
                try:
                    async with session.get(f"http://{self.address}:{CONTROLLER_PORT}/healthz") as answer:
                        if answer.status == 200:
                            return True
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(0.05)
        return False

    async def stop(self, patience: float) -> None:
        """End it by SIGTERM, after ``patience`` seconds by SIGKILL; an ended one is left alone."""
        if self._process is None:
            return
        self.signal(signal.SIGTERM)
        await asyncio.wait([self._waiter], timeout=patience)
        self.signal(signal.SIGKILL)
        await self._waiter

    def read_log(self) -> bytes | None:
        """What it has printed; None before its start."""
        return self.log.read_bytes() if self.log.exists() else None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; an ended process is left alone."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def _wait(self, process: asyncio.subprocess.Process, when_ended: Callable[[], None]) -> None:
        code = await process.wait()
        self.exit_code = code if code >= 0 else 128 - code
        when_ended()

    async def _mount(self, container: Mapping[str, Any]) -> dict[str, Path]:
        volumes = {volume["name"]: volume for volume in self._pod["spec"]["volumes"]}
        mounts: dict[str, Path] = {}
        for mount in container.get("volumeMounts", ()):
            source = volumes[mount["name"]].get("secret")
            if source is None:
                continue
            folder = self._folder / mount["name"]
            folder.mkdir(parents=True, exist_ok=True)
            secret = await self._secret(source["secretName"])
            names = {each["key"]: each["path"] for each in source.get("items", ())} or {key: key for key in secret}
            for key, path in names.items():
                (folder / path).write_bytes(secret[key])
            mounts[mount["mountPath"]] = folder
        return mounts

    async def _environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        for variable in container.get("env", ()):
            source = variable.get("valueFrom", {}).get("secretKeyRef")
            if source is not None:
                found[variable["name"]] = (await self._secret(source["name"]))[source["key"]].decode()
            else:
                found[variable["name"]] = variable.get("value", "")
        return found

    async def _secret(self, name: str) -> dict[str, bytes]:
        secret = await self._api.call("GET", f"/api/v1/namespaces/{self._namespace}/secrets/{name}")
        return {key: b64decode(value) for key, value in secret["data"].items()}

    def _argument(self, argument: str, mounts: Mapping[str, Path]) -> str:
        for mount, folder in mounts.items():
            if argument.startswith(f"{mount}/"):
                return str(folder / argument.removeprefix(f"{mount}/"))
        return self.address if argument == "0.0.0.0" else argument

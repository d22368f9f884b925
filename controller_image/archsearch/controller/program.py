"""The controller program: serve one search until SIGTERM, SIGINT or the end of stdin.

The configuration is a JSON file ``{"name", "searchSpace", "strategy", "seed"}``; the token comes from the environment
variable ``ARCHSEARCH_TOKEN``. Once it listens, one line ``{"port": N}`` goes to stdout; logs go to stderr. Exit codes:
0 ended as told, 2 the configuration, the token or the address is unusable (stderr says why).
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from aiohttp import web
from pydantic import Field, ValidationError

from archsearch.api import SearchSpace, Strategy
from archsearch.api.base import Model
from archsearch.controller.service import Service
from archsearch.controller.session import Session
from archsearch.controller.strategies import make
from archsearch.space import build

TOKEN_VARIABLE = "ARCHSEARCH_TOKEN"  # noqa: S105 - the variable's name


class Config(Model):
    """What one controller serves."""

    name: str = Field(min_length=1, max_length=253)
    """Name of the search."""
    search_space: SearchSpace
    """``spec.searchSpace``."""
    strategy: Strategy = Strategy()
    """``spec.strategy``; what is left out is filled in."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """``spec.seed``."""


class Unusable(Exception):  # noqa: N818 - it says what is the matter
    """The controller cannot start; the message says why."""


def main(arguments: list[str] | None = None) -> int:
    """Run the controller; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m archsearch.controller", description="Serve one search's strategy.")
    parser.add_argument("--config", required=True, type=Path, help="JSON: name, searchSpace, strategy, seed")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", default=0, type=int, help="port to listen on (default: any free one)")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when stdin is closed")
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        service = _service(options.config)
        asyncio.run(_serve(service, options.host, options.port, options.exit_with_stdin))
    except Unusable as error:
        print(f"archsearch.controller: {error}", file=sys.stderr)
        return 2
    return 0


def _service(path: Path) -> Service:
    config = _config(path)
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token:
        raise Unusable(f"{TOKEN_VARIABLE} is not set; it must hold the token that callers of this controller send")
    space = build(config.search_space)
    try:
        session = Session(lambda: make(config.strategy, space, config.seed), space)
    except (ValueError, MemoryError, RuntimeError) as error:
        raise Unusable(f"{path}: strategy: {error}") from error
    return Service(session, token)


def _config(path: Path) -> Config:
    try:
        return Config.model_validate_json(path.read_bytes())
    except OSError as error:
        raise Unusable(f"--config {path}: {error.strerror}") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, found['loc'])) or 'file'}: {found['msg']} (got {repr(found['input'])[:80]})"
            for found in error.errors(include_url=False)
        )
        raise Unusable(f"--config {path}: {problems}") from error


async def _serve(service: Service, host: str, port: int, exit_with_stdin: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(service.application(), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except (OSError, OverflowError) as error:
            raise Unusable(f"cannot listen on {host}:{port}: {error}") from error
        print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
        if exit_with_stdin:
            threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True).start()
        await stop.wait()
    finally:
        await runner.cleanup()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Whoever started us holds the other end: its death, however sudden, closes it."""
    # Read by the descriptor: a buffered reader would hold its lock while the interpreter shuts down.
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stop.set)

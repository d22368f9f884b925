"""A runner that keeps what it was asked; statuses are the test's business."""

from collections.abc import Callable

from archsearch.warm_contract import StartChild


class RecordingRunner:
    """All of a Runner but ``status``."""

    def __init__(self) -> None:
        self.started: list[StartChild] = []
        self.stopped: list[tuple[str, str]] = []

    async def open(self, wake: Callable[[], None]) -> None: ...

    async def start(self, request: StartChild) -> None:
        self.started.append(request)

    async def stop(self, name: str, reason: str) -> None:
        self.stopped.append((name, reason))

    async def close(self) -> None: ...

"""Ctrl-C and its like: asked once, searches end in order; asked again, the process ends at once."""

import asyncio
import signal
from collections.abc import Callable

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_on_signals(told: Callable[[], None]) -> asyncio.Event:
    """An event that the first signal sets; ``told`` is called then. Must be called in a running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # What was ignored when we were started (nohup, a shell's background job) stays ignored.
    heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]

    def told_to_stop() -> None:
        for number in heard:
            loop.remove_signal_handler(number)  # a second one ends this process at once; the ledger bears it
        told()
        stop.set()

    for number in heard:
        loop.add_signal_handler(number, told_to_stop)
    return stop

"""Ending on SIGTERM, in a container too."""

import os
import signal


def end_on_sigterm() -> None:
    """A container's first process has no default handler: without one, SIGTERM would be ignored there."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    else:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

"""``python -m archsearch.operator``: see :mod:`archsearch.operator.command`."""

import os
import signal

if __name__ == "__main__":
    if os.getpid() == 1:
        # A container's first process has no default handler: SIGTERM would be ignored until the program has its own.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    from archsearch.operator.command import app

    app()

"""``python -m archsearch.controller``: see :mod:`archsearch.controller.program`."""

import os
import signal
import sys

if __name__ == "__main__":
    if os.getpid() == 1:
        # A container's first process has no default handler: SIGTERM would be ignored while torch is imported.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    # A strategy's state must not depend on how many cores there are, nor trials be robbed of theirs; NumPy's library of
    # linear algebra reads these when it is loaded, and splits its sums by them.
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    from archsearch.controller.program import main

    # A strategy that is still at work in its thread must not keep a stopped controller alive.
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

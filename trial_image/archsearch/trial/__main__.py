"""``python -m archsearch.trial``: one trial, as a process."""

import os
import sys

from archsearch.trial.termination import end_on_sigterm

if __name__ == "__main__":
    end_on_sigterm()  # before the imports, which take a while
    from archsearch.trial.entry import main

    sys.exit(main(os.environ))

"""``python -m archsearch.trial``: one trial, as a process."""

import os
import sys

from archsearch.trial.entry import main

sys.exit(main(os.environ))

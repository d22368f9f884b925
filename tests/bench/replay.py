"""How long the controller takes to fold a ledger again, and how much memory it then holds: for every strategy.

    python tests/bench/replay.py [--children 12800] ['{"ppo": {"steps": 2}}' ...]

Two spaces: ``choices`` of 6 decisions with 5 options, and convolutional networks of 15 layers with skips (180
decisions). The log is made up (uniform children, 8 in flight, rewards that follow the tokens, one trial in 50 failed)
and goes through :class:`~archsearch.controller.session.Session` as the operator sends it: this is the cost of folding,
not of asking. Each runs in a process of its own; ``seconds`` are of CPU, ``grown`` is the growth of the resident set
over the replay in MiB (the log itself was there before), ``peak`` the largest resident set.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from archsearch.api import SearchSpace, Strategy
from archsearch.controller.session import Session
from archsearch.controller.strategies import STRATEGIES, make
from archsearch.controller_contract import Ask, Observation, Tell
from archsearch.space import build
from archsearch.space.base import Space

SPACES: dict[str, dict[str, Any]] = {
    "6 decisions": {"choices": [{"name": f"e{place}", "values": list(range(5))} for place in range(6)]},
    "180 decisions": {"convolutional": {"depth": {"initial": 15}}},
}
IN_FLIGHT = 8


def ledger(space: Space, children: int) -> list[Ask | Tell]:
    """Asks and tells, in order."""
    draws = np.random.default_rng(1)
    stage = space.stage(0)
    found = [space.sample(lambda options: int(draws.integers(options)), stage) for _ in range(children)]
    log: list[Ask | Tell] = []
    for index in range(children + IN_FLIGHT):
        told = index - IN_FLIGHT
        if told >= 0:
            reward = None if told % 50 == 49 else 0.5 + sum(found[told]) / (5 * len(found[told]))
            log.append(Tell(observation=Observation(number=told, index=told, genotype=found[told], reward=reward)))
        if index < children:
            log.append(Ask(index=index, genotype=found[index], policy_version=max(0, told + 1)))
    return log


def resident() -> float:
    """Resident set of this process, MiB."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - not a file in the ordinary sense
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def one(space_name: str, text: str, children: int) -> None:
    """Replay once; a line of JSON."""
    space = build(SearchSpace.model_validate_json(json.dumps(SPACES[space_name])))
    strategy = Strategy.model_validate_json(text)
    log = ledger(space, children)
    session = Session(lambda: make(strategy, space, 5), space)
    before, start = resident(), time.process_time()
    state = session.replay(log)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    found = {"seconds": round(seconds, 1), "grown": round(resident() - before), "peak": round(peak)}
    print(json.dumps({"space": space_name, "strategy": text, "children": state.asked, **found}), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--children", type=int, default=12_800)
    parser.add_argument("--space", choices=list(SPACES), help="one space alone, in this process")
    parser.add_argument("strategies", nargs="*", default=[json.dumps({name: {}}) for name in STRATEGIES])
    options = parser.parse_args(arguments)
    if options.space is not None:
        for text in options.strategies:
            one(options.space, text, options.children)
        return 0
    worst = 0
    for text in options.strategies:
        for name in SPACES:
            again = [sys.executable, __file__, "--children", str(options.children), "--space", name, text]
            worst = max(worst, subprocess.run(again, check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())

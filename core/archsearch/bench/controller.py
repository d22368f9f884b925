"""Latency of the controller through HTTP, time of a replay, and the memory that it takes, at a given load."""

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from archsearch import space as spaces
from archsearch.api import SearchSpace, Strategy
from archsearch.bench.errors import BenchFailedError
from archsearch.bench.processes import Memory, memory_of
from archsearch.bench.stats import percentile
from archsearch.controller_client import ControllerClient, ControllerError
from archsearch.controller_contract import Ask, Observation, Proposal, Tell
from archsearch.local.controller_process import ControllerProcess, write_config
from archsearch.local.processes import tail
from archsearch.space.base import Genotype, Space

_SPACES = {
    "choices": {"choices": [{"name": f"decision{n}", "values": list("01234")} for n in range(1, 7)]},
    "layers": {
        "convolutional": {
            "depth": {"initial": 15},
            "filterHeights": [1, 3, 5, 7],
            "filterWidths": [1, 3, 5, 7],
            "filters": [24, 36, 48, 64],
            "strides": [1, 2, 3],
            "skipConnections": True,
        }
    },
}
"""6 decisions of 5 options; and section 4.1 of 1611.01578 with strides and skips, 15 layers deep."""


@dataclass(frozen=True)
class Load:
    """A controller at work."""

    space: str
    """``choices`` (6 decisions with 5 options) or ``layers`` (15 convolutional layers with skips)."""
    strategy: str
    """Its name, as it is reported."""
    settings: Strategy
    observed: int
    """Observations taught before the first call that is timed."""
    in_flight: int
    """Children asked for and not yet taught, throughout."""
    rounds: int
    """Pairs of one observe and one propose that are timed."""


@dataclass(frozen=True)
class Figures:
    """What was measured; times in seconds."""

    load: Load
    propose: tuple[float, ...]
    observe: tuple[float, ...]
    replay: float
    """Time to fold the log of all observations and asks from nothing, HTTP included."""
    memory: Memory | None
    """Of the controller at the end."""

    def percentiles(self) -> dict[str, float]:
        """p50 and p99 of propose, observe and both, in milliseconds."""
        both = [one + other for one, other in zip(self.propose, self.observe, strict=True)]
        series = {"propose": self.propose, "observe": self.observe, "both": both}
        return {
            f"{name}_p{percent}_ms": 1000 * percentile(values, percent)
            for name, values in series.items()
            for percent in (50, 99)
        }


async def measure(load: Load, told: Callable[[str], None]) -> Figures:
    """Start a controller, replay ``observed`` observations into it, then time observe and propose, one pair a round.

    Genotypes before the first timed call are uniform draws (a replay folds what it is given); rewards are made up.

    Raises:
        BenchFailedError: the controller cannot do it; the end of its log says why.
    """
    settings = SearchSpace.model_validate_json(json.dumps(_SPACES[load.space]))
    with tempfile.TemporaryDirectory(prefix="archsearch-bench-") as name:
        folder = Path(name)
        config, log = folder / "controller.json", folder / "controller.log"
        write_config(config, "bench", settings, load.settings.resolved(), seed=5000)
        try:
            process = await ControllerProcess.start(config, log)
            try:
                return await _drive(load, spaces.build(settings), process, told)
            finally:
                await process.close()
        except ControllerError as error:
            raise BenchFailedError(f"{error}; the end of its log:\n{tail(log)}") from error


async def _drive(load: Load, space: Space, process: ControllerProcess, told: Callable[[str], None]) -> Figures:
    draws = random.Random(0)
    log = list(_log(load, space, draws))
    children = [entry.genotype for entry in log if isinstance(entry, Ask)]
    what = f"{load.space}, {load.strategy}"
    told(f"{what}: replaying {load.observed} observations")
    began = time.monotonic()
    await process.client.replay(log)
    replay = time.monotonic() - began
    told(f"{what}: replayed in {replay:.1f} s; timing {load.rounds} observe and propose")
    propose: list[float] = []
    observe: list[float] = []
    for number in range(load.observed, load.observed + load.rounds):
        observe.append(await _timed_observe(process.client, _observation(number, children[number], draws)))
        seconds, proposal = await _timed_propose(process.client, len(children))
        propose.append(seconds)
        children.append(proposal.genotype)
    return Figures(load, tuple(propose), tuple(observe), replay, memory_of(process.process.pid))


async def _timed_observe(client: ControllerClient, observation: Observation) -> float:
    began = time.monotonic()
    await client.observe([observation])
    return time.monotonic() - began


async def _timed_propose(client: ControllerClient, index: int) -> tuple[float, Proposal]:
    began = time.monotonic()
    proposal = await client.propose(index)
    return time.monotonic() - began, proposal


def _log(load: Load, space: Space, draws: random.Random) -> Iterator[Ask | Tell]:
    """Asks for ``in_flight`` children, then a tell and an ask by turns: the ledger of a search at this load."""
    asked: list[Genotype] = []
    for index in range(load.in_flight + load.observed):
        version = max(0, index + 1 - load.in_flight)
        if version:
            yield Tell(observation=_observation(version - 1, asked[version - 1], draws))
        asked.append(space.sample(draws.randrange, space.stage(index)))
        yield Ask(index=index, genotype=asked[-1], policy_version=version)


def _observation(number: int, genotype: Genotype, draws: random.Random) -> Observation:
    """The reward prefers high tokens, with noise: enough for a policy to have something to learn."""
    reward = sum(genotype) / (1 + len(genotype)) + draws.gauss(0, 0.1)
    return Observation(number=number, index=number, genotype=genotype, reward=reward)


def run(loads: list[Load], told: Callable[[str], None]) -> list[Figures]:
    """Measure each load, one after the other."""

    async def all_of_them() -> list[Figures]:
        return [await measure(load, told) for load in loads]

    return asyncio.run(all_of_them())

"""Spaces and folds that the unit tests of strategies share."""

from collections.abc import Mapping

from archsearch.api import Choice, ConvolutionalSpace, Depth, SearchSpace
from archsearch.controller.strategy import Strategy
from archsearch.controller_contract import Observation
from archsearch.space import Genotype, Space, build


def choices(*counts: int) -> Space:
    """Independent decisions of so many options each."""
    listed = tuple(Choice(name=f"d{place}", values=tuple(range(count))) for place, count in enumerate(counts))
    return build(SearchSpace(choices=listed))


def growing(every: int) -> Space:
    """Children 0 .. every - 1 of 1 layer (6 networks), then 2 (72), then 3 (1,728)."""
    depth = Depth(initial=1, final=3, every=every, step=1)
    return build(
        SearchSpace(
            convolutional=ConvolutionalSpace(depth=depth, filter_heights=(1, 3), filter_widths=(3,), filters=(4, 8, 16))
        )
    )


def tell(strategy: Strategy, index: int, genotype: Genotype, reward: float | None, number: int | None = None) -> None:
    """Tell child ``index``; observation ``number``, left out: the same."""
    told = index if number is None else number
    strategy.observe(Observation(number=told, index=index, genotype=genotype, reward=reward))


def add(strategy: Strategy, index: int, genotype: Genotype, reward: float | None) -> None:
    """Ask for child ``index`` and tell it at once."""
    strategy.adopt(index, genotype)
    tell(strategy, index, genotype, reward)


def run(strategy: Strategy, rewards: Mapping[Genotype, float | None], children: int, flying: int = 1) -> list[Genotype]:
    """The children of a search with so many in flight, told in the order of indices."""
    found: list[Genotype] = []
    for index in range(children):
        if index >= flying:
            tell(strategy, index - flying, found[index - flying], rewards[found[index - flying]])
        found.append(strategy.propose(index).genotype)
        strategy.adopt(index, found[index])
    return found

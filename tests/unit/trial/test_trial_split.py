"""Train, validation and test: the same for every child, every class in each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsearch.api.task import DigitsData, ImageClassification, ImageData
from archsearch.trial.data.images import Images, Part
from archsearch.trial.data.split import Split, split
from archsearch.trial.errors import TrialError


def part(counts: list[int], start: int = 0) -> Part:
    """Images whose only pixels spell their number, so that each can be told from every other."""
    labels = np.repeat(np.arange(len(counts)), counts)
    order = np.random.default_rng(0).permutation(len(labels))
    numbers = np.arange(start, start + len(labels))
    pixels = np.stack([numbers // 256, numbers % 256], axis=1).astype(np.uint8).reshape(-1, 1, 1, 2)
    return Part(pixels, labels[order].astype(np.int64))


def images(counts: list[int], **parts: Part) -> Images:
    return Images("test data", tuple(f"c{number}" for number in range(len(counts))), part(counts), **parts)


def task(**settings: object) -> ImageClassification:
    return ImageClassification(dataset=ImageData(digits=DigitsData()), **settings)  # type: ignore[arg-type]


def numbers(each: Part) -> set[int]:
    return {int(first) * 256 + int(second) for first, second in each.pixels.reshape(-1, 2)}


@given(
    st.lists(st.integers(3, 60), min_size=2, max_size=8),
    st.floats(0.01, 0.9),
    st.floats(0.01, 0.9),
    st.integers(0, 2**31 - 1),
    st.none() | st.integers(10, 100),
)
def test_every_image_is_in_one_part_and_every_class_in_all(
    counts: list[int], validation: float, test: float, seed: int, limit: int | None
) -> None:
    given_images = images(counts)
    settings = task(validation_fraction=validation, test_fraction=test, split_seed=seed, limit=limit)
    parts = split(given_images, settings)
    whole = split(given_images, settings.model_copy(update={"limit": None}))
    held = [numbers(each) for each in (whole.train, whole.validation, whole.test)]
    assert sum(map(len, held)) == len(given_images.training)
    assert set().union(*held) == numbers(given_images.training)
    assert [numbers(parts.validation), numbers(parts.test)] == held[1:]
    assert numbers(parts.train) <= held[0]
    assert len(parts.train) == (len(whole.train) if limit is None else min(limit, len(whole.train)))
    for each in (parts.train, parts.validation, parts.test):
        assert set(each.labels.tolist()) == set(range(len(counts)))


def test_shares_are_stratified_and_add_up() -> None:
    parts = split(images([100, 50, 50]), task(test_fraction=0.2, validation_fraction=0.25, limit=60))
    assert np.bincount(parts.test.labels).tolist() == [20, 10, 10]
    assert np.bincount(parts.validation.labels).tolist() == [20, 10, 10]
    assert np.bincount(parts.train.labels).tolist() == [30, 15, 15]


def test_only_the_split_seed_decides() -> None:
    def drawn(seed: int) -> Split:
        return split(images([30, 30]), task(split_seed=seed))

    assert numbers(drawn(1).train) == numbers(drawn(1).train)
    assert numbers(drawn(1).train) != numbers(drawn(2).train)


def test_parts_of_its_own_are_used_as_they_are() -> None:
    own = images([10, 10], validation=part([3, 3], 1000), test=part([4, 4], 2000))
    parts = split(own, task())
    assert [numbers(each) for each in (parts.train, parts.validation, parts.test)] == [
        numbers(own.training),
        set(range(1000, 1006)),
        set(range(2000, 2008)),
    ]


@pytest.mark.parametrize(
    ("counts", "limit", "reason"),
    [
        ([20], None, "DataOneClass"),
        ([20, 0], None, "DataOneClass"),
        ([20, 20, 0], None, "DataClassEmpty"),
        ([20, 2], None, "DataTooSmall"),
        ([9] * 12, 10, "DataTooSmall"),
    ],
)
def test_too_little_for_three_parts(counts: list[int], limit: int | None, reason: str) -> None:
    with pytest.raises(TrialError, match=r"test data|limit") as refused:
        split(images(counts), task(limit=limit))
    assert (refused.value.reason, refused.value.scope) == (reason, "Search")

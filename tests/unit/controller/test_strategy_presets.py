"""Presets: every field has a value, the manifest's own values win, and the paper's figures are the paper's."""

import pytest

from archsearch.api import RandomStrategy, ReinforcePreset, ReinforceStrategy, Strategy
from archsearch.api.strategies.model_based import ModelBasedStrategy
from archsearch.api.strategies.reinforce import PRESETS


def test_every_preset_fills_in_every_field() -> None:
    fields = set(ReinforceStrategy.model_fields) - {"preset"}
    assert set(PRESETS) == set(ReinforcePreset)
    for preset, values in PRESETS.items():
        assert set(values) == fields
        resolved = ReinforceStrategy(preset=preset).resolved()
        assert resolved.preset is preset
        assert {name: getattr(resolved, name) for name in fields} == dict(values)


def test_no_strategy_means_model_based_and_reinforce_alone_the_fast_preset() -> None:
    assert Strategy().resolved() == Strategy(model_based=ModelBasedStrategy().resolved())
    alone = Strategy(reinforce=ReinforceStrategy()).resolved()
    assert alone.reinforce == ReinforceStrategy(preset=ReinforcePreset.FAST).resolved()


def test_the_papers_preset_is_what_section_4_1_says() -> None:
    paper = ReinforceStrategy(preset=ReinforcePreset.PAPER).resolved()
    assert (paper.hidden_size, paper.layers, paper.learning_rate, paper.batch_size) == (35, 2, 6e-4, 8)
    assert (paper.entropy_weight, paper.normalise_rewards) == (0.0, False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden_size", 7),
        ("layers", 1),
        ("learning_rate", 0.5),
        ("batch_size", 3),
        ("entropy_weight", 0.0),
        ("baseline_decay", 0.0),
        ("normalise_rewards", False),
    ],
)
def test_a_field_that_is_set_wins_over_its_preset_also_where_it_is_zero_or_false(field: str, value: float) -> None:
    resolved = ReinforceStrategy.model_validate({field: value}).resolved()
    assert getattr(resolved, field) == value
    others = {name: other for name, other in PRESETS[ReinforcePreset.FAST].items() if name != field}
    assert {name: getattr(resolved, name) for name in others} == others


@pytest.mark.parametrize("strategy", [Strategy(), Strategy(random=RandomStrategy())])
def test_resolving_twice_changes_nothing(strategy: Strategy) -> None:
    once = strategy.resolved()
    assert once.resolved() == once
    assert Strategy.model_validate_json(once.model_dump_json(exclude_none=True)) == once

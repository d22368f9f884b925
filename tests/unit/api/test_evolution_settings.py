"""Settings of the evolutions: presets, and what does not fit together."""

import pytest
from pydantic import ValidationError

from archsearch.api.strategies.evolution import RegularizedEvolutionStrategy


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (10, 3, 0)),
        ({"preset": "Paper"}, (100, 25, 0.05)),
        ({"preset": "Paper", "sample": 100, "identityProbability": 0}, (100, 100, 0)),
        ({"population": 3}, (3, 3, 0)),
        ({"population": 1, "sample": 1}, (1, 1, 0)),
    ],
)
def test_presets_fill_in_what_is_left_out(settings: dict[str, object], expected: tuple[int, int, float]) -> None:
    filled = RegularizedEvolutionStrategy.model_validate(settings, strict=False).resolved()
    assert (filled.population, filled.sample, filled.identity_probability) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"population": 5, "sample": 6}, r"6 is not allowed; sample must not be above population \(5\)"),
        ({"population": 2}, r"2 is not allowed; population must not be below sample \(3, of preset Small\)"),
        ({"sample": 11}, r"11 is not allowed; sample must not be above population \(10, of preset Small\)"),
        ({"preset": "Paper", "population": 24}, r"24 is not allowed; .* sample \(25, of preset Paper\)"),
    ],
)
def test_a_sample_larger_than_the_population_is_refused_also_where_a_preset_fills_one_in(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        RegularizedEvolutionStrategy.model_validate(settings, strict=False)

"""Quantities and resources as Kubernetes has them."""

import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from archsearch.api.search import Resources
from archsearch.operator.port import Object

Quantity = int | float | str

_SUFFIXES: Mapping[str, Decimal] = {
    "m": Decimal("0.001"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}


def amount(quantity: Quantity) -> Decimal:
    """The number that a quantity says: ``500m`` is 0.5, ``4Gi`` is 4294967296.

    Raises:
        ValueError: it is not a quantity.
    """
    text = str(quantity)
    suffix = next((end for end in (text[-2:], text[-1:]) if end in _SUFFIXES), "")
    try:
        number = Decimal(text.removesuffix(suffix)) * _SUFFIXES.get(suffix, Decimal(1))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValueError(f"{text!r} is not a quantity: write it as 1, 0.5, 500m or 4Gi")
    return number


def whole(quantity: Quantity) -> int:
    """The next whole number: 2 of ``1500m``."""
    return math.ceil(amount(quantity))


def render(resources: Resources) -> Object:
    """``resources`` of a container; numbers become texts, as the API server would store them."""
    both = {"limits": resources.limits, "requests": resources.requests}
    return {name: {key: _text(values[key]) for key in sorted(values)} for name, values in both.items() if values}


def _text(quantity: Quantity) -> str:
    return quantity if isinstance(quantity, str) else format(Decimal(str(quantity)), "f")

"""``searchSpace.choices``: any named finite decisions, for a table of measured networks or for your own trial image."""

from collections.abc import Sequence
from itertools import pairwise

from archsearch.api.space import Choice
from archsearch.space.base import Architecture, Decision, Edge, Genotype, GenotypeError, Graph, Node
from archsearch.space.product import ProductSpace
from archsearch.space.reading import is_integer, read_kind, read_object, shown

Value = bool | int | float | str


class Choices(ProductSpace):
    """Independent decisions in the order of the manifest, one stage.

    The architecture is ``{"kind": "choices", "values": {name: value, ...}}``; the kind of a decision is its name, for
    two decisions may have equal options and yet different meanings.
    """

    kind = "choices"

    def __init__(self, choices: Sequence[Choice]) -> None:
        """The space that a manifest describes; names must be distinct, as the manifest's model makes sure."""
        decisions = [
            Decision(choice.name, choice.name, choice.values, tuple(range(len(choice.values)))) for choice in choices
        ]
        super().__init__(decisions, {0: len(decisions)})

    def stage(self, index: int) -> int:
        """0: this space does not grow. Raises ValueError: ``index`` is negative."""
        if index < 0:
            raise ValueError(f"child index is {index}; allowed: from 0")
        return 0

    def decode(self, genotype: Sequence[int]) -> Architecture:
        """The architecture of ``genotype``. Raises GenotypeError."""
        self.check(genotype)
        pairs = zip(self.decisions(0), genotype, strict=True)
        return {"kind": self.kind, "values": {decision.name: decision.options[token] for decision, token in pairs}}

    def encode(self, architecture: Architecture) -> Genotype:
        """The genotype of ``architecture``: the exact inverse of :meth:`decode`.

        A value is matched with its type (True is not 1, nor "1"), except that a whole number stands for an equal
        float and the reverse where no option of its own type is equal: JSON writers in other languages turn 1.0 to 1.

        Raises:
            GenotypeError: it is not of this space; the message gives the path, the value and what is allowed.
        """
        values = self._values(architecture)
        return tuple(_token(decision, values[decision.name]) for decision in self.decisions(0))

    def graph(self, architecture: Architecture) -> Graph:
        """A chain of the choices in the order in which they are made. Raises GenotypeError."""
        genotype = self.encode(architecture)
        nodes: list[Node] = []
        for number, (decision, token) in enumerate(zip(self.decisions(0), genotype, strict=True), start=1):
            value = decision.options[token]
            detail = {"name": decision.name, "value": value}
            nodes.append(Node(f"choice{number}", "choice", f"{decision.name} = {value}", detail))
        edges = tuple(Edge(before.id, after.id) for before, after in pairwise(nodes))
        return Graph(tuple(nodes), edges)

    def _values(self, architecture: Architecture) -> dict[str, object]:
        fields = read_object(architecture, ("kind", "values"), "architecture")
        read_kind(fields["kind"], self.kind)
        return read_object(fields["values"], [decision.name for decision in self.decisions(0)], "values")


def _token(decision: Decision, value: object) -> int:
    for same in (_same_type, _same_number):
        for token, option in enumerate(decision.options):
            if same(option, value):
                return token
    allowed = ", ".join(map(repr, decision.options))
    raise GenotypeError(f"values.{decision.name} is {shown(value)}; allowed: {allowed}")


def _same_type(option: Value, value: object) -> bool:
    return type(option) is type(value) and option == value


def _same_number(option: Value, value: object) -> bool:
    return _is_number(option) and _is_number(value) and option == value


def _is_number(value: object) -> bool:
    return is_integer(value) or isinstance(value, float)

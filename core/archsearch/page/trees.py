"""Recurrent cells as trees: which unit stands where and reads what; from a graph, and the LSTM that people use."""

from dataclasses import dataclass

from archsearch.space.base import Graph


@dataclass(frozen=True)
class Unit:
    """A node of the tree: its place, and what it does; ``activation`` None: nothing further."""

    column: float
    """Place from the left, in leaves."""
    row: int
    """From 0, the leaves."""
    combination: str
    activation: str | None


@dataclass(frozen=True)
class Tree:
    """A recurrent cell as it is drawn."""

    units: dict[str, Unit]
    links: tuple[tuple[str, str], ...]
    """From the result of one unit to the combination of another."""
    leaves: tuple[str, ...]
    old_state: tuple[str, ...]
    """Units whose combination reads c[t-1]."""
    new_state: str
    """The unit whose combination gives c[t]."""
    output: str
    """The unit whose result is h[t]."""

    @property
    def rows(self) -> int:
        """Rows of units."""
        return 1 + max(unit.row for unit in self.units.values())


def lstm() -> Tree:
    """The LSTM of Hochreiter and Schmidhuber with forget gate: the cell that people use."""
    gate = {"i": 1, "f": 2, "o": 3.2}
    units = {name: Unit(column, 0, "add", "sigmoid") for name, column in gate.items()}
    units["g"] = Unit(0, 0, "add", "tanh")
    units["write"] = Unit(0.5, 1, "elem_mult", None)
    units["keep"] = Unit(2.2, 1, "elem_mult", None)
    units["state"] = Unit(1.4, 2, "add", "tanh")
    units["out"] = Unit(2.2, 3, "elem_mult", None)
    links = (
        ("g", "write"), ("i", "write"), ("f", "keep"), ("write", "state"), ("keep", "state"), ("state", "out"),
        ("o", "out"),
    )  # fmt: skip
    return Tree(units, links, ("g", "i", "f", "o"), ("keep",), "state", "out")


def tree_of(graph: Graph) -> Tree:
    """The picture of a graph of ``recurrentCell``."""
    nodes = {node.id: node for node in graph.nodes}
    names = [node.id.partition(".")[0] for node in graph.nodes if node.kind == "combination"]
    reads: dict[str, list[str]] = {name: [] for name in names}
    old, new, output = [], "", ""
    for edge in graph.edges:
        source, target = edge.source.partition(".")[0], edge.target.partition(".")[0]
        if edge.target == "nextC":
            new = source
        elif edge.target == "nextH":
            output = source
        elif edge.source == "c":
            old.append(target)
        elif source in reads and source != target:
            reads[target].append(source)
    leaves = tuple(name for name in names if nodes[f"{name}.combination"].detail.get("level") == 0)
    columns: dict[str, float] = {name: place for place, name in enumerate(leaves)}
    rows = dict.fromkeys(leaves, 0)
    for name in names:  # in topological order: what a unit reads has its place
        if name not in columns:
            columns[name] = sum(columns[source] for source in reads[name]) / len(reads[name])
            rows[name] = 1 + max(rows[source] for source in reads[name])
    rows = _level(rows, {name: nodes[f"{name}.combination"].detail.get("level") for name in names})
    units = {
        name: Unit(columns[name], rows[name], nodes[f"{name}.combination"].label, nodes[f"{name}.activation"].label)
        for name in names
    }
    links = tuple((source, name) for name in names for source in reads[name])
    return Tree(units, links, leaves, tuple(old), new, output)


def _level(rows: dict[str, int], levels: dict[str, int | None]) -> dict[str, int]:
    """Rows such that nodes of one level stand at one height; what is between two levels has a row of its own."""
    between = {rows[name] for name, level in levels.items() if level is None}
    return {
        name: rows[name] if level is None else level + sum(row <= level for row in between)
        for name, level in levels.items()
    }

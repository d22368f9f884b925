"""The graphs that the pictures of cells are drawn from."""

from archsearch.space.base import Architecture, Graph, Node
from archsearch.space.cell_network import CELLS, OUTSIDE, Cell, read_cells
from archsearch.space.drawing import joined

_OUTSIDE = ("h[i]", "h[i-1]")
_OUTPUT = "h[i+1]"


def cell_graphs(architecture: Architecture) -> dict[str, Graph]:
    """The graph of each cell: ``normal`` and ``reduction``.

    Nodes: ``input`` (``state0`` is h[i], the output of the previous cell; ``state1`` is h[i-1]; only those that are
    read), for each block two ``operation`` nodes and the ``combination`` node that is its state, ``concat`` (where
    more than one state is concatenated) and ``output`` (h[i+1], the output of the cell).

    Raises:
        GenotypeError: ``architecture`` is no architecture of cells.
    """
    network = read_cells(architecture)
    return {name: _graph(cell) for name, cell in zip(CELLS, (network.normal, network.reduction), strict=True)}


def network_graph(architecture: Architecture) -> Graph:
    """Both cells in one graph, not connected: the ids of :func:`cell_graphs` after ``normal.`` and ``reduction.``.

    Raises:
        GenotypeError: ``architecture`` is no architecture of cells.
    """
    nodes: list[Node] = []
    edges: list[tuple[str, str]] = []
    for name, graph in cell_graphs(architecture).items():
        nodes += [
            Node(f"{name}.{node.id}", node.kind, node.label, {"cell": name, **node.detail}) for node in graph.nodes
        ]
        edges += [(f"{name}.{edge.source}", f"{name}.{edge.target}") for edge in graph.edges]
    return joined(nodes, edges)


def _graph(cell: Cell) -> Graph:
    read = {state for block in cell.blocks for state in block.inputs} | set(cell.concat)
    nodes = [
        Node(_state(state), "input", label, {"state": state}) for state, label in enumerate(_OUTSIDE) if state in read
    ]
    edges: list[tuple[str, str]] = []
    for number, block in enumerate(cell.blocks):
        made = number + OUTSIDE
        for place, (state, operation) in enumerate(zip(block.inputs, block.operations, strict=True), start=1):
            name = f"block{number + 1}.operation{place}"
            nodes.append(Node(name, "operation", operation, {"block": number + 1, "operation": operation}))
            edges += [(_state(state), name), (name, _state(made))]
        detail = {"block": number + 1, "state": made, "combine": block.combine}
        nodes.append(Node(_state(made), "combination", block.combine, detail))
    last = [_state(state) for state in cell.concat]
    if len(last) > 1:
        nodes.append(Node("concat", "concat", "concat", {"states": list(cell.concat)}))
        edges += [(name, "concat") for name in last]
        last = ["concat"]
    nodes.append(Node("output", "output", _OUTPUT))
    edges += [(name, "output") for name in last]
    return joined(nodes, edges)


def _state(state: int) -> str:
    return f"state{state}"

"""A design as a graph: the one form that drawings, motifs and comparisons look at.

Some spaces put operations on nodes, others on edges, whose nodes are sums. A
graph says what it has where; `expanded` gives every operation a node of its
own, so that whoever draws or compares needs one way alone.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

INPUT = "input"
OUTPUT = "output"
CONVOLUTION = "convolution"
MAX_POOLING = "max_pooling"
AVERAGE_POOLING = "average_pooling"
IDENTITY = "identity"
ADD = "add"
CONCAT = "concat"
ZERO = "zero"
ACTIVATION = "activation"
MULTIPLY = "multiply"
KINDS = (
    *(INPUT, OUTPUT, CONVOLUTION, MAX_POOLING, AVERAGE_POOLING, IDENTITY, ADD, CONCAT, ZERO),
    *(ACTIVATION, MULTIPLY),
)
"""What a node, or an operation on an edge, may be."""

LAYER, GIVEN, ENDING = "layer", "given", "ending"
"""What a node between input and output stands for: something that the design does, one more thing
that it is given, or the concatenation or mean of all that goes out of it."""


class Carried(NamedTuple):
    """An operation on an edge.

    Attributes:
        kind: one of `KINDS`.
        label: a short text, such as `conv 3x3`.
        kernel: side of its window in pixels, 0 where there is none.
    """

    kind: str
    label: str
    kernel: int = 0


class Edge(NamedTuple):
    """An edge.

    Attributes:
        source: position of a node.
        target: position of the node that reads it.
        label: of the operation that it carries; empty for none.
    """

    source: int
    target: int
    label: str = ""


@dataclasses.dataclass(frozen=True)
class Node:
    """A node.

    Attributes:
        kind: one of `KINDS`.
        label: a short text.
        kernel: side of its window in pixels, 0 where there is none.
        inputs: positions of the nodes that it reads, with repetitions.
        carried: what the edge from each input carries, None for a plain edge;
            empty where none carries anything.
        width: channels of its output, or None where no filters were given.
        across: columns of its window, where they are not as many as its rows; else 0.
        role: `LAYER`, `GIVEN` or `ENDING`.
        identities: how many of its plain edges are identities that were chosen for them.
    """

    kind: str
    label: str
    kernel: int = 0
    inputs: tuple[int, ...] = ()
    carried: tuple[Carried | None, ...] = ()
    width: int | None = None
    across: int = 0
    role: str = LAYER
    identities: int = 0

    @property
    def window(self) -> tuple[int, int]:
        """Rows and columns of its window, 0 where there is none."""
        return self.kernel, self.across or self.kernel


@dataclasses.dataclass(frozen=True)
class Graph:
    """A design, or a code as it was written.

    Attributes:
        nodes: the first is the input, the last the output; each reads earlier ones.
    """

    nodes: tuple[Node, ...]

    @property
    def layers(self) -> tuple[Node, ...]:
        """The nodes between input and output; layer i, from 1, is node i."""
        return self.nodes[1:-1]

    @property
    def outputs(self) -> tuple[int, ...]:
        """The nodes that the output reads, with repetitions."""
        return self.nodes[-1].inputs

    @property
    def output(self) -> int:
        """Position of the output."""
        return len(self.nodes) - 1

    @property
    def edges(self) -> tuple[Edge, ...]:
        """All edges, by target; those of one target in the order of its inputs."""
        return tuple(
            Edge(source, target, carried.label if carried else "")
            for target, node in enumerate(self.nodes)
            for source, carried in zip(
                node.inputs, node.carried or (None,) * len(node.inputs), strict=True
            )
        )

    @property
    def ends(self) -> list[tuple[int, int]]:
        """Source and target of each edge, in the order of `edges`."""
        return [(edge.source, edge.target) for edge in self.edges]

    @property
    def widths(self) -> tuple[int, ...] | None:
        """Channels of each node's output; None where no filters were given."""
        found = [node.width for node in self.nodes if node.width is not None]
        return tuple(found) if len(found) == len(self.nodes) else None


def expanded(graph: Graph) -> Graph:
    """The same design with a node for each operation that an edge carries.

    Args:
        graph: any; one without operations on edges stays as it is.

    Returns:
        A graph of plain edges. A sum of one tensor is that tensor, so it gets
        no node; a sum of none is a node of kind `zero`.
    """
    if not any(node.carried for node in graph.nodes):
        return graph
    nodes: list[Node] = []
    place: list[int] = []
    for position, node in enumerate(graph.nodes):
        inputs = []
        for source, carried in zip(
            node.inputs, node.carried or (None,) * len(node.inputs), strict=True
        ):
            inputs.append(place[source])
            if carried is not None:
                nodes.append(
                    Node(
                        *(carried.kind, carried.label, carried.kernel, (place[source],)),
                        width=node.width,
                    )
                )
                inputs[-1] = len(nodes) - 1
        if node.kind == ADD and len(inputs) == 1:
            place.append(inputs[0])
            continue
        if node.kind == OUTPUT and len(inputs) > 1:
            # The output of summing nodes is a sum itself.
            nodes.append(Node(ADD, ADD, 0, tuple(sorted(inputs)), width=node.width))
            inputs = [len(nodes) - 1]
        if node.kind in (ADD, OUTPUT) and position and not inputs:
            nodes.append(Node(ZERO, ZERO, width=node.width))
            inputs = [len(nodes) - 1]
            if node.kind == ADD:
                place.append(inputs[0])
                continue
        nodes.append(dataclasses.replace(node, inputs=tuple(sorted(inputs)), carried=()))
        place.append(len(nodes) - 1)
    return Graph(tuple(nodes))


def operations(graph: Graph) -> tuple[Node, ...]:
    """What a design does, for those who count: a drawing has less and more.

    Args:
        graph: as a space gives it, with operations on edges where it has them there.

    Returns:
        The layers, and an identity for each plain edge that one was chosen for. What is given, the
        concatenation or mean of what goes out, and sums of nothing are not among them.
    """
    found = [node for node in expanded(graph).layers if node.role == LAYER and node.inputs]
    chosen = sum(node.identities for node in graph.nodes)
    return (*found, *[Node(IDENTITY, IDENTITY)] * chosen)

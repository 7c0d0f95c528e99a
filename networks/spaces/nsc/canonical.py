"""The canonical form of a block: what a code means, whichever way it was written.

Identity and pooling with a 1x1 window compute nothing, so they dissolve into
their predecessor. What remains is a labelled multigraph with explicit outputs.
Two codes have equal canonical forms if and only if these graphs are
isomorphic; `blockqnn.networks.spaces.nsc.labelling` finds the order that makes this exact.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from typing import NamedTuple

from blockqnn.networks.spaces.nsc.codes import Code, LayerCode, LayerType
from blockqnn.networks.spaces.nsc.labelling import canonical_order


class CanonicalLayer(NamedTuple):
    """A layer that computes something.

    Attributes:
        type: a `LayerType`, never Identity or Terminal.
        kernel: side of the window in pixels; 0 for Add and Concat.
        inputs: nodes that it reads, ascending and with repetitions; 0 is the
            block's input and i the i-th layer. Add(x, x) reads x twice.
    """

    type: int
    kernel: int
    inputs: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class CanonicalBlock:
    """A block in canonical form.

    Attributes:
        layers: in canonical order, which is topological; layer i is node i.
        outputs: nodes that are concatenated into the block's output,
            ascending and with repetitions.
    """

    layers: tuple[CanonicalLayer, ...]
    outputs: tuple[int, ...]

    @property
    def space(self) -> str:
        """Name of the search space."""
        return "nsc"

    @property
    def nodes(self) -> int:
        """Number of nodes: the input, the layers and the output."""
        return len(self.layers) + 2

    @property
    def edges(self) -> int:
        """Number of edges: predecessor links, and one for each output."""
        return sum(len(layer.inputs) for layer in self.layers) + len(self.outputs)

    @property
    def density(self) -> float:
        """Edges over nodes, the density of equation 7 of the paper."""
        return self.edges / self.nodes

    @property
    def leaves(self) -> int:
        """Number of tensors that are concatenated into the output."""
        return len(self.outputs)

    @property
    def convolutions(self) -> int:
        """Number of convolutions."""
        return sum(layer.type == LayerType.CONVOLUTION for layer in self.layers)

    @property
    def emptiness(self) -> str:
        """Why there is nothing to train, for the user; empty where there is something."""
        return "" if self.convolutions else "no convolution"

    @functools.cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that name the block."""
        rows = [(int(layer.type), layer.kernel, layer.inputs) for layer in self.layers]
        text = f"{rows}{self.outputs}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def canonical_form(code: Code) -> CanonicalBlock:
    """Reduces a block to its canonical form.

    Args:
        code: a block as `blockqnn.networks.spaces.nsc.codes` returns it.

    Returns:
        The canonical form; equal for two codes if and only if, once what
        computes nothing has dissolved, they are the same labelled graph.
    """
    return canonical_numbers(code)[0]


def canonical_numbers(code: Code) -> tuple[CanonicalBlock, tuple[int, ...]]:
    """Reduces a block to its canonical form and tells where each layer went.

    Args:
        code: a block as `blockqnn.networks.spaces.nsc.codes` returns it.

    Returns:
        The canonical form, and its node for the input and for each layer of
        the code; for one that computes nothing, the node that it repeats.
    """
    layers, outputs, node_of = _dissolved(code)
    order = canonical_order(
        labels=[(layer.type, layer.kernel) for layer in layers],
        inputs=[layer.inputs for layer in layers],
        outputs=outputs,
    )
    place = {0: 0} | {node: new for new, node in enumerate(order, start=1)}
    block = CanonicalBlock(
        layers=tuple(
            layers[node - 1]._replace(
                inputs=tuple(sorted(place[i] for i in layers[node - 1].inputs))
            )
            for node in order
        ),
        outputs=tuple(sorted(place[node] for node in outputs)),
    )
    return block, tuple(place[node] for node in node_of)


def computes_nothing(layer: LayerCode) -> bool:
    """Whether a layer is Identity or pools over a 1x1 window."""
    pooling = layer.type in (LayerType.MAX_POOLING, LayerType.AVERAGE_POOLING)
    return layer.type == LayerType.IDENTITY or (pooling and layer.kernel == 1)


def dissolve(code: Code) -> tuple[list[CanonicalLayer], list[int]]:
    """Removes what computes nothing, in the order in which the block was written.

    Args:
        code: a block as `blockqnn.networks.spaces.nsc.codes` returns it.

    Returns:
        The layers that remain, layer i being node i and node 0 the input, and
        the nodes that are outputs, with repetitions.
    """
    layers, outputs, _ = _dissolved(code)
    return layers, outputs


def _dissolved(code: Code) -> tuple[list[CanonicalLayer], list[int], list[int]]:
    """As `dissolve`, and the node that stands for the input and for each layer of the code."""
    layers: list[CanonicalLayer] = []
    node_of = [0]
    used: set[int] = set()
    for layer in code[:-1]:
        used.update(layer.predecessors)
        inputs = tuple(node_of[p] for p in layer.predecessors)
        if computes_nothing(layer):
            node_of.append(inputs[0])
        else:
            layers.append(CanonicalLayer(layer.type, layer.kernel, inputs))
            node_of.append(len(layers))
    outputs = [node_of[layer.index] for layer in code[:-1] if layer.index not in used]
    return layers, outputs, node_of

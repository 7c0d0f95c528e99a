"""The canonical form of a block: what a code means, whichever way it was written.

Identity and pooling with a 1x1 window compute nothing, so they dissolve into
their predecessor. A Concat computes nothing either, it names several tensors at
once: whatever concatenates, another Concat or the output, reads these tensors
themselves, each as often as it is named. Only a layer that does not concatenate
needs them as one, so before it a Concat of any number of tensors stays, one for
all readers of the same tensors. Channels have no order. So that chains of Concats
do not become tensors without number, another Concat reads one of more than
`MOST_TENSORS` as a layer.

What remains is a labelled multigraph with explicit outputs. Two codes have equal
canonical forms if and only if these graphs are isomorphic;
`blockqnn.networks.spaces.labelling` finds the order that makes this exact.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
from typing import NamedTuple

from blockqnn.networks.spaces.labelling import canonical_order
from blockqnn.networks.spaces.nsc.codes import Code, LayerCode, LayerType

MOST_TENSORS = 256
"""What a Concat that another one reads may name and still dissolve; random codes of 23 layers
hardly ever have as many."""


class CanonicalLayer(NamedTuple):
    """A layer that computes something.

    Attributes:
        type: a `LayerType`, never Identity or Terminal.
        kernel: side of the window in pixels; 0 for Add and Concat.
        inputs: nodes that it reads, ascending and with repetitions; 0 is the
            block's input and i the i-th layer. Add(x, x) reads x twice. A Concat
            reads two or more.
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
    return _in_order(_written(code))[0]


def former_form(code: Code) -> CanonicalBlock:
    """The form in which versions before store version 4 kept a block: each Concat was a layer.

    Args:
        code: a block as `blockqnn.networks.spaces.nsc.codes` returns it.

    Returns:
        The form, whose hash stands in what these versions wrote, and in whose
        order they kept weights.
    """
    return _in_order(_written(code, concats_stay=True))[0]


def canonical_numbers(code: Code) -> tuple[CanonicalBlock, tuple[int | None, ...]]:
    """Reduces a block to its canonical form and tells where each layer went.

    Args:
        code: a block as `blockqnn.networks.spaces.nsc.codes` returns it.

    Returns:
        The canonical form, and its node for the input and for each layer of
        the code; for one that computes nothing, the node that it repeats, and
        for a Concat None if no layer reads its tensors as one.
    """
    return _in_order(_written(code))


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
    written = _written(code)
    return written.layers, written.outputs


class _Written(NamedTuple):
    """What remains of a block, in the order in which it was written.

    Attributes:
        layers: layer i is node i.
        outputs: nodes, with repetitions.
        nodes: for the input and each layer of the code, as `canonical_numbers` has them.
    """

    layers: list[CanonicalLayer]
    outputs: list[int]
    nodes: list[int | None]


def _written(code: Code, concats_stay: bool = False) -> _Written:
    """Dissolves what computes nothing, and Concats unless each is to stay a layer."""
    layers: list[CanonicalLayer] = []
    concats: dict[tuple[int, ...], int] = {}
    # The nodes whose tensors, concatenated, are the input or what a layer returns.
    tensors: list[tuple[int, ...]] = [(0,)]
    used: set[int] = set()

    def joined(parts: tuple[int, ...]) -> int:
        """The node that is these tensors as one."""
        if len(parts) == 1:
            return parts[0]
        if parts not in concats:
            layers.append(CanonicalLayer(LayerType.CONCAT, 0, parts))
            concats[parts] = len(layers)
        return concats[parts]

    for layer in code[:-1]:
        used.update(layer.predecessors)
        read = [tensors[source] for source in layer.predecessors]
        if computes_nothing(layer):
            tensors.append(read[0])
        elif layer.type == LayerType.CONCAT and not concats_stay:
            few = (parts if len(parts) <= MOST_TENSORS else (joined(parts),) for parts in read)
            tensors.append(tuple(sorted(itertools.chain(*few))))
        else:
            layers.append(CanonicalLayer(layer.type, layer.kernel, tuple(map(joined, read))))
            tensors.append((len(layers),))
    outputs = [n for layer in code[:-1] if layer.index not in used for n in tensors[layer.index]]
    nodes = [parts[0] if len(parts) == 1 else concats.get(parts) for parts in tensors]
    return _Written(layers, outputs, nodes)


def _in_order(written: _Written) -> tuple[CanonicalBlock, tuple[int | None, ...]]:
    """The block with its nodes in canonical order, and where each layer of the code went."""
    layers, outputs, nodes = written
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
    return block, tuple(None if node is None else place[node] for node in nodes)

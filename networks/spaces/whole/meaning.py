"""What codes of whole networks mean, in one canonical form."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from blockqnn.networks.spaces.labelling import canonical_order
from blockqnn.networks.spaces.whole import codes, picture
from blockqnn.networks.spaces.whole.families import ENAS_MACRO, OPERATIONS, Family, LayerOperation

IMAGE = 0
"""What a layer of NAS reads that reads no other."""


class NasLayer(NamedTuple):
    """A layer of NAS's networks: convolution, batch norm, ReLU.

    Attributes:
        height: of its window, in pixels.
        width: of its window, in pixels.
        stride: from row to row.
        stride_across: from column to column.
        filters: as the code says.
        inputs: earlier layers that it reads, from 1, ascending; or `IMAGE` alone.
    """

    height: int
    width: int
    stride: int
    stride_across: int
    filters: int
    inputs: tuple[int, ...]

    @property
    def label(self) -> str:
        """A short text for people, such as `conv 3x7` or `conv 3x7 /2x1`."""
        strides = f" /{self.stride}x{self.stride_across}"
        return f"conv {self.height}x{self.width}{'' if strides == ' /1x1' else strides}"


@dataclasses.dataclass(frozen=True)
class NasNetwork:
    """What a code of NAS means: its layers in canonical order.

    Layers can be exchanged that do not read one another, so the order depends on the graph alone.
    No layer is unseen: what nobody reads goes to the classifier.

    Attributes:
        space: name of the search space.
        layers: of the network.
    """

    space: str
    layers: tuple[NasLayer, ...]

    @property
    def unread(self) -> tuple[int, ...]:
        """The layers that no other reads, from 1, which go to the classifier."""
        read = {each for layer in self.layers for each in layer.inputs}
        return tuple(n for n in range(1, len(self.layers) + 1) if n not in read)

    @property
    def density(self) -> float:
        """Edges over nodes of its graph."""
        graph = picture.nas_graph(self)
        return len(graph.edges) / len(graph.nodes)

    @property
    def emptiness(self) -> str:
        """Empty: every layer is a convolution."""
        return ""

    @functools.cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that name the network."""
        rows = [list(layer) for layer in self.layers]
        return hashlib.sha256(f"{self.space} {rows}".encode()).hexdigest()[:16]


class MacroLayer(NamedTuple):
    """A layer of ENAS's networks.

    Attributes:
        operation: of what the layer before it writes; the first reads the stem.
        skips: further maps that it joins, ascending: 0 for the stem, n for layer n.
    """

    operation: LayerOperation
    skips: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class MacroNetwork:
    """What a code of ENAS means: what it says, since every layer reads the one before it.

    Attributes:
        layers: of the network.
    """

    layers: tuple[MacroLayer, ...]

    @property
    def space(self) -> str:
        """Name of the search space."""
        return ENAS_MACRO.name

    @property
    def density(self) -> float:
        """Edges over nodes of its graph."""
        graph = picture.macro_graph(self)
        return len(graph.edges) / len(graph.nodes)

    @property
    def emptiness(self) -> str:
        """Empty: a 1x1 convolution stands before whatever a layer does."""
        return ""

    @functools.cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that name the network."""
        rows = [[layer.operation.name, list(layer.skips)] for layer in self.layers]
        return hashlib.sha256(f"{self.space} {rows}".encode()).hexdigest()[:16]


def nas_as_written(family: Family, code: Sequence[Sequence[int]]) -> NasNetwork:
    """A code of NAS with its layers in the order in which they were written."""
    return NasNetwork(
        family.name, tuple(_nas_layer(family, e) for e in codes.layers_of(family, code))
    )


def _nas_layer(family: Family, layer: codes.Layer) -> NasLayer:
    said = {
        question.name: int(question.answers[answer])
        for question, answer in zip(family.questions, layer.answers, strict=True)
    }
    inputs = tuple(number for number, bit in enumerate(layer.bits, start=1) if bit)
    return NasLayer(
        *(said["height"], said["width"]),
        *(said.get("stride height", 1), said.get("stride width", 1)),
        *(said["filters"], inputs or (IMAGE,)),
    )


def nas_order(written: NasNetwork) -> tuple[int, ...]:
    """The layers as they were written, from 1, in canonical order."""
    labels = [layer[:-1] for layer in written.layers]
    return canonical_order(labels, [layer.inputs for layer in written.layers], written.unread)


def nas_meaning(written: NasNetwork) -> NasNetwork:
    """What a code of NAS means.

    Args:
        written: its layers as they were written.

    Returns:
        The same for all codes whose layers are the same but for their order.
    """
    order = nas_order(written)
    place = {IMAGE: IMAGE} | {old: new for new, old in enumerate(order, start=1)}
    layers = []
    for old in order:
        layer = written.layers[old - 1]
        layers.append(layer._replace(inputs=tuple(sorted(place[each] for each in layer.inputs))))
    return NasNetwork(written.space, tuple(layers))


def macro_meaning(code: Sequence[Sequence[int]]) -> MacroNetwork:
    """What a code of ENAS means."""
    return MacroNetwork(
        tuple(
            MacroLayer(OPERATIONS[answer], tuple(m for m, bit in enumerate(bits) if bit))
            for (answer,), bits in codes.layers_of(ENAS_MACRO, code)
        )
    )

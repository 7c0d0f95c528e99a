"""What codes of recurrent cells mean, in one canonical form."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from blockqnn.networks.spaces.labelling import canonical_order
from blockqnn.networks.spaces.recurrent import codes, picture
from blockqnn.networks.spaces.recurrent.families import (
    COMBINED,
    DESIGNED,
    TREE,
    TREE_FUNCTIONS,
    Family,
    tree_inputs,
)


class CellNode(NamedTuple):
    """A node of a cell.

    Attributes:
        function: by name.
        inputs: numbers of the nodes that it reads; none of a node that reads x and h.
        combination: of what it reads, `add` or `mul`; empty where there is nothing to combine.
    """

    function: str
    inputs: tuple[int, ...]
    combination: str = ""


class Memory(NamedTuple):
    """The memory of a tree.

    Attributes:
        combination: of a node's value with the last memory.
        function: of what comes of it.
        written: the node whose value before its function is the next memory.
        read: the node into which the last memory goes.
    """

    combination: str
    function: str
    written: int
    read: int


@dataclasses.dataclass(frozen=True)
class CellDesign:
    """What a code means: the nodes of a cell in canonical order.

    Attributes:
        space: name of the search space.
        nodes: from 0 on; each reads earlier ones. None of a cell that people designed.
        memory: of a tree; None of other cells.
        known: name of a cell that people designed; else empty.
    """

    space: str
    nodes: tuple[CellNode, ...]
    memory: Memory | None = None
    known: str = ""

    @property
    def unread(self) -> tuple[int, ...]:
        """The nodes that no other reads."""
        read = {each for node in self.nodes for each in node.inputs}
        return tuple(number for number in range(len(self.nodes)) if number not in read)

    @property
    def density(self) -> float:
        """Edges over nodes of its graph."""
        graph = picture.cell_graph(self)
        return len(graph.edges) / len(graph.nodes)

    @property
    def emptiness(self) -> str:
        """Empty: every cell reads the word and the state."""
        return ""

    @functools.cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that name the cell."""
        rows = [list(node) for node in self.nodes]
        memory = self.memory and list(self.memory)
        text = f"{self.space} {rows} {memory} {self.known}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def as_written(family: Family, code: Sequence[Sequence[int]]) -> CellDesign:
    """A code with its nodes in the order in which they were written."""
    words = codes.words_of(family, code)
    if family is DESIGNED:
        return CellDesign(family.name, (), known=words[0])
    if family is TREE:
        return _tree(words)
    pairs = list(zip(words[::2], words[1::2], strict=True))
    if family.questions(1)[0].node == 1:
        # The first node is no decision: tanh of the input and the state.
        pairs = [("input", "tanh"), *pairs]
    return CellDesign(
        family.name,
        tuple(
            CellNode(function, (int(source),) if source.isdecimal() else ())
            for source, function in pairs
        ),
    )


def _tree(words: Sequence[str]) -> CellDesign:
    inputs = tree_inputs((len(words) // 2) // 2)
    nodes = tuple(
        CellNode(function, read, combination)
        for combination, function, read in zip(
            words[: 2 * len(inputs) : 2], words[1 : 2 * len(inputs) : 2], inputs, strict=True
        )
    )
    combination, function, written, read = words[2 * len(inputs) :]
    return CellDesign(TREE.name, nodes, Memory(combination, function, int(written), int(read)))


def order_of(written: CellDesign) -> tuple[int, ...]:
    """The nodes as they were written, in canonical order."""
    if not written.nodes:
        return ()
    labels = []
    for number, node in enumerate(written.nodes):
        place = TREE_FUNCTIONS.index(node.function)
        combined = COMBINED.index(node.combination) if node.combination else 0
        memory = written.memory
        marks = (0, 0)
        if memory is not None:
            marks = int(number == memory.written), int(number == memory.read)
        labels.append((combined, place, *marks))
    inputs = [tuple(each + 1 for each in node.inputs) or (0,) for node in written.nodes]
    outputs = [number + 1 for number in written.unread]
    order = canonical_order(labels, inputs, outputs)
    return tuple(number - 1 for number in order)


def meaning(written: CellDesign) -> CellDesign:
    """What a code means.

    Args:
        written: its nodes as they were written.

    Returns:
        The same for all codes whose nodes are the same but for their order: weights are drawn
        node by node, so that these are one network to the last weight.
    """
    order = order_of(written)
    place = {old: new for new, old in enumerate(order)}
    nodes = tuple(
        written.nodes[old]._replace(
            inputs=tuple(sorted(place[each] for each in written.nodes[old].inputs))
        )
        for old in order
    )
    memory = written.memory
    if memory is not None:
        memory = memory._replace(written=place[memory.written], read=place[memory.read])
    return dataclasses.replace(written, nodes=nodes, memory=memory)

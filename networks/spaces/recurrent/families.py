"""The families of recurrent cells: what is decided for each, a row of a table.

- NAS: Zoph and Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017
  (arXiv 1611.01578), section 3.4: a tree over eight leaves, and a memory.
- ENAS: Pham et al., "Efficient Neural Architecture Search via Parameter Sharing", ICML 2018
  (arXiv 1802.03268), section 2.1: nodes with one predecessor and a function.
- DARTS: Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search", ICLR 2019
  (arXiv 1806.09055), section 3.1.2 and appendix A.1.2: the same behind a fixed first node.
- Cells that people designed, as rivals.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

SOURCE, FUNCTION, COMBINATION, CELL = "source", "function", "combination", "cell"
WRITTEN, READ = "memory from", "memory into"
"""Kinds of questions; those of a place in the cell are answered by the number of a node."""
POINTING = (SOURCE, WRITTEN, READ)


class Question(NamedTuple):
    """What is decided once.

    Attributes:
        kind: of the question.
        node: that it is about, from 0; the memory of a tree comes after its nodes.
        answers: in words, by number.
        memory: whether it is about the memory.
    """

    kind: str
    node: int
    answers: tuple[str, ...]
    memory: bool = False


@dataclasses.dataclass(frozen=True)
class Family:
    """A search space of recurrent cells.

    Attributes:
        name: of the space.
        title: what it designs, as a phrase.
        number: tells its codes from those of other families.
        usual: size of a cell, unless another is asked for: nodes, or leaves of a tree.
        grows: whether another size can be asked for.
        asked: from a size to the questions in order.
        rules: which nodes a cell writes the mean of, the usual rule first.
        example: a code as text.
    """

    name: str
    title: str
    number: int
    usual: int
    grows: bool
    asked: Callable[[int], tuple[Question, ...]]
    rules: tuple[str, ...]
    example: str

    def questions(self, size: int) -> tuple[Question, ...]:
        """What is decided of a cell of a size, in order."""
        return _questions(self, size)

    def size_of(self, decisions: int) -> int:
        """The size of a cell of so many decisions; 0 if they make up none."""
        for size in range(1, MOST_NODES + 1) if self.grows else (self.usual,):
            count = len(self.questions(size))
            if count >= decisions:
                return size if count == decisions else 0
        return 0

    @property
    def most_answers(self) -> int:
        """Of any question of any code that is read."""
        most = MOST_NODES if self.grows else self.usual
        return max(len(question.answers) for question in self.questions(most))


MOST_NODES = 64
"""Of a code that is read: more than any paper has."""

COMBINED = ("add", "mul")
TREE_FUNCTIONS = ("identity", "tanh", "sigmoid", "relu")
DARTS_FUNCTIONS = ("tanh", "relu", "sigmoid", "identity")
ENAS_FUNCTIONS = ("tanh", "relu", "identity", "sigmoid")

ALL_NODES, UNREAD_NODES = "all_nodes", "unread_nodes"
"""A cell writes the mean of all nodes but the first, or of those that no other reads."""


def _tree(leaves: int) -> tuple[Question, ...]:
    """For each node a combination and a function, then the memory's, and its two places."""
    nodes = 2 * leaves - 1
    numbers = tuple(map(str, range(nodes)))
    found = []
    for node in range(nodes + 1):
        found += [
            Question(COMBINATION, node, COMBINED, node == nodes),
            Question(FUNCTION, node, TREE_FUNCTIONS, node == nodes),
        ]
    found += [Question(kind, nodes, numbers, memory=True) for kind in (WRITTEN, READ)]
    return tuple(found)


def _chosen_sources(
    functions: tuple[str, ...], first: bool
) -> Callable[[int], tuple[Question, ...]]:
    """For each node an earlier one and a function; of the first node a function, or nothing."""

    def asked(nodes: int) -> tuple[Question, ...]:
        """The questions of a cell of so many nodes."""
        found = []
        if first:
            found += [
                Question(SOURCE, 0, ("input",)),
                Question(FUNCTION, 0, functions),
            ]
        for node in range(1, nodes + 1 - first):
            sources = tuple(map(str, range(node)))
            found += [Question(SOURCE, node, sources), Question(FUNCTION, node, functions)]
        return tuple(found)

    return asked


def tree_inputs(leaves: int) -> tuple[tuple[int, ...], ...]:
    """Which nodes each node of a tree reads: none for leaves, then pairs in order."""
    row, found = list(range(leaves)), [()] * leaves
    inputs: list[tuple[int, ...]] = list(found)
    while len(row) > 1:
        pairs = list(zip(row[::2], row[1::2], strict=True))
        row = list(range(len(inputs), len(inputs) + len(pairs)))
        inputs += pairs
    return tuple(inputs)


TREE = Family(
    name="nas_cell",
    title="recurrent cells of NAS, a tree over eight leaves",
    number=11,
    usual=8,
    grows=False,
    asked=_tree,
    rules=(),
    example=(
        "nas_cell 0:(add,sigmoid) 1:(add,relu) 2:(add,sigmoid) 3:(mul,relu) 4:(add,tanh) "
        "5:(add,sigmoid) 6:(add,tanh) 7:(add,sigmoid) 8:(mul,tanh) 9:(add,tanh) 10:(mul,tanh) "
        "11:(add,sigmoid) 12:(mul,identity) 13:(add,tanh) 14:(mul,tanh) c:(add,tanh;12,8)"
    ),
)
ENAS = Family(
    name="enas_cell",
    title="recurrent cells of ENAS, nodes that read one earlier node each",
    number=12,
    usual=12,
    grows=True,
    asked=_chosen_sources(ENAS_FUNCTIONS, first=True),
    rules=(ALL_NODES, UNREAD_NODES),
    example="enas_cell tanh(input) tanh(0) relu(1) sigmoid(1)",
)
DARTS = Family(
    name="darts_cell",
    title="recurrent cells of DARTS, eight nodes behind a first one",
    number=13,
    usual=8,
    grows=True,
    asked=_chosen_sources(DARTS_FUNCTIONS, first=False),
    rules=(ALL_NODES,),
    example="darts_cell relu(0) relu(1) tanh(2) identity(1)",
)
DESIGNED = Family(
    name="known_cell",
    title="recurrent cells that people designed",
    number=14,
    usual=1,
    grows=False,
    asked=lambda size: (Question(CELL, 0, ("lstm", "gru", "elman")),),
    rules=(),
    example="known_cell lstm",
)

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {family.name: family for family in (TREE, ENAS, DARTS, DESIGNED)}
)
"""Name to family."""

PUBLISHED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        TREE.name: {"nas-cell": TREE.example},
        ENAS.name: {
            "enas-rnn": (
                "enas_cell tanh(input) tanh(0) tanh(1) relu(1) tanh(3) tanh(3) relu(3) relu(4) "
                "relu(7) relu(8) relu(8) relu(8)"
            )
        },
        DARTS.name: {
            "darts-rnn-v1": (
                "darts_cell relu(0) relu(1) tanh(2) relu(3) relu(4) identity(1) relu(5) relu(1)"
            ),
            "darts-rnn-v2": (
                "darts_cell sigmoid(0) relu(1) relu(1) identity(1) tanh(2) sigmoid(5) tanh(3) "
                "relu(5)"
            ),
        },
        DESIGNED.name: {"lstm": "known_cell lstm", "gru": "known_cell gru"},
    }
)
"""Cells that papers print, by family and name."""


@functools.cache
def _questions(family: Family, size: int) -> tuple[Question, ...]:
    return family.asked(size)

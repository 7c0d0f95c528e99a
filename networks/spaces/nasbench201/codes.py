"""The codes of NAS-Bench-201's cells: reading, checking and writing them.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural
Architecture Search", ICLR 2020, section 2.1. A cell has four nodes; each of
the six edges from an earlier node to a later one carries one of five
operations, and a node is the sum of what its edges bring.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from blockqnn.networks.spaces.contract import CodeError

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""What an edge may carry, by its number in a code."""
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""Source and target node of each edge, in the order of decisions and of the text form."""
NODES = 4

NONE, SKIP, CONVOLUTION_1X1, CONVOLUTION_3X3, POOLING = range(len(OPERATIONS))


class EdgeOperation(NamedTuple):
    """A decision.

    Attributes:
        edge: from 1 to 6; 0 stands for no decision yet.
        operation: a position in `OPERATIONS`.
    """

    edge: int
    operation: int


CellCode = tuple[EdgeOperation, ...]
"""A cell: one decision for each edge, in order."""

START = EdgeOperation(0, 0)
"""The state before the first decision."""


def check_cell(rows: Iterable[Sequence[int]]) -> CellCode:
    """Checks decisions that make up a cell.

    Args:
        rows: pairs of an edge, from 1 to 6, and an operation, from 0 to 4.

    Returns:
        The cell.

    Raises:
        CodeError: if they do not make up one.
    """
    code = []
    for position, row in enumerate(rows, start=1):
        if len(row) != 2 or position > len(EDGES) or row[0] != position:
            raise CodeError(
                f"Edge {position}: a cell is six pairs (edge,operation) with edges counting up "
                f"from 1 to {len(EDGES)}, given {tuple(row)}."
            )
        if row[1] not in range(len(OPERATIONS)):
            allowed = ", ".join(f"{i} ({name})" for i, name in enumerate(OPERATIONS))
            raise CodeError(f"Edge {position}: operation is {row[1]}; allowed: {allowed}.")
        code.append(EdgeOperation(int(row[0]), int(row[1])))
    if len(code) != len(EDGES):
        raise CodeError(f"A cell has {len(EDGES)} edges, given {len(code)}.")
    return tuple(code)


_TEXT = re.compile(r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|", re.ASCII)


def parse_cell(text: str) -> CellCode:
    """Reads a cell in the text form of the benchmark.

    Args:
        text: such as `|none~0|+|none~0|none~1|+|none~0|none~1|none~2|`, which
            names the operations of the edges into each node, and their sources.

    Returns:
        The cell.

    Raises:
        CodeError: if the text is no cell.
    """
    match = _TEXT.fullmatch(text.strip())
    names = match.groups() if match else ()
    unknown = [name for name in names if name not in OPERATIONS]
    if match is None or unknown:
        given = repr(unknown[0]) if unknown else repr(text[:120])
        raise CodeError(
            f"A cell is written |OP~0|+|OP~0|OP~1|+|OP~0|OP~1|OP~2| with OP one of "
            f"{', '.join(OPERATIONS)}; given: {given}."
        )
    return tuple(EdgeOperation(i, OPERATIONS.index(name)) for i, name in enumerate(names, start=1))


def write_cell(code: CellCode) -> str:
    """The text form of the benchmark."""
    nodes: list[str] = []
    for target in range(1, NODES):
        parts = [
            f"{OPERATIONS[operation]}~{EDGES[edge - 1][0]}"
            for edge, operation in code
            if EDGES[edge - 1][1] == target
        ]
        nodes.append(f"|{'|'.join(parts)}|")
    return "+".join(nodes)


def parse_prefix(text: str) -> CellCode:
    """Reads the first decisions of a cell.

    Args:
        text: operations in the order of the edges with commas between them,
            such as `nor_conv_3x3,none`; or nothing. The text of a cell whose
            last edges are left out does as well.

    Returns:
        The decisions, five at most.

    Raises:
        CodeError: if no cell begins like this.
    """
    names = re.findall(r"[^\s,|+~]+(?=~)|[^\s,|+~]+(?!~)", re.sub(r"~[0-9]", "~", text))
    unknown = [name for name in names if name not in OPERATIONS]
    if unknown or len(names) >= len(EDGES):
        given = f"{unknown[0]!r}" if unknown else f"{len(names)} of them"
        raise CodeError(
            f"A cell begins with at most {len(EDGES) - 1} operations with commas between them, "
            f"each one of {', '.join(OPERATIONS)}; given: {given}."
        )
    return tuple(EdgeOperation(i, OPERATIONS.index(name)) for i, name in enumerate(names, start=1))


def write_prefix(actions: Iterable[Sequence[int]]) -> str:
    """The text form of the first decisions of a cell, which `parse_prefix` reads."""
    return ",".join(OPERATIONS[operation] for _, operation in actions)


@dataclasses.dataclass(frozen=True)
class Cell:
    """What a cell means.

    Attributes:
        code: its six decisions.
    """

    code: CellCode

    @property
    def space(self) -> str:
        """Name of the search space."""
        return "nasbench201"

    @property
    def density(self) -> float:
        """Edges that carry something over nodes."""
        return sum(operation != NONE for _, operation in self.code) / NODES

    @property
    def emptiness(self) -> str:
        """Why there is nothing to train, for the user; empty where there is something."""
        return "" if self.density else "no operation"

    @functools.cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that name the cell."""
        return hashlib.sha256(write_cell(self.code).encode()).hexdigest()[:16]

"""Drawings of blocks as text: a line for each layer, and a column for each tensor in use.

A layer stands in the column of the tensor that it writes. Its line is joined
to the columns of the tensors that it reads, and crosses the others; a column
ends where its tensor is read for the last time.
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping
from typing import TextIO

from blockqnn.drawing.labels import width_text
from blockqnn.drawing.palette import ADDED, REMOVED
from blockqnn.networks.graph import Graph, expanded


@dataclasses.dataclass(frozen=True)
class Strokes:
    """The characters of a drawing.

    Attributes:
        column: a tensor that is in use.
        line: between a layer and what it reads.
        goes_on: a tensor that is read and still in use, by whether the line
            has something to the left and to the right of it.
        ends: a tensor that is read for the last time, likewise.
        nodes: the sign of each kind of layer.
    """

    column: str
    line: str
    goes_on: Mapping[tuple[bool, bool], str]
    ends: Mapping[tuple[bool, bool], str]
    nodes: Mapping[str, str]


_LEFT, _BOTH, _RIGHT = (True, False), (True, True), (False, True)
_KINDS = (
    *("input", "convolution", "max_pooling", "average_pooling"),
    *("identity", "add", "concat", "zero", "output", "activation", "multiply"),
)
BOX_DRAWING = Strokes(
    "│",
    "─",
    {_LEFT: "┤", _BOTH: "┼", _RIGHT: "├"},
    {_LEFT: "╯", _BOTH: "┴", _RIGHT: "╰"},
    dict(zip(_KINDS, "●■▼▽○⊕⊞∅●◆⊗", strict=True)),
)
ASCII = Strokes(
    "|",
    "-",
    {_LEFT: "+", _BOTH: "+", _RIGHT: "+"},
    {_LEFT: "'", _BOTH: "'", _RIGHT: "'"},
    dict.fromkeys(_KINDS, "*"),
)
_ANSI = {
    "convolution": "38;5;32",
    "max_pooling": "38;5;172",
    "average_pooling": "38;5;142",
    "add": "38;5;169",
    "concat": "38;5;36",
    REMOVED: "1;38;5;160",
    ADDED: "1;38;5;34",
}
"""Codes of colours that are neither too dark for a black ground nor too light for a white one."""


def in_text(
    graph: Graph,
    colour: bool = False,
    strokes: Strokes = BOX_DRAWING,
    marks: Mapping[int, str] | None = None,
) -> str:
    """Draws a block as text.

    Args:
        graph: of a code or a design; where it has widths, they are shown.
        colour: whether to colour the layers by ANSI codes.
        strokes: the characters to draw with.
        marks: keys of `palette.MARKS` by node, where this is one of two blocks
            that are compared.

    Returns:
        Lines without a line break after the last; a block of 23 layers keeps
        within 80 columns.
    """
    graph = expanded(graph)
    channels = graph.widths
    names = [node.label for node in graph.nodes]
    rows = [
        _row(line, node.kind, strokes, colour)
        for line, node in zip(_lines(graph), graph.nodes, strict=True)
    ]
    columns = max(length for _, length in rows)
    digits = len(str(len(graph.layers)))
    label_width = max(map(len, names))
    lines = []
    for node, (row, length) in enumerate(rows):
        number = str(node) if 0 < node < graph.output else ""
        text = f"{row}{' ' * (columns - length)} "
        if marks is not None:
            text += _sign(marks.get(node, ""), colour)
        text += f" {number:>{digits}}  {names[node]:{label_width}}"
        if channels is not None:
            text += f"  {width_text(channels[node]):>6}"
        lines.append((text + _repeated(graph, node)).rstrip())
    return "\n".join(lines)


def _sign(mark: str, colour: bool) -> str:
    if not mark:
        return " "
    sign = {REMOVED: "-", ADDED: "+"}[mark]
    return f"\033[{_ANSI[mark]}m{sign}\033[0m" if colour else sign


def _repeated(graph: Graph, node: int) -> str:
    """What a node reads more than once, which its line cannot show."""
    inputs = Counter(graph.nodes[node].inputs)
    texts = [
        f"{f'layer {source}' if source else 'the input'} "
        + ("twice" if count == 2 else f"{count} times")
        for source, count in inputs.items()
        if count > 1
    ]
    return f"  (reads {', '.join(texts)})" if texts else ""


def for_stream(
    graph: Graph,
    stream: TextIO,
    marks: Mapping[int, str] | None = None,
) -> str:
    """Draws a block for where it is to be printed.

    Args:
        graph: of a code or a design; where it has widths, they are shown.
        stream: whose encoding says which characters can be used, and which
            gets colours if it is a terminal and NO_COLOR is not set.
        marks: keys of `palette.MARKS` by node, for one of two blocks.

    Returns:
        Lines without a line break after the last.
    """
    terminal = stream.isatty() and not os.environ.get("NO_COLOR")
    colour = terminal and os.environ.get("TERM") != "dumb"
    strokes = BOX_DRAWING if _can_write(stream) else ASCII
    return in_text(graph, colour, strokes, marks)


def _can_write(stream: TextIO) -> bool:
    characters = [BOX_DRAWING.column, BOX_DRAWING.line, *BOX_DRAWING.nodes.values()]
    characters += [*BOX_DRAWING.goes_on.values(), *BOX_DRAWING.ends.values()]
    try:
        "".join(characters).encode(stream.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


@dataclasses.dataclass(frozen=True)
class _Line:
    """Which columns a layer's line meets: its own, those in use, those read, those that end."""

    own: int
    used: frozenset[int]
    read: frozenset[int]
    ended: frozenset[int]


def _lines(graph: Graph) -> list[_Line]:
    unread = Counter(source for source, _ in graph.ends)
    columns: dict[int, int] = {}
    lines = []
    for node, inputs in enumerate(each.inputs for each in graph.nodes):
        unread.subtract(inputs)
        read = {columns[source] for source in inputs}
        used = frozenset(columns.values())
        ended = {columns.pop(source) for source in set(inputs) if not unread[source]}
        # A layer takes the place of a tensor that ends with it, or else the first that is free.
        free = min(set(range(len(used) + 1)) - used)
        own = min(ended, default=free)
        columns[node] = own
        lines.append(_Line(own, used, frozenset(read - {own}), frozenset(ended - {own})))
    return lines


def _row(line: _Line, kind: str, strokes: Strokes, colour: bool) -> tuple[str, int]:
    """The columns of one line, and how many characters they show."""
    joined = line.read | {line.own}
    first, last = min(joined), max(joined)
    size = max({*line.used, line.own}) + 1
    characters = []
    for column in range(size):
        if column:
            characters.append(strokes.line if first < column <= last else " ")
        sides = (column > first, column < last)
        if column == line.own:
            sign = strokes.nodes[kind]
            ansi = _ANSI.get(kind) if colour else None
            characters.append(f"\033[{ansi}m{sign}\033[0m" if ansi else sign)
        elif column in line.ended:
            characters.append(strokes.ends[sides])
        elif column in line.read:
            characters.append(strokes.goes_on[sides])
        elif column in line.used:
            characters.append(strokes.column)
        else:
            characters.append(strokes.line if first < column < last else " ")
    return "".join(characters), 2 * size - 1

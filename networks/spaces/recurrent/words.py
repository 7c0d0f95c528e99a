"""Recurrent cells in words, a line for each node."""

from __future__ import annotations

from blockqnn.networks.spaces.recurrent.meaning import CellDesign, CellNode

_KNOWN = {
    "lstm": "Hochreiter and Schmidhuber, 1997, with forget gates (Gers et al., 2000)",
    "gru": "Cho et al., 2014, the state reset after its product",
    "elman": "Elman, 1990: tanh of the input and the state",
}


def in_words(written: CellDesign, design: CellDesign) -> tuple[list[str], list[str]]:
    """A cell for people.

    Args:
        written: its nodes as they were written.
        design: what they mean.

    Returns:
        Lines on its nodes, and lines on what they mean.
    """
    if written.known:
        lines = [f"  {_KNOWN[written.known]}"]
    else:
        lines = [_line(number, node) for number, node in enumerate(written.nodes)]
    memory = written.memory
    if memory is not None:
        lines.append(
            f"  memory   {memory.combination}, {memory.function}: the last one goes into node "
            f"{memory.read}, the next one is node {memory.written} before its function"
        )
    elif written.nodes:
        lines.append("  out      the mean of the nodes that the rules name")
    return lines, [f"hash {design.hash}, density {design.density:.3f}"]


def _line(number: int, node: CellNode) -> str:
    what = f"{node.combination}, {node.function}" if node.combination else node.function
    read = " and ".join(map(str, node.inputs))
    reads = f"reads {read}" if node.inputs else "reads the word and the state"
    return f"  node {number:<3} {what:14} {reads}"

"""Recurrent cells placed in the plan of a language model."""

from __future__ import annotations

from collections.abc import Callable

from blockqnn.networks.operations.recurrent import (
    ACTIVATIONS,
    COMBINATIONS,
    HIGHWAYS,
    Recurrent,
)
from blockqnn.networks.recurrent.placing import CellBuilder
from blockqnn.networks.spaces.recurrent.families import ENAS, UNREAD_NODES
from blockqnn.networks.spaces.recurrent.meaning import CellDesign, CellNode

STATE, MEMORY = "h", "c"
"""Names of what cells leave for the next word."""


def place_cell(cell: CellBuilder, design: CellDesign, rules: str = "") -> int:
    """Places a cell.

    Args:
        cell: begun.
        design: of the cell.
        rules: which nodes a cell of ENAS or DARTS writes the mean of.

    Returns:
        The position of the vector that it writes.
    """
    if design.known:
        return _DESIGNED[design.known](cell)
    if design.memory is not None:
        return _tree(cell, design)
    return _highways(cell, design, rules)


def begin_highways(cell: CellBuilder) -> tuple[int, int]:
    """Places what the first node of a cell of ENAS or DARTS reads: `[x, h] W_0`, and h."""
    state = cell.state(STATE)
    of_input = cell.product("node0/of_input", cell.input, 2)
    of_state = cell.product("node0/of_state", cell.dropped("state", state), 2)
    return cell.place("node0/sum", Recurrent.ADD, (of_input, of_state)), state


def end_highways(cell: CellBuilder, out: int) -> int:
    """Leaves what a cell writes for the next word, and returns it."""
    cell.keep(STATE, out)
    return out


def product_name(space: str, cell: str, number: int, node: CellNode) -> str:
    """The name by which designs share the matrix of a node.

    In ENAS there is one for each node, node that it reads, and function; in DARTS one for each
    node: both as in the authors' code.

    Args:
        space: of the designs, by name.
        cell: name of the cell in the network.
        number: of the node.
        node: the node.

    Returns:
        The name; empty for that of the layer.
    """
    if space == ENAS.name:
        return f"{cell}/node{number}<-{node.inputs[0]}/{node.function}"
    return ""


def _highways(cell: CellBuilder, design: CellDesign, rules: str) -> int:
    """`s_l = s_p + sigmoid(c) (f(g) - s_p)`, with `(c, g) = s_p W_l`, section 3.1.2 of DARTS."""
    both, state = begin_highways(cell)
    values = [cell.place("node0", HIGHWAYS[design.nodes[0].function], (both, state))]
    dropped: dict[int, int] = {}
    for number, node in enumerate(design.nodes[1:], start=1):
        (source,) = node.inputs
        if source not in dropped:
            dropped[source] = cell.dropped(f"node{source}/dropped", values[source])
        shared = product_name(design.space, cell.name, number, node)
        both = cell.product(f"node{number}/product", dropped[source], 2, shared)
        values.append(cell.place(f"node{number}", HIGHWAYS[node.function], (both, values[source])))
    chosen = design.unread if rules == UNREAD_NODES else range(1, len(values))
    read = tuple(values[number] for number in chosen) or (values[0],)
    return end_highways(cell, cell.place("mean", Recurrent.MEAN, read))


def _tree(cell: CellBuilder, design: CellDesign) -> int:
    """Section 3.4 of the NAS paper; `C_t` is the value of a node before its function."""
    memory = design.memory
    assert memory is not None
    state, last = cell.state(STATE), cell.state(MEMORY)
    dropped = cell.dropped("state", state)
    values: list[int] = []
    kept = 0
    for number, node in enumerate(design.nodes):
        name = f"node{number}"
        inputs = tuple(values[each] for each in node.inputs)
        if not inputs:
            inputs = (
                cell.product(f"{name}/of_input", cell.input),
                cell.product(f"{name}/of_state", dropped),
            )
        combined = cell.place(f"{name}/combined", COMBINATIONS[node.combination], inputs)
        value = cell.place(name, ACTIVATIONS[node.function], (combined,))
        if number == memory.written:
            kept = combined
        if number == memory.read:
            merged = cell.place("memory/merged", COMBINATIONS[memory.combination], (value, last))
            value = cell.place("memory", ACTIVATIONS[memory.function], (merged,))
        values.append(value)
    cell.keep(MEMORY, kept)
    cell.keep(STATE, values[-1])
    return values[-1]


def _lstm(cell: CellBuilder) -> int:
    state, last = cell.state(STATE), cell.state(MEMORY)
    of_input = cell.affine("of_input", cell.input, 4)
    of_state = cell.product("of_state", cell.dropped("state", state), 4)
    gates = cell.place("gates", Recurrent.ADD, (of_input, of_state))
    memory = cell.place("memory", Recurrent.LSTM_MEMORY, (gates, last))
    out = cell.place("out", Recurrent.LSTM_OUTPUT, (gates, memory))
    cell.keep(MEMORY, memory)
    cell.keep(STATE, out)
    return out


def _gru(cell: CellBuilder) -> int:
    state = cell.state(STATE)
    of_input = cell.affine("of_input", cell.input, 3)
    of_state = cell.affine("of_state", cell.dropped("state", state), 3)
    out = cell.place("out", Recurrent.GRU_STATE, (of_input, of_state, state))
    cell.keep(STATE, out)
    return out


def _elman(cell: CellBuilder) -> int:
    state = cell.state(STATE)
    of_input = cell.affine("of_input", cell.input)
    of_state = cell.product("of_state", cell.dropped("state", state))
    both = cell.place("sum", Recurrent.ADD, (of_input, of_state))
    out = cell.place("out", ACTIVATIONS["tanh"], (both,))
    cell.keep(STATE, out)
    return out


_DESIGNED: dict[str, Callable[[CellBuilder], int]] = {"lstm": _lstm, "gru": _gru, "elman": _elman}
"""Cells that people designed, by name: Hochreiter and Schmidhuber, 1997, with forget gates; Cho
et al., 2014; Elman, 1990."""

"""The codes of cells of pairs: decisions, what they mean, and their text forms.

The decisions of a node follow one another: the state that its first half reads, that of the
second, the operation on the first, on the second, and how to combine them where a family
leaves that open. Normal cell first, then the reduction cell. Published networks list the
states that go out where those are not what the family's rule says; such a list follows the
decisions, as one number a cell whose bits are states.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from blockqnn.networks.spaces.action_list import Field
from blockqnn.networks.spaces.contract import CodeError
from blockqnn.networks.spaces.pairs.families import (
    ADD,
    INPUTS,
    OPERATIONS,
    CellOperation,
    Family,
    Outputs,
)

FIRST, SECOND, FIRST_OPERATION, SECOND_OPERATION, COMBINATION = range(5)
"""The decisions of a node, in order."""


class Decision(NamedTuple):
    """A decision.

    Attributes:
        position: from 1; 0 stands for no decision yet.
        family: number of the family.
        value: a state, an operation, a combination, or the bits of a list of outputs.
    """

    position: int
    family: int
    value: int


PairCode = tuple[Decision, ...]
"""One or two cells: all decisions in order, perhaps with the states that go out."""


class Pair(NamedTuple):
    """A node.

    Attributes:
        first: state that the first half reads.
        first_operation: what it does to it.
        second: state that the second half reads.
        second_operation: what it does to it.
        combination: how their results are combined, `ADD` or another.
    """

    first: int
    first_operation: CellOperation
    second: int
    second_operation: CellOperation
    combination: int

    @property
    def halves(self) -> tuple[tuple[int, CellOperation], tuple[int, CellOperation]]:
        """State and operation of each half."""
        return (self.first, self.first_operation), (self.second, self.second_operation)


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        name: `normal` or `reduction`.
        nodes: its nodes, whose states follow those of the inputs.
        outputs: states that go out, ascending.
        inputs: how many maps it reads.
        apart: whether what goes out is not concatenated.
    """

    name: str
    nodes: tuple[Pair, ...]
    outputs: tuple[int, ...]
    inputs: int = INPUTS
    apart: bool = False

    @property
    def read(self) -> frozenset[int]:
        """States that some node reads."""
        return frozenset(state for pair in self.nodes for state, _ in pair.halves)


class Place(NamedTuple):
    """Where a decision stands.

    Attributes:
        cell: its number, from 0.
        node: its state; past the last for a list of outputs.
        field: `FIRST` to `COMBINATION`.
    """

    cell: int
    node: int
    field: int


def place_of(family: Family, position: int) -> Place:
    """Where a decision stands; positions count from 1 and end with the family's `length`."""
    pairs, field = divmod(position - 1, family.fields)
    cell, node = divmod(pairs, family.nodes)
    return Place(cell, family.inputs + node, field)


def choices(family: Family, position: int) -> int:
    """How many values the decision at a position may have, from 0 on.

    Where a node reads two different states, the second is counted among those that the first
    is not, so that what is legal depends on the position alone.

    Args:
        family: of the code.
        position: from 1 to the family's `length`.

    Returns:
        The number.
    """
    place = place_of(family, position)
    if place.field in (FIRST, SECOND):
        return place.node - (family.differ and place.field == SECOND)
    return family.combinations if place.field == COMBINATION else len(family.operations)


def second_state(family: Family, first: int, value: int) -> int:
    """The state that a node's second half reads, from the first one's and the decision."""
    return value + (family.differ and value >= first)


def field_of(family: Family, before: Sequence[int], decision: Sequence[int]) -> Field:
    """What a decision says; one of a state points to the last decision of its node.

    Args:
        family: of the code.
        before: the decision before it, or the start.
        decision: by position, family and value.

    Returns:
        The field; the inputs are numbers 0, -1 and so on of what is given.
    """
    position, _, value = decision
    place = place_of(family, position)
    if place.field == COMBINATION:
        return Field("combination", value)
    if place.field not in (FIRST, SECOND):
        return Field("operation", value)
    state = value if place.field == FIRST else second_state(family, before[2], value)
    if state < family.inputs:
        return Field("state", state, -state)
    nodes = place.cell * family.nodes + state - family.inputs + 1
    return Field("state", state, nodes * family.fields)


def second_value(family: Family, first: int, state: int) -> int:
    """The decision for a second state; see `second_state`."""
    return state - (family.differ and state > first)


def check(family: Family, rows: Iterable[Sequence[int]]) -> PairCode:
    """Checks decisions that make up a code.

    Args:
        family: of the code.
        rows: triples of a position from 1, the family's number and a value.

    Returns:
        The code.

    Raises:
        CodeError: if they do not make up one.
    """
    code: list[Decision] = []
    for position, row in enumerate(rows, start=1):
        if len(row) != 3 or tuple(row[:2]) != (position, family.number):
            raise CodeError(
                f"Decision {position}: a code of {family.name} is triples (position,"
                f"{family.number},value) with positions counting up from 1, given {tuple(row)}."
            )
        decision = Decision(*map(int, row))
        if position > family.length:
            _check_outputs(family, decision)
        else:
            count = choices(family, position)
            if decision.value not in range(count):
                raise CodeError(
                    f"{describe_place(family, position)} is {decision.value}; allowed: "
                    f"0 to {count - 1}."
                )
        code.append(decision)
    if len(code) not in (family.length, family.length + len(family.cells)):
        raise CodeError(
            f"A code of {family.name} has {family.length} decisions, given {len(code)}."
        )
    return tuple(code)


def _check_outputs(family: Family, decision: Decision) -> None:
    if family.outputs is Outputs.EACH_NODE:
        raise CodeError(
            f"All nodes of a cell of {family.name} go out, so its codes list no states that do."
        )
    if decision.position > family.length + len(family.cells):
        raise CodeError(f"Decision {decision.position}: a code of {family.name} has ended there.")
    if decision.value not in range(1, 2**family.states):
        raise CodeError(
            f"Decision {decision.position}: the states that go out are bits from 1 to "
            f"{2**family.states - 1}, given {decision.value}."
        )


def start(family: Family) -> Decision:
    """The state before the first decision."""
    return Decision(0, family.number, 0)


def describe_place(family: Family, position: int) -> str:
    """What is decided at a position, for messages."""
    place = place_of(family, position)
    what = (
        "the first state",
        "the second state",
        "the operation on the first",
        "the operation on the second",
        "the combination",
    )[place.field]
    return f"Node {place.node} of the {family.cells[place.cell]} cell: {what}"


def cells_of(family: Family, code: Sequence[Sequence[int]]) -> tuple[Cell, ...]:
    """The cells of a code as they were written.

    Args:
        family: of the code.
        code: a complete one.

    Returns:
        The cells, each with the states that go out, as listed or by the family's rule.
    """
    values = [row[2] for row in code]
    found = []
    for number, name in enumerate(family.cells):
        nodes = []
        for node in range(family.nodes):
            begin = (number * family.nodes + node) * family.fields
            first, second, on_first, on_second, *combination = values[begin : begin + family.fields]
            second = second_state(family, first, second)
            operations = [OPERATIONS[family.operations[each]] for each in (on_first, on_second)]
            nodes.append(Pair(first, operations[0], second, operations[1], *(combination or [ADD])))
        listed = values[family.length :]
        bits = listed[number] if listed else None
        apart = family.outputs is Outputs.EACH_NODE
        outputs = _outputs(family, nodes, bits)
        found.append(Cell(name, tuple(nodes), outputs, family.inputs, apart))
    return tuple(found)


def _outputs(family: Family, nodes: Sequence[Pair], bits: int | None) -> tuple[int, ...]:
    states = range(family.states)
    if bits is not None:
        return tuple(state for state in states if bits >> state & 1)
    if family.outputs in (Outputs.ALL_NODES, Outputs.EACH_NODE):
        return tuple(states[family.inputs :])
    read = {state for pair in nodes for state, _ in pair.halves}
    first = 0 if family.outputs is Outputs.UNREAD_STATES else family.inputs
    return tuple(state for state in states if state >= first and state not in read)

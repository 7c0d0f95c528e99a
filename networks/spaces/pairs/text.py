"""The text forms of codes of cells of pairs.

Written is the form of tables: `darts normal 2 sep3(1)+sep3(0) 3 id(0)+sep3(1) ... reduction 2
max3(0)+max3(1) ...`, with the number of each node, `&` in the place of `+` for concatenation,
`:layer` or `:instance` behind a node whose sum is normalised, and `out 2,3,4` where a cell lists
the states that go out. Read are also the numbers of decisions in a row, `1 0 11 10 0 | 0 0 11 10
0 | ...`, and ENAS's groups of a state and an
operation for each half, `(0,2,0,0)(0,4,0,1)...`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from blockqnn.networks.spaces.contract import CodeError
from blockqnn.networks.spaces.pairs import codes
from blockqnn.networks.spaces.pairs.codes import COMBINATION, Cell, Decision, PairCode
from blockqnn.networks.spaces.pairs.families import CONCAT, INPUTS, Family

_SIGNS = (("+", ""), ("&", ""), ("+", ":layer"), ("+", ":instance"))
"""How the combinations of two halves are written: between them, and behind them."""
COMBINATIONS = ("add", "concat", "add, layer norm", "add, instance norm")
_WORDS = ("add", "concat", "layer", "instance")
"""The same in one word."""
_STATES = ("older input", "newer input")
_HALF = r"([a-z]+\d*)\((\d+)\)"
_NODE = re.compile(rf"(?:(\d+)\s+)?{_HALF}\s*([+&])\s*{_HALF}(:[a-z]+)?", re.ASCII)
_NUMBERS = re.compile(r"[\d\s,|;()]+", re.ASCII)


def recognises(family: Family, text: str) -> bool:
    """Whether a text is meant to be a code of the family: it begins with its name."""
    return text.split()[:1] == [family.name]


def write(family: Family, code: Sequence[Sequence[int]]) -> str:
    """The text form of a code, which `parse` reads."""
    words = [family.name]
    listed = len(code) > family.length
    for cell in codes.cells_of(family, code):
        if len(family.cells) > 1:
            words.append(cell.name)
        for node, pair in enumerate(cell.nodes, start=cell.inputs):
            halves = (f"{operation.name}({state})" for state, operation in pair.halves)
            sign, behind = _SIGNS[pair.combination]
            words += [str(node), sign.join(halves) + behind]
        if listed:
            words += ["out", ",".join(map(str, cell.outputs))]
    return " ".join(words)


def parse(family: Family, text: str) -> PairCode:
    """Reads a code.

    Args:
        family: whose name the text begins with.
        text: see the module.

    Returns:
        The code.

    Raises:
        CodeError: if it is none.
    """
    values: list[int] = []
    outputs: list[int] = []
    for name, written in zip(family.cells, _split(family, text), strict=True):
        nodes, _, listed = written.partition("out")
        values += _decisions(family, name, nodes.strip())
        if listed:
            states = [int(state) for state in re.findall(r"\d+", listed)]
            outputs.append(sum(1 << state for state in set(states)))
    rows = [*values, *outputs]
    return codes.check(
        family, [(place, family.number, value) for place, value in enumerate(rows, start=1)]
    )


def _split(family: Family, text: str) -> list[str]:
    """The text of each cell."""
    body = text.strip().removeprefix(family.name).strip()
    if len(family.cells) == 1:
        return [body.removeprefix(family.cells[0]).strip()]
    parts = re.split(rf"\b({'|'.join(family.cells)})\b", body)
    if parts[0].strip() or tuple(parts[1::2]) != family.cells:
        raise CodeError(_form(family, text))
    return [part.strip() for part in parts[2::2]]


def _decisions(family: Family, cell: str, text: str) -> list[int]:
    if _NUMBERS.fullmatch(text):
        numbers = [int(number) for number in re.findall(r"\d+", text)]
        if "(" not in text:
            return _counted(family, cell, numbers)
        groups = zip(*[iter(numbers)] * 4, strict=False)
        ordered = [v for i, o, j, p in groups for v in (i, codes.second_value(family, i, j), o, p)]
        return _counted(family, cell, ordered)
    values = []
    rest = _NODE.sub("", text).strip(" |;,")
    if rest:
        raise CodeError(f"{rest[:60]!r} is no node of the {cell} cell. {_form(family, text)}")
    for place, found in enumerate(_NODE.finditer(text), start=family.inputs):
        number, on_first, first, sign, on_second, second, behind = found.groups()
        if number is not None and int(number) != place:
            raise CodeError(f"Node {place} of the {cell} cell is written as node {number}.")
        if family.differ and first == second:
            raise CodeError(f"Node {place} of the {cell} cell reads state {first} twice.")
        values += [int(first), codes.second_value(family, int(first), int(second))]
        values += [_operation(family, name) for name in (on_first, on_second)]
        allowed = _SIGNS[: family.combinations]
        if (sign, behind or "") not in allowed:
            raise CodeError(_wrong_combination(family, found.group()))
        if family.combinations > 1:
            values.append(allowed.index((sign, behind or "")))
    return _counted(family, cell, values)


def _wrong_combination(family: Family, node: str) -> str:
    if family.combinations == 1:
        return f"Nodes of {family.name} are added (+), given {node!r}."
    ways = ", ".join(f"A{sign}B{behind}" for sign, behind in _SIGNS[: family.combinations])
    return f"The halves of a node of {family.name} are combined as {ways}; given {node!r}."


def _counted(family: Family, cell: str, values: list[int]) -> list[int]:
    wanted = family.nodes * family.fields
    if len(values) != wanted:
        raise CodeError(
            f"A {cell} cell of {family.name} has {family.nodes} nodes of {family.fields} "
            f"decisions, so {wanted}; given {len(values)}."
        )
    return values


def _operation(family: Family, name: str) -> int:
    if name not in family.operations:
        raise CodeError(
            f"{family.name} has no operation {name!r}; allowed: {', '.join(family.operations)}."
        )
    return family.operations.index(name)


def _form(family: Family, text: str) -> str:
    first = family.inputs
    cells = " ".join(f"{cell} {first} OP(STATE)+OP(STATE) {first + 1} ..." for cell in family.cells)
    return f"A code is written {family.name} {cells}; given: {text[:80]!r}."


def parse_prefix(family: Family, text: str) -> PairCode:
    """Reads the first decisions of a code.

    Args:
        family: of the code.
        text: the family's name, and decisions with blanks or commas between them: states by
            number, operations by name or number, `add`, `concat`, `layer` or `instance`.

    Returns:
        The decisions, fewer than a code has.

    Raises:
        CodeError: if no code begins like this.
    """
    words = re.findall(r"[^\s,|]+", text.strip().removeprefix(family.name))
    if len(words) >= family.length:
        raise CodeError(
            f"A code of {family.name} has {family.length} decisions, so it begins with at most "
            f"{family.length - 1}; given {len(words)}."
        )
    code: list[Decision] = []
    for position, word in enumerate(words, start=1):
        values = range(codes.choices(family, position))
        names = _names(family, position)
        value = int(word[:9]) if word.isdecimal() else names.index(word) if word in names else -1
        if value not in values:
            allowed = ", ".join(names or map(str, values))
            place = codes.describe_place(family, position)
            raise CodeError(f"{place} is {word}; allowed: {allowed}.")
        code.append(Decision(position, family.number, value))
    return tuple(code)


def write_prefix(family: Family, actions: Sequence[Sequence[int]]) -> str:
    """The text form of the first decisions of a code, which `parse_prefix` reads."""
    words = [decision_word(family, action) for action in actions]
    return " ".join([family.name, *words])


def decision_word(family: Family, action: Sequence[int]) -> str:
    """A decision: a state's number, an operation's name, or the name of a combination."""
    position, _, value = action
    names = _names(family, position) if position <= family.length else ()
    return names[value] if names else str(value)


def _names(family: Family, position: int) -> tuple[str, ...]:
    """The names of a decision's values; none where they are numbers of states."""
    field = codes.place_of(family, position).field
    if field in (codes.FIRST, codes.SECOND):
        return ()
    return _WORDS[: family.combinations] if field == COMBINATION else family.operations


def state_name(state: int, inputs: int) -> str:
    """What a state of a cell that reads so many inputs is called."""
    if state >= inputs:
        return f"node {state}"
    return _STATES[state] if inputs == INPUTS else f"input {state}"


def described(cell: Cell) -> list[str]:
    """Lines that say of a cell what each node joins, and what goes out."""
    lines = [f"  {cell.name} cell"]
    for number, pair in enumerate(cell.nodes, start=cell.inputs):
        sign = " beside " if pair.combination == CONCAT else " + "
        halves = sign.join(f"{o.name}({state_name(s, cell.inputs)})" for s, o in pair.halves)
        norm = COMBINATIONS[pair.combination].partition(",")[2]
        out = "  -> output" if number in cell.outputs else ""
        lines.append(f"    node {number}  {halves}{norm and ','}{norm}{out}")
    states = [state for state in cell.outputs if state < cell.inputs]
    return lines + [f"    {state_name(state, cell.inputs)}  -> output" for state in states]

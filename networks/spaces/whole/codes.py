"""The codes of whole networks: their decisions, and which layers these make up.

The decisions of a layer follow one another: an answer to each question of its family, then a
bit for each earlier map that it may read. Position and meaning of a decision do not depend on
the number of layers, so a network can grow.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from blockqnn.networks.spaces.action_list import Field
from blockqnn.networks.spaces.contract import CodeError
from blockqnn.networks.spaces.whole.families import MOST_LAYERS, Family


class Decision(NamedTuple):
    """A decision.

    Attributes:
        position: from 1; 0 stands for no decision yet.
        family: number of the family.
        bit: which of its layer's bits it is, from 1; 0 where it is the answer to a question.
        value: number of an answer; of a bit 1 for yes, 0 for no.
    """

    position: int
    family: int
    bit: int
    value: int


WholeCode = tuple[Decision, ...]
"""A network: all decisions in order."""


class Place(NamedTuple):
    """Where a decision stands.

    Attributes:
        layer: its number, from 1.
        question: number of the question that it answers; as many as there are for a bit.
        bit: see `Decision`.
    """

    layer: int
    question: int
    bit: int


class Layer(NamedTuple):
    """A layer as it was written.

    Attributes:
        answers: to the questions of the family, by number.
        bits: for each earlier map whether it is read.
    """

    answers: tuple[int, ...]
    bits: tuple[int, ...]


@functools.cache
def place_of(family: Family, position: int) -> Place:
    """Where a decision stands; positions count from 1."""
    layer = 1
    while position > family.length(layer):
        layer += 1
    within = position - family.length(layer - 1) - 1
    asked = len(family.questions)
    return Place(layer, min(within, asked), max(0, within - asked + 1))


def choices(family: Family, position: int) -> int:
    """How many values the decision at a position may have, from 0 on."""
    place = place_of(family, position)
    return 2 if place.bit else len(family.questions[place.question].answers)


def decision(family: Family, position: int, value: int) -> Decision:
    """The decision of a value at a position."""
    return Decision(position, family.number, place_of(family, position).bit, value)


def fields_of(family: Family, action: Decision) -> tuple[Field, ...]:
    """What a decision says: an answer, or a bit.

    Args:
        family: of the code.
        action: the decision.

    Returns:
        Its fields. A bit that is set points to the last answer of the layer whose map it is
        about, the anchor of the NAS paper's section 3.3, or to the stem, which is given.
    """
    place = place_of(family, action.position)
    if not place.bit:
        return (Field(family.questions[place.question].name, action.value),)
    if not action.value:
        return (Field("bit", 0),)
    about = place.bit - 1 + family.first_map
    anchor = family.length(about - 1) + len(family.questions) if about else 0
    return (Field("bit", 1), Field("reads", 0, anchor))


def start(family: Family) -> Decision:
    """The state before the first decision."""
    return Decision(0, family.number, 0, 0)


def layers_in(family: Family, decisions: int) -> int:
    """How many layers so many decisions make up; 0 if they make up no network."""
    layers = 1
    while family.length(layers) < decisions:
        layers += 1
    return layers if family.length(layers) == decisions else 0


def require_few(family: Family, layers: int) -> None:
    """Refuses more layers than any code that is read has, by CodeError."""
    if layers > MOST_LAYERS:
        raise CodeError(
            f"A code of {family.name} has at most {MOST_LAYERS} layers; given are more."
        )


def check(family: Family, rows: Iterable[Sequence[int]]) -> WholeCode:
    """Checks decisions that make up a code.

    Args:
        family: of the code.
        rows: a position from 1, the family's number, the number of a bit and a value each.

    Returns:
        The code.

    Raises:
        CodeError: if they do not make up one.
    """
    code: list[Decision] = []
    most = family.length(MOST_LAYERS)
    for position, row in enumerate(rows, start=1):
        if position > most:
            require_few(family, MOST_LAYERS + 1)
        bit = place_of(family, position).bit
        if len(row) != 4 or tuple(row[:3]) != (position, family.number, bit):
            raise CodeError(
                f"Decision {position}: of a code of {family.name} it is "
                f"({position},{family.number},{bit},value), given {tuple(row)}."
            )
        count = choices(family, position)
        if row[3] not in range(count):
            raise CodeError(
                f"{describe_place(family, position)} is {row[3]}; allowed: 0 to {count - 1}."
            )
        code.append(Decision(*map(int, row)))
    if not code or not layers_in(family, len(code)):
        asked = len(family.questions)
        raise CodeError(
            f"A code of {family.name} has {asked} decisions for layer 1, {asked + 1} for layer 2 "
            f"and so on, given {len(code)} in all."
        )
    return tuple(code)


def describe_place(family: Family, position: int) -> str:
    """What is decided at a position, for messages."""
    place = place_of(family, position)
    if place.bit:
        return f"Layer {place.layer}: whether it {bit_words(family, place.bit)}"
    return f"Layer {place.layer}: {family.questions[place.question].name}"


def bit_words(family: Family, bit: int) -> str:
    """What a bit says where it is set, such as `reads layer 2`."""
    return family.bit.format(bit - 1 + family.first_map)


def layers_of(family: Family, code: Sequence[Sequence[int]]) -> tuple[Layer, ...]:
    """The layers of a code.

    Args:
        family: of the code.
        code: a complete one.

    Returns:
        The layers, in order.
    """
    values = [row[3] for row in code]
    found, asked, place = [], len(family.questions), 0
    for layer in range(layers_in(family, len(code))):
        bits = place + asked
        found.append(Layer(tuple(values[place:bits]), tuple(values[bits : bits + layer])))
        place = bits + layer
    return tuple(found)


def code_of_layers(family: Family, layers: Iterable[Layer]) -> WholeCode:
    """The decisions that make up layers; see `check` for what is refused."""
    values = [value for layer in layers for value in (*layer.answers, *layer.bits)]
    return check(family, [decision(family, *each) for each in enumerate(values, start=1)])

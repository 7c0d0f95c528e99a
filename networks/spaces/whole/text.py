"""The text forms of codes of whole networks.

NAS's are written as `1 (3,3,36;0) 2 (3,3,48;1) 3 (3,3,36;1,2)`: for each layer its answers and
the layers that it reads, 0 for the image; with strides `1 (3,3,2,2,36;0)`. ENAS's are written
as `0 3:0 0:10 2:001`: the number of an operation and the bits, of which the first layer has none.
The name of the space may stand before either; after ENAS's, the plain rows of numbers of its
scripts are read as well, `enas_macro 0 3 0 0 1 0`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from blockqnn.networks.spaces.contract import CodeError
from blockqnn.networks.spaces.whole import codes
from blockqnn.networks.spaces.whole.codes import Layer, WholeCode
from blockqnn.networks.spaces.whole.families import ENAS_MACRO, Family

_Part = TypeVar("_Part")
BITS = ("no", "yes")
_LAYER = re.compile(r"(\d+)\s*\(([\d\s,]*);([\d\s,]*)\)", re.ASCII)
_BEGINNING = re.compile(r"\s*\d+\s*\(([\d\s,]*);", re.ASCII)
_ROWS = re.compile(r"\s*\d+(:[01]*)?\s+\d+\s*:", re.ASCII)
_ROW = re.compile(r"(\d+)(?::([01]*))?", re.ASCII)


def recognises(family: Family, text: str) -> bool:
    """Whether a text is meant to be a code of the family, by its name or by its form."""
    if text.split()[:1] == [family.name]:
        return True
    if family is ENAS_MACRO:
        return bool(_ROWS.match(text))
    found = _BEGINNING.match(text)
    return found is not None and found[1].count(",") == len(family.questions) - 1


def write(family: Family, code: Sequence[Sequence[int]]) -> str:
    """The text form of a code, which `parse` reads."""
    layers = codes.layers_of(family, code)
    if family is ENAS_MACRO:
        rows = [f"{o}:{''.join(map(str, bits))}" if bits else str(o) for (o,), bits in layers]
        # One number alone could be anything.
        return " ".join(rows if len(rows) > 1 else [family.name, *rows])
    return " ".join(_written(family, number, layer) for number, layer in enumerate(layers, start=1))


def _written(family: Family, number: int, layer: Layer) -> str:
    answers = (q.answers[a] for q, a in zip(family.questions, layer.answers, strict=True))
    read = [str(place) for place, bit in enumerate(layer.bits, start=1) if bit]
    return f"{number} ({','.join(answers)};{','.join(read) or '0'})"


def parse(family: Family, text: str) -> WholeCode:
    """Reads a code.

    Args:
        family: of the code.
        text: see the module.

    Returns:
        The code.

    Raises:
        CodeError: if it is none.
    """
    body = text.strip().removeprefix(family.name).strip()
    if family is ENAS_MACRO:
        return codes.code_of_layers(family, _rows(family, body))
    rest = _LAYER.sub("", body).strip()
    if rest or not body:
        raise CodeError(
            f"A code of {family.name} is written {_form(family)}; given: {(rest or text)[:80]!r}."
        )
    layers = []
    for place, found in enumerate(_few(family, _LAYER.finditer(body)), start=1):
        number, answers, inputs = found.groups()
        if int(number[:9]) != place:
            raise CodeError(f"Layer {place} is written as layer {number[:9]}.")
        layers.append(Layer(_answers(family, place, answers), _bits(place, inputs)))
    return codes.code_of_layers(family, layers)


def _few(family: Family, parts: Iterable[_Part]) -> Iterator[_Part]:
    """The parts of a text, one for each layer, refused where no code has so many."""
    for count, part in enumerate(parts, start=1):
        codes.require_few(family, count)
        yield part


def _answers(family: Family, layer: int, text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if len(words) != len(family.questions):
        names = ", ".join(question.name for question in family.questions)
        raise CodeError(f"Layer {layer} has {names}; given: {text.strip()!r}.")
    found = []
    for question, word in zip(family.questions, words, strict=True):
        if word not in question.answers:
            raise CodeError(
                f"Layer {layer}: {question.name} is {word or 'missing'}; allowed: "
                f"{', '.join(question.answers)}."
            )
        found.append(question.answers.index(word))
    return tuple(found)


def _bits(layer: int, text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    allowed = {str(earlier) for earlier in range(1, layer)}
    for word in words:
        if word not in allowed and words != ["0"]:
            before = f", or some of 1 to {layer - 1}" if layer > 1 else ""
            raise CodeError(f"Layer {layer} reads {word}; allowed: 0 for the image alone{before}.")
    return tuple(int(str(earlier) in words) for earlier in range(1, layer))


def _form(family: Family) -> str:
    names = ",".join(question.name.upper().replace(" ", "_") for question in family.questions)
    return f"1 ({names};0) 2 ({names};INPUTS) ..."


def _rows(family: Family, body: str) -> list[Layer]:
    """Rows of an operation and bits."""
    if ":" not in body:
        return _plain_rows(family, body)
    layers = []
    for place, word in enumerate(_few(family, body.split())):
        found = _ROW.fullmatch(word)
        bits = (found[2] or "") if found else ""
        if found is None or len(bits) != place:
            wanted = f"OPERATION:{'b' * place}" if place else "OPERATION"
            raise CodeError(
                f"Layer {place + 1} of a code of {family.name} is written {wanted[:60]} with a bit "
                f"for each of {place} maps; given: {word[:60]!r}."
            )
        layers.append(Layer((_operation(family, place + 1, found[1]),), tuple(map(int, bits))))
    return layers


def _plain_rows(family: Family, body: str) -> list[Layer]:
    words = body.replace(",", " ").split()
    layers: list[Layer] = []
    while words:
        codes.require_few(family, len(layers) + 1)
        own, words = words[: len(layers) + 1], words[len(layers) + 1 :]
        if len(own) != len(layers) + 1 or not set(own[1:]) <= {"0", "1"}:
            raise CodeError(
                f"Layer {len(layers) + 1} of a code of {family.name} is the number of an operation "
                f"and {len(layers)} bits; given: {' '.join(own)[:60]!r}."
            )
        operation = _operation(family, len(layers) + 1, own[0])
        layers.append(Layer((operation,), tuple(map(int, own[1:]))))
    return layers


def _operation(family: Family, layer: int, word: str) -> int:
    names = family.questions[0].answers
    if not (word.isascii() and word.isdecimal()) or int(word[:9]) not in range(len(names)):
        allowed = ", ".join(f"{number} ({name})" for number, name in enumerate(names))
        raise CodeError(f"Layer {layer}: operation is {word[:20]}; allowed: {allowed}.")
    return int(word[:9])


def parse_prefix(family: Family, text: str, layers: int) -> WholeCode:
    """Reads the first decisions of a code.

    Args:
        family: of the code.
        text: perhaps the family's name, and decisions with blanks or commas between them:
            answers as codes have them, `yes` or `no` for bits.
        layers: of the code.

    Returns:
        The decisions, fewer than a code has.

    Raises:
        CodeError: if no code begins like this.
    """
    words = re.findall(r"[^\s,|]+", text.strip().removeprefix(family.name))
    most = family.length(layers) - 1
    if len(words) > most:
        raise CodeError(
            f"A code of {family.name} with {layers} layers begins with at most {most} decisions; "
            f"given {len(words)}."
        )
    found = []
    for position, word in enumerate(words, start=1):
        names = _names(family, position)
        if word not in names:
            place = codes.describe_place(family, position)
            raise CodeError(f"{place} is {word[:20]}; allowed: {', '.join(names)}.")
        found.append(codes.decision(family, position, names.index(word)))
    return tuple(found)


def write_prefix(family: Family, actions: Sequence[Sequence[int]]) -> str:
    """The text form of the first decisions of a code, which `parse_prefix` reads."""
    return " ".join([family.name, *(decision_word(family, action) for action in actions)])


def decision_word(family: Family, action: Sequence[int]) -> str:
    """A decision: an answer as codes have it, or `yes` or `no`."""
    return _names(family, action[0])[action[3]]


def _names(family: Family, position: int) -> tuple[str, ...]:
    place = codes.place_of(family, position)
    return BITS if place.bit else family.questions[place.question].answers

"""The text forms of codes of recurrent cells.

NAS's are written `nas_cell 0:(add,sigmoid) ... 14:(mul,tanh) c:(add,tanh;12,8)`: for each node
its combination and its function, then how the last memory is merged, from which node the next
one comes, and into which node the last one goes. ENAS's and DARTS's are written as DARTS's paper
draws them, `darts_cell relu(0) tanh(1)`: for each node its function and the node that it reads.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from blockqnn.networks.spaces.contract import CodeError
from blockqnn.networks.spaces.recurrent import codes
from blockqnn.networks.spaces.recurrent.codes import CellCode
from blockqnn.networks.spaces.recurrent.families import DESIGNED, MOST_NODES, TREE, Family

_NODE = re.compile(r"(\w+)\((\w+)\)", re.ASCII)
_OF_TREE = re.compile(r"(\d+|c):\(([\w,;]*)\)", re.ASCII)


def recognises(family: Family, text: str) -> bool:
    """Whether a text is meant to be a code of the family: it begins with its name."""
    return text.split()[:1] == [family.name]


def write(family: Family, code: Sequence[Sequence[int]]) -> str:
    """The text form of a code, which `parse` reads."""
    words = codes.words_of(family, code)
    if family is DESIGNED:
        return f"{family.name} {words[0]}"
    if family is TREE:
        *nodes, merged, places = zip(words[::2], words[1::2], strict=True)
        parts = [f"{number}:({','.join(node)})" for number, node in enumerate(nodes)]
        parts.append(f"c:({','.join(merged)};{','.join(places)})")
    else:
        parts = [
            f"{function}({source})"
            for source, function in zip(words[::2], words[1::2], strict=True)
        ]
    return " ".join([family.name, *parts])


def parse(family: Family, text: str) -> CellCode:
    """Reads a code.

    Args:
        family: of the code.
        text: see the module.

    Returns:
        The code.

    Raises:
        CodeError: if it is none.
    """
    parts = text.strip().removeprefix(family.name).split()
    if family is DESIGNED:
        return codes.check(family, codes.of_words(family, _few(family, parts)))
    words = []
    for number, part in enumerate(parts):
        words += _tree_words(number, part) if family is TREE else _node_words(family, part)
    return codes.check(family, codes.of_words(family, _few(family, words)))


def _tree_words(number: int, part: str) -> list[str]:
    last = 2 * TREE.usual - 1
    found = _OF_TREE.fullmatch(part)
    if found is None:
        raise CodeError(
            f"A node of {TREE.name} is written {number}:(COMBINATION,FUNCTION), its memory "
            f"c:(COMBINATION,FUNCTION;FROM,INTO); given: {part[:60]!r}."
        )
    name = "c" if number == last else str(number)
    words = re.split("[,;]", found[2])
    if found[1] != name or len(words) != (4 if number == last else 2):
        raise CodeError(
            f"Part {number + 1} of a code of {TREE.name} is {name}; given {part[:60]!r}."
        )
    return words


def _node_words(family: Family, part: str) -> list[str]:
    found = _NODE.fullmatch(part)
    if found is None:
        raise CodeError(
            f"A node of {family.name} is written FUNCTION(NODE), as in relu(0); given: "
            f"{part[:60]!r}."
        )
    return [found[2], found[1]]


def _few(family: Family, words: Sequence[str]) -> Sequence[str]:
    most = len(family.questions(MOST_NODES if family.grows else family.usual))
    if not words or len(words) > most:
        raise CodeError(
            f"A code of {family.name} is written like {family.example}; given {len(words)} "
            f"decisions, allowed: up to {most}."
        )
    return words


def parse_prefix(family: Family, text: str, size: int) -> CellCode:
    """Reads the first decisions of a code.

    Args:
        family: of the code.
        text: perhaps the family's name, and answers with blanks between them.
        size: of the cell.

    Returns:
        The decisions, fewer than a code has.

    Raises:
        CodeError: if no code begins like this.
    """
    words = re.findall(r"[^\s,|]+", text.strip().removeprefix(family.name))
    most = len(family.questions(size)) - 1
    if len(words) > most:
        raise CodeError(
            f"A code of {family.name} begins with at most {most} decisions here; given "
            f"{len(words)}."
        )
    return codes.of_words(family, words)


def write_prefix(family: Family, actions: Sequence[Sequence[int]]) -> str:
    """The text form of the first decisions of a code, which `parse_prefix` reads."""
    return " ".join([family.name, *codes.words_of(family, actions)])

"""The flag of blocks that a search begins with: where they come from, and how a run keeps them."""

from __future__ import annotations

from typing import Any

from blockqnn.errors import UserError
from blockqnn.flags.parsing import FlagSet
from blockqnn.inspection.block_reference import resolve
from blockqnn.networks.spaces.contract import Code, CodeError
from blockqnn.networks.spaces.registry import MOST_LAYERS, space_named, write

FLAG = "first_blocks"
_BETWEEN = ";"


def define(flags: FlagSet) -> None:
    """Adds the flag to the group that is open."""
    flags.text(
        FLAG,
        "",
        "blocks that are tried before the agent's own, and that it learns from: names, codes or "
        "RUN_DIR#best, with semicolons between them, as in 'residual;[(1,1,3,0,0),(2,7,0,0,0)]'; "
        "a search that begins with the block you have looks for a better one",
    )


def first_blocks(values: dict[str, Any]) -> tuple[Code, ...]:
    """The blocks that a search begins with.

    Args:
        values: of the flags, by name.

    Returns:
        Their codes, none twice.

    Raises:
        UserError: if one of them is unknown, or none of the search space.
    """
    space = space_named(values["space"], values["max_layers"])
    words = [word.strip() for word in values[FLAG].split(_BETWEEN)]
    found = []
    for word in filter(None, words):
        try:
            found.append(space.check(resolve(word, MOST_LAYERS).code))
        except CodeError as error:
            raise UserError(
                f"--{FLAG} names {word!r}, with which no search of --space={space.name} can begin: "
                f"{error}"
            ) from error
    return tuple(dict.fromkeys(found))


def as_text(codes: tuple[Code, ...]) -> str:
    """The flag as a run keeps it: codes, whatever names and runs become of later."""
    return _BETWEEN.join(map(write, codes))

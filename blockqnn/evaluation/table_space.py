"""What a table and a space have to do with one another: how many designs, and which make it."""

from __future__ import annotations

import functools
from typing import Any

from blockqnn.errors import UserError
from blockqnn.evaluation.table_file import TableFile, refusal
from blockqnn.listing import counted
from blockqnn.networks.spaces.contract import CodeError, SearchSpace
from blockqnn.networks.spaces.registry import SPACES, space_named

_MOST_COUNTED = 10_000_000
"""Designs of a space, above which nobody has a table of all of them."""
_MOST_CELLS = 1000
"""Different cells of a column, above which it is no decision but a measurement."""


def is_space(text: str) -> bool:
    """Whether a text names a space, or the columns of a table that make one."""
    kind, colon, _ = text.partition(":")
    return kind in SPACES and (not colon or SPACES[kind].tabular)


def made_space(name: str, path: str) -> str:
    """The whole name of a space, its decisions read off the table where it is made of one.

    Args:
        name: of any space; of one that a table makes with its columns behind a colon.
        path: of the table.

    Returns:
        The name, by which `space_named` knows the space without the table.

    Raises:
        UserError: if the columns, or the table, are missing or cannot be used.
    """
    kind, _, text = name.partition(":")
    if not SPACES[kind].tabular or "=" in text:
        return _checked(name).name
    if not path:
        raise UserError(f"--space={kind} is made of a table: name its file by --table.")
    columns = [column.strip() for column in text.split(",")]
    if not all(columns):
        names = ", ".join(TableFile(path, ("",)).names[:20])
        raise UserError(
            f"--space={kind} needs the columns of the table that say what was decided, as in "
            f"--space={kind}:COLUMN,COLUMN; {path} has {names}."
        )
    if len(set(columns)) < len(columns):
        raise UserError(f"--space={name} names a column twice.")
    file = TableFile(path, columns)
    cells: list[set[str]] = [set() for _ in columns]
    for row in file.rows():
        for own, place in zip(cells, file.code_columns, strict=True):
            own.add(row.cells[place])
    for column, own in zip(columns, cells, strict=True):
        if "" in own:
            raise refusal(path, f"a row has nothing in {column!r}, which says what was decided")
        if len(own) > _MOST_CELLS:
            raise refusal(
                path,
                f"{column!r} has {counted(len(own), 'different cell')}, which is a measurement and "
                "no decision",
            )
    if not all(cells):
        raise refusal(path, "it has no rows")
    return _made(kind, dict(zip(columns, cells, strict=True)))


def _made(kind: str, columns: dict[str, set[str]]) -> str:
    space: SearchSpace = SPACES[kind].made_of({name: sorted(own) for name, own in columns.items()})
    return space.name


def _checked(name: str) -> SearchSpace:
    try:
        return space_named(name)
    except CodeError as error:
        raise UserError(f"--space: {error}") from error


def designs_of(space: SearchSpace) -> int | None:
    """How many codes a space has; None for more than anybody has a table of."""
    actions = space.numbered()
    if len(actions) ** actions.length > _MOST_COUNTED:
        return None

    @functools.cache
    def below(state: Any) -> int:
        return sum(
            1 if space.is_end(action) else below(action)
            for group in space.choices(state)
            for action in group
        )

    return below(space.start)

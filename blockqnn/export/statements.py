"""Statements of source code, on one line or where that is too short on more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

WIDTH = 88
"""Most characters of a line."""


def statement(text: str) -> Iterator[str]:
    """A statement of the body of a method.

    Args:
        text: on one line.

    Yields:
        Its lines, indented.
    """
    yield from call(*_taken_apart(text))


def _taken_apart(statement: str) -> tuple[str, list[str], str]:
    """What stands before the arguments of a statement's outermost last call, they, and the rest."""
    if not statement.endswith((")", "])")) or "(" not in statement:
        return statement, [], ""
    opening = statement.index("(")
    before, inside = statement[: opening + 1], statement[opening + 1 : -1]
    return before, _arguments(inside), ")"


def _arguments(text: str) -> list[str]:
    """Arguments, cut at the commas that stand in no bracket."""
    found, depth, current = [], 0, ""
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            found.append(current.strip())
            current = ""
        else:
            current += character
    return [*found, current.strip()] if current.strip() else found


def call(before: str, arguments: Sequence[str], after: str, indent: int = 8) -> Iterator[str]:
    """A statement on one line where it fits, else with its arguments on lines of their own.

    Args:
        before: what stands before the arguments, with the bracket.
        arguments: each as text.
        after: what stands behind them, with the bracket.
        indent: spaces before the statement.

    Yields:
        Its lines.
    """
    space = " " * indent
    line = f"{space}{before}{', '.join(arguments)}{after}"
    if len(line) <= WIDTH or not arguments:
        yield line
        return
    yield space + before
    inner = f"{space}    {', '.join(arguments)}"
    if len(inner) <= WIDTH:
        yield inner
    else:
        for argument in arguments:
            if len(space) + len(argument) + 5 <= WIDTH or not argument.startswith("["):
                yield f"{space}    {argument},"
            else:
                yield from call("[", _arguments(argument[1:-1]), "],", indent + 4)
    yield space + after

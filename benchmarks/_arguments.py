"""How the benchmarks read their arguments, so that each answers to --help."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Leaves the description as it is written, and says what each default is, if there is one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def make_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser to which a benchmark adds its arguments.

    Args:
        name: of the benchmark's module.
        description: what it measures, as a rule the module's docstring.

    Returns:
        The parser. It takes no abbreviations, which could be flags of a search or training.
    """
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=description,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )


def listed(kind: Callable[[str], Any]) -> Callable[[str], Sequence[Any]]:
    """A kind of argument: values with commas between them.

    Args:
        kind: what makes a value of its text.

    Returns:
        What makes the values of the whole text.
    """

    def values(text: str) -> list[Any]:
        return [kind(word) for word in text.split(",")]

    # argparse names it where a text is refused.
    values.__name__ = f"list of {kind.__name__}"
    return values

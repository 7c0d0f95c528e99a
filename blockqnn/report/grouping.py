"""Several runs in groups that differ in more than the seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from blockqnn.report.methods import method_words
from blockqnn.runs.run_record import RunRecord

SEED = "seed"
_OWN = "own"


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs whose flags differ in the seed alone.

    Attributes:
        name: the flags in which it differs from the other groups, in words.
        runs: by seed.
    """

    name: str
    runs: tuple[RunRecord, ...]

    @property
    def flags(self) -> dict[str, str]:
        """The flags that its runs share."""
        return _without_seed(self.runs[0].flags)


def groups(runs: Sequence[RunRecord]) -> list[Group]:
    """Puts runs into groups.

    How a run was carried out is not among the flags of its store, so that it
    separates nothing.

    Args:
        runs: at least one.

    Returns:
        The groups in the order of their first runs.
    """
    parts: dict[tuple[tuple[str, str], ...], list[RunRecord]] = {}
    for run in runs:
        parts.setdefault(tuple(sorted(_without_seed(run.flags).items())), []).append(run)
    found = [dict(key) for key in parts]
    names = _names(found)
    return [
        Group(name, tuple(sorted(part, key=_seed)))
        for name, part in zip(names, parts.values(), strict=True)
    ]


def _names(flags: Sequence[dict[str, str]]) -> list[str]:
    """A name for each group: its method where these differ, and flags that differ besides."""
    methods = [method_words(each) for each in flags]
    if len({each.get("weights", _OWN) for each in flags}) < 2:
        # What differs says more than a method that all have.
        methods = [""] * len(flags)
    names = []
    for own, method in zip(flags, methods, strict=True):
        same = [each for each, other in zip(flags, methods, strict=True) if other == method]
        words = [f"{name}={own.get(name, 'unset')}" for name in differing(same)]
        names.append(": ".join(filter(None, [method, ", ".join(words)])) or "all runs")
    return names


def differing(flags: Sequence[dict[str, str]]) -> list[str]:
    """The flags that do not have one value everywhere.

    Args:
        flags: of each group.

    Returns:
        Their names, in the order in which they come.
    """
    names = list(dict.fromkeys(name for each in flags for name in each))
    return [name for name in names if len({each.get(name) for each in flags}) > 1]


def _without_seed(flags: dict[str, str]) -> dict[str, str]:
    return {name: str(value) for name, value in flags.items() if name != SEED}


def _seed(run: RunRecord) -> tuple[int, str]:
    text = str(run.flags.get(SEED, ""))
    return (int(text) if text.isascii() and text.isdecimal() else -1, text)

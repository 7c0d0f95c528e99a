"""What differs between the best blocks, for the page that shows two of them side by side."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

from blockqnn.networks.matching import match
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import side_of

MOST = 20
"""Blocks of which every two can be compared in a page without a server."""

Marks = list[list[int]]
"""Nodes that only the first and only the second has; likewise edges, source by target."""


@functools.lru_cache(maxsize=10_000)
def _marks(first: Code, second: Code) -> tuple[tuple[int, ...], ...]:
    found = match(side_of(first), side_of(second))
    return (
        found.only_first,
        found.only_second,
        tuple(itertools.chain.from_iterable(found.edges_only_first)),
        tuple(itertools.chain.from_iterable(found.edges_only_second)),
    )


def marks(first: Code, second: Code) -> Marks:
    """What only one of two designs has.

    Args:
        first: a code.
        second: another of the same search space.

    Returns:
        Four lists, see `Marks`; nodes are numbered as drawings number them.
    """
    return [list(part) for part in _marks(first, second)]


def every_pair(codes: Sequence[Code]) -> dict[str, Any]:
    """The differences of every two of some designs.

    Args:
        codes: of one search space; those beyond the first `MOST` are left out.

    Returns:
        `count` of the codes, and `pairs`, the marks of the first and second,
        the first and third and so on.
    """
    kept = codes[:MOST]
    return {
        "count": len(kept),
        "pairs": [marks(first, second) for first, second in itertools.combinations(kept, 2)],
    }

"""Channels as expressions of what a class is given, `channels` and `filters`.

Concatenation adds widths and Add takes the larger one, so a width is the largest of some sums.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

CHANNELS, FILTERS = "channels", "filters"

Term = tuple[int, int, int]
"""How many times `channels`, how many times `filters`, and a number besides."""


@dataclasses.dataclass(frozen=True)
class Width:
    """The largest of some sums.

    Attributes:
        terms: the sums, none of which another one reaches for all channels and filters.
    """

    terms: frozenset[Term]

    def at(self, channels: int, filters: int) -> int:
        """Its value."""
        return max(a * channels + b * filters + c for a, b, c in self.terms)

    def __add__(self, other: Width) -> Width:
        return _largest((a + d, b + e, c + f) for a, b, c in self.terms for d, e, f in other.terms)

    def __or__(self, other: Width) -> Width:
        """The larger of both."""
        return _largest((*self.terms, *other.terms))

    @property
    def names(self) -> set[str]:
        """Those of `channels` and `filters` that it depends on."""
        found = {CHANNELS} if any(a for a, _, _ in self.terms) else set()
        return found | ({FILTERS} if any(b for _, b, _ in self.terms) else set())

    def __str__(self) -> str:
        texts = [_text(*term) for term in sorted(self.terms, reverse=True)]
        return texts[0] if len(texts) == 1 else f"max({', '.join(texts)})"


def width(channels: int = 0, filters: int = 0, number: int = 0) -> Width:
    """So many times `channels` and `filters`, and a number."""
    return Width(frozenset({(channels, filters, number)}))


def likely_widths(inputs: Sequence[Width], takes_filters: bool) -> Iterator[Width]:
    """What the width of a layer may be, most likely first.

    Args:
        inputs: widths of what it reads.
        takes_filters: whether its operation leaves the choice of its width.

    Yields:
        Widths to compare with what was measured.
    """
    if takes_filters:
        yield width(filters=1)
        yield from (width(filters=times) for times in range(2, 9))
        yield from (width(channels=times) for times in range(1, 9))
    widest = total = inputs[0]
    yield widest
    for other in inputs[1:]:
        widest, total = widest | other, total + other
    yield widest
    yield total


def _largest(terms: Sequence[Term] | Iterator[Term]) -> Width:
    distinct = set(terms)
    return Width(
        frozenset(
            term
            for term in distinct
            if not any(
                other != term and all(x <= y for x, y in zip(term, other, strict=True))
                for other in distinct
            )
        )
    )


def _text(channels: int, filters: int, number: int) -> str:
    words = [
        name if times == 1 else f"{times} * {name}"
        for name, times in ((CHANNELS, channels), (FILTERS, filters))
        if times
    ]
    return " + ".join([*words, str(number)] if number or not words else words)

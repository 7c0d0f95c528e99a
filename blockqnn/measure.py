"""By what a child is judged: accuracy, or of language models perplexity.

Trials keep one kind of number for both, in percent, of which more is better: of a language model
it is 100 / perplexity, the geometric mean of the probability that it gave to each word. Whatever
people read is perplexity.
"""

from __future__ import annotations

import dataclasses
import math

from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import space_of


@dataclasses.dataclass(frozen=True)
class Measure:
    """How a number that judges is written.

    Attributes:
        name: of what is measured.
        unit: behind a number, with a blank; empty for none.
        inverse: whether it is 100 over the number that is kept.
    """

    name: str
    unit: str
    inverse: bool

    @property
    def column(self) -> str:
        """The header of a column."""
        return f"{self.name}{self.unit}"

    @property
    def kept(self) -> str:
        """What is kept, in words, to stand over a column or at an axis of such numbers."""
        return f"100 / {self.name}" if self.inverse else f"{self.name} in percent"

    def value(self, kept: float) -> float:
        """What is read of a number that is kept in percent."""
        if not self.inverse:
            return kept
        # A model that has learned to give a word no chance at all.
        return 100.0 / kept if kept else math.inf

    def spread(self, kept: float, deviation: float) -> float:
        """The deviation of what is read, to first order."""
        return deviation * (self.value(kept) / kept if self.inverse else 1.0)

    def figure(self, kept: float | None, digits: int = 2) -> str:
        """The number with fixed digits; a dash where there is none."""
        return "-" if kept is None else f"{self.value(kept):.{digits}f}"

    def in_words(self, kept: float | None) -> str:
        """The number with its unit; a dash where there is none."""
        return "-" if kept is None else f"{self.figure(kept)}{self.unit}"

    def growth(self, early: float | None, late: float | None, when: str) -> str:
        """What a longer training has changed, in words; `when` is what stands behind the later."""
        name = "" if self.unit else f"{self.name} "
        before = "" if early is None else f"{self.in_words(early)} early, "
        return f"{name}{before}{self.in_words(late)} {when}"


ACCURACY = Measure("accuracy", " %", inverse=False)
PERPLEXITY = Measure("perplexity", "", inverse=True)


def measure_in(layout: Layout) -> Measure:
    """By what children of a layout are judged."""
    return PERPLEXITY if layout.of_words else ACCURACY


def measure_of(code: Code) -> Measure:
    """By what a code's child is judged."""
    return PERPLEXITY if LANGUAGE in space_of(code).layouts else ACCURACY

"""What a code means, as far as whoever does not know its space may ask."""

from __future__ import annotations

import dataclasses
from typing import Protocol


class Design(Protocol):
    """What a code means; two codes of one hash are one network to the last weight."""

    @property
    def space(self) -> str:
        """Name of its space."""

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that name it."""

    @property
    def density(self) -> float:
        """Edges over nodes of its graph, the density of equation 7 of the BlockQNN paper."""

    @property
    def emptiness(self) -> str:
        """Why there is nothing to train, for the user; empty where there is something."""


@dataclasses.dataclass(frozen=True)
class Promise:
    """What made-up accuracies look at.

    Attributes:
        kernels: side of each convolution's window, in pixels.
        shortcuts: how many ways there are around convolutions.
    """

    kernels: tuple[int, ...]
    shortcuts: int

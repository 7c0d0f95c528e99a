"""The layout of a child network: what stands around the blocks.

Figure 3 of the BlockQNN paper. CIFAR: convolution, then stages of `repeats`
blocks with pooling between them, then a linear classifier. ImageNet: the same
after two convolutions, each followed by pooling.
"""

from __future__ import annotations

import dataclasses
from typing import Any

CIFAR = "cifar"
IMAGENET = "imagenet"
CELLS = "cells"
CELLS_IMAGENET = "cells_imagenet"
WHOLE = "whole"
"""Nothing is repeated: a design is a network but for its classifier."""
LANGUAGE = "language"
"""A language model: words in, a score for each next word out; filters are widths of cells."""
OF_CELLS = (CELLS, CELLS_IMAGENET)
"""Layouts of cells that read the two cells before them."""

_HALVINGS = {IMAGENET: 2, CELLS_IMAGENET: 3}
"""How often a stem halves height and width, where it does."""
_CELL_STAGES = 3
_LATER = ("cells", "rules", "unscaled", "untied")


class LayoutError(ValueError):
    """A layout that cannot be built; the message is for the user."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a block is stacked into a child network.

    Attributes:
        kind: `cifar`, `imagenet`, or another that a search space brings along.
        filters: channels of every convolution in a stage, one number a stage.
            The stem has those of the first.
        repeats: N, the number of blocks in a stage.
        height: of the images, in pixels.
        width: of the images, in pixels.
        channels: of the images.
        classes: number of classes.
        cells: how many in all, reductions included, where cells are stacked; 0 for as many
            as `repeats` says.
        rules: how cells are stacked, or a whole network is built, where there is a choice;
            empty for the space's own.
        unscaled: whether the batch norms of what is designed have no scale and shift, as in the
            supernets of papers; those around it keep them.
        untied: whether the decoder of a language model has weights of its own, and not those of
            the embedding.
        named: whether somebody chose it; else a design's usual layout may take its place. It is
            not a part of the layout, and in no record.
    """

    kind: str = CIFAR
    filters: tuple[int, ...] = (32, 64, 128)
    repeats: int = 4
    height: int = 32
    width: int = 32
    channels: int = 3
    classes: int = 10
    cells: int = 0
    rules: str = ""
    unscaled: bool = False
    untied: bool = False
    named: bool = dataclasses.field(default=True, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.filters:
            raise LayoutError("A layout needs the filters of at least one stage, given none.")
        numbers = {
            "filters": min(self.filters),
            "repeats": self.repeats,
            "image height": self.height,
            "image width": self.width,
            "image channels": self.channels,
            "classes": self.classes,
        }
        for name, value in numbers.items():
            if value < 1:
                raise LayoutError(f"A layout needs {name} of at least 1, given {value}.")
        if min(self.height, self.width) < 2**self.downsamplings:
            raise LayoutError(
                f"Images of {self.height}x{self.width} pixels are too small for this layout, which "
                f"halves them {self.downsamplings} times; allowed: at least "
                f"{2**self.downsamplings}x{2**self.downsamplings}, or fewer stages (--filters)."
            )

    def as_json(self) -> dict[str, Any]:
        """The layout for a record, from whose fields it can be made again.

        What layouts have not always had is left out where it is empty, so that records, and what
        is named after them, stay what they were.
        """
        fields = dataclasses.asdict(self)
        del fields["named"]
        return {name: value for name, value in fields.items() if value or name not in _LATER}

    @property
    def of_words(self) -> bool:
        """Whether it is a language model's: it reads words, and `classes` is how many it knows."""
        return self.kind == LANGUAGE

    @property
    def examples(self) -> str:
        """What networks in it learn from, in a word."""
        return "words" if self.of_words else "images"

    @property
    def downsamplings(self) -> int:
        """How often height and width are halved."""
        if self.of_words:
            return 0
        return len(self.filters) - 1 + _HALVINGS.get(self.kind, 0)

    def of_kind(self, kind: str) -> Layout:
        """The layout with another kind.

        Args:
            kind: see the class.

        Returns:
            The layout. Where cells are stacked, one number of filters doubles from each of
            three stages to the next, as all papers have it.
        """
        filters = self.filters
        if kind in OF_CELLS and len(filters) == 1:
            filters = tuple(filters[0] * 2**stage for stage in range(_CELL_STAGES))
        return dataclasses.replace(self, kind=kind, filters=filters)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self.height, self.width, self.channels

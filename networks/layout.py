"""The layout of a child network: what stands around the blocks.

Figure 3 of the BlockQNN paper. CIFAR: convolution, then stages of `repeats`
blocks with pooling between them, then a linear classifier. ImageNet: the same
after two convolutions, each followed by pooling.
"""

from __future__ import annotations

import dataclasses

CIFAR = "cifar"
IMAGENET = "imagenet"


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
    """

    kind: str = CIFAR
    filters: tuple[int, ...] = (32, 64, 128)
    repeats: int = 4
    height: int = 32
    width: int = 32
    channels: int = 3
    classes: int = 10

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

    @property
    def downsamplings(self) -> int:
        """How often height and width are halved."""
        return len(self.filters) - 1 + (2 if self.kind == IMAGENET else 0)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self.height, self.width, self.channels

"""A recipe for images that no preset is made for, by their number, their size and the machine."""

from __future__ import annotations

import dataclasses
import math

_STEPS_ON_CPU, _STEPS_ON_ACCELERATOR = 1_500, 20_000
"""Steps that a training should have, so far as the bounds of the epochs allow."""

_LEAST_EPOCHS, _MOST_EPOCHS_ON_CPU, _MOST_EPOCHS = 15, 60, 300
"""The last is the paper's number."""

_WARMUP_EPOCHS = 2
_LARGEST_BATCH = 128
_BATCHES_AN_EPOCH = 8
"""At least so many batches an epoch, as long as a batch has 8 images."""

_COLOURS = 3


@dataclasses.dataclass(frozen=True)
class OwnRecipe:
    """What of a recipe follows from the images.

    Attributes:
        epochs: passes over the training part.
        batch_size: images in a step.
        learning_rate: the paper's 0.1 for 128 images, in proportion to the batch.
        warmup_epochs: over which the rate grows; few, and fewer where all are few.
        milestones: after the half and after three quarters of the epochs, as in the paper.
        crop_padding: pixels, an eighth of a side, which for CIFAR are the paper's 4.
        flip: images of one channel, such as characters and scans, are not mirrored.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    warmup_epochs: int
    milestones: tuple[int, ...]
    crop_padding: int
    flip: bool

    def flags(self) -> list[str]:
        """The recipe as one would type it."""
        return [
            f"--epochs={self.epochs}",
            f"--batch_size={self.batch_size}",
            f"--learning_rate={self.learning_rate:g}",
            f"--warmup_epochs={self.warmup_epochs}",
            f"--milestones={','.join(map(str, self.milestones))}",
            f"--crop_padding={self.crop_padding}",
            f"--flip={str(self.flip).lower()}",
        ]


def own_recipe(
    examples: int,
    shape: tuple[int, int, int],
    accelerator: bool,
    epochs: int = 0,
    batch_size: int = 0,
) -> OwnRecipe:
    """Chooses a recipe.

    Args:
        examples: images to train on.
        shape: height, width and channels of what the network sees.
        accelerator: whether a GPU or a TPU trains.
        epochs: if they are given; 0 to choose them.
        batch_size: if it is given; 0 to choose it.

    Returns:
        The recipe; its batch is never larger than the number of images.
    """
    if not batch_size:
        wanted = max(8, examples // _BATCHES_AN_EPOCH)
        power_of_two = 2 ** int(math.log2(min(_LARGEST_BATCH, wanted)))
        batch_size = max(1, min(power_of_two, examples))
    steps = max(1, examples // batch_size)
    if not epochs:
        total = _STEPS_ON_ACCELERATOR if accelerator else _STEPS_ON_CPU
        most = _MOST_EPOCHS if accelerator else _MOST_EPOCHS_ON_CPU
        epochs = min(max(math.ceil(total / steps), _LEAST_EPOCHS), most)
    milestones = {epochs // 2, 3 * epochs // 4}
    return OwnRecipe(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=float(f"{0.1 * batch_size / _LARGEST_BATCH:.2g}"),
        warmup_epochs=min(_WARMUP_EPOCHS, epochs // 5),
        milestones=tuple(sorted(m for m in milestones if 0 < m < epochs)),
        crop_padding=max(1, round(min(shape[:2]) / 8)),
        flip=shape[2] >= _COLOURS,
    )

"""How well logits fit labels: error, top-5 error, loss, and the same for each class."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from blockqnn.full_training.feeding import batches
from blockqnn.full_training.splits import Part

TOP = 5


@dataclasses.dataclass(frozen=True)
class Measured:
    """A network on a set of labelled images.

    Attributes:
        examples: how many images.
        error: share of images whose best class is wrong, in percent.
        top5_error: share whose class is not among the best five, in percent;
            None where there are no more than five classes.
        loss: mean cross-entropy.
        confusion: int [classes, classes], images by their class and the best class.
    """

    examples: int
    error: float
    top5_error: float | None
    loss: float
    confusion: np.ndarray

    def facts(self) -> dict[str, Any]:
        """The figures for JSON, without those of each class."""
        return {
            "examples": self.examples,
            "error": self.error,
            "top5_error": self.top5_error,
            "loss": self.loss,
        }


class Tally:
    """Adds up batches."""

    def __init__(self, classes: int):
        """Begins with nothing.

        Args:
            classes: number of classes.
        """
        self._confusion = np.zeros((classes, classes), np.int64)
        self._top5, self._loss = 0, 0.0

    def add(self, logits: np.ndarray, labels: np.ndarray) -> None:
        """Counts a batch.

        Args:
            logits: float32 [B, classes].
            labels: int32 [B].
        """
        exact = logits.astype(np.float64)
        rows = np.arange(len(labels))
        own = exact[rows, labels]
        # How many classes are ahead of the right one: ties go to the lower number, as argmax does.
        ahead = (exact > own[:, None]) | (
            (exact == own[:, None]) & (np.arange(exact.shape[1])[None, :] < labels[:, None])
        )
        self._top5 += int(np.sum(ahead.sum(1) < TOP))
        highest = exact.max(1, keepdims=True)
        self._loss += float(np.sum(np.log(np.exp(exact - highest).sum(1)) + highest[:, 0] - own))
        np.add.at(self._confusion, (labels, exact.argmax(1)), 1)

    def measured(self) -> Measured:
        """What has been counted."""
        total, classes = int(self._confusion.sum()), len(self._confusion)
        right = int(np.trace(self._confusion))
        return Measured(
            examples=total,
            error=100.0 * (total - right) / total,
            top5_error=100.0 * (total - self._top5) / total if classes > TOP else None,
            loss=self._loss / total,
            confusion=self._confusion,
        )


def measure(
    logits: Callable[[np.ndarray], np.ndarray],
    part: Part,
    classes: int,
    batch_size: int,
    readers: int,
    seen: Callable[[int], None] = lambda _: None,
) -> Measured:
    """Evaluates a network on a part, in batches of one size.

    Args:
        logits: from images, uint8 [batch_size, H, W, C], to float32 [batch_size, classes].
        part: the images.
        classes: number of classes.
        batch_size: images at once; the last batch is filled up and its rest not counted.
        readers: threads that read and decode.
        seen: is told after each batch how many images have been counted.

    Returns:
        The figures.
    """
    tally = Tally(classes)
    pieces = [
        np.arange(start, min(start + batch_size, len(part)))
        for start in range(0, len(part), batch_size)
    ]
    done = 0
    for batch in batches(part, pieces, readers):
        filled = np.resize(batch.images, (batch_size, *batch.images.shape[1:]))
        tally.add(logits(filled)[: len(batch)], batch.labels)
        done += len(batch)
        seen(done)
    return tally.measured()

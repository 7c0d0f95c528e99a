"""What was found in a data set: the facts that every verb says before it begins."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping

from blockqnn.data.images import ImageInfo

_NAMES_SHOWN = 12


@dataclasses.dataclass(frozen=True)
class ImageSizes:
    """The heights and widths of a data set's images before they are scaled.

    Attributes:
        heights: by image, in pixels.
        widths: by image, in pixels.
    """

    heights: tuple[int, ...]
    widths: tuple[int, ...]

    @property
    def one(self) -> tuple[int, int] | None:
        """Height and width if all images have the same; else None."""
        sizes = set(zip(self.heights, self.widths, strict=True))
        return sizes.pop() if len(sizes) == 1 else None

    @property
    def median(self) -> tuple[int, int]:
        """The median height and the median width."""
        return round(statistics.median(self.heights)), round(statistics.median(self.widths))

    @property
    def smallest(self) -> tuple[int, int]:
        """The least height and the least width."""
        return min(self.heights), min(self.widths)

    @property
    def largest(self) -> tuple[int, int]:
        """The greatest height and the greatest width."""
        return max(self.heights), max(self.widths)


@dataclasses.dataclass(frozen=True)
class Contents:
    """What was found in a data set.

    Attributes:
        dataset: its name as it was given.
        info: shape of the images as they will be read, and number of classes.
        class_names: in the order of the labels.
        train: images of the training split.
        validation: images of a validation split of its own that is used; 0 where
            some of the training images are held out instead.
        test: labelled test images; 0 where there are none.
        passed_over: number of files that are not read, by reason.
        class_sizes: training images of each class; empty where that is not known.
        notes: sentences on what looks odd, such as test images that are also
            training images.
        scaled: whether images are scaled to that shape.
    """

    dataset: str
    info: ImageInfo
    class_names: tuple[str, ...]
    train: int
    validation: int = 0
    test: int = 0
    passed_over: Mapping[str, int] = dataclasses.field(default_factory=dict)
    class_sizes: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    scaled: bool = False

    @property
    def smallest_class(self) -> tuple[str, int] | None:
        """The class with fewest training images, and how many; None where that is not known."""
        if not self.class_sizes:
            return None
        fewest = min(self.class_sizes)
        return self.class_names[self.class_sizes.index(fewest)], fewest

    def in_words(self) -> str:
        """Some lines for the head of what a verb prints; the first begins with the name."""
        if self.info.of_words:
            return self._of_words()
        height, width, channels = self.info.shape
        kind = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
        scaled = "scaled to " if self.scaled else ""
        lines = [
            f"{self.dataset}: {self.info.classes:,} classes ({self._names()}), images {scaled}"
            f"{height}x{width}, {kind}",
            f"{self.train:,} training images{self._spread()}; "
            + (f"{self.validation:,} validation images; " if self.validation else "")
            + (f"{self.test:,} test images" if self.test else "no test split"),
        ]
        if self.passed_over:
            passed = ", ".join(f"{count:,} {why}" for why, count in self.passed_over.items())
            lines.append(f"passed over: {passed}")
        return "\n".join([*lines, *self.notes])

    def _of_words(self) -> str:
        parts = [f"{self.train:,} words to train on"]
        if self.validation:
            parts.append(f"{self.validation:,} to judge by")
        parts.append(f"{self.test:,} to test" if self.test else "no test text")
        first = f"{self.dataset}: a text, vocabulary of {self.info.classes:,}; {', '.join(parts)}"
        return "\n".join([first, *self.notes])

    def _names(self) -> str:
        names = list(self.class_names[:_NAMES_SHOWN])
        if len(self.class_names) > _NAMES_SHOWN:
            names = [*names[:-2], "...", self.class_names[-1]]
        return ", ".join(names)

    def _spread(self) -> str:
        if self.smallest_class is None:
            return ""
        (name, fewest), most = self.smallest_class, max(self.class_sizes)
        if fewest == most:
            return f", {most:,} of each class"
        return f", {fewest:,} ({name}) to {most:,} of a class"

"""Images that are there more than once: in two splits, or with two labels."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence

from blockqnn.data.source import TRAIN


def in_words(places: Mapping[bytes, Sequence[tuple[str, int]]]) -> list[str]:
    """Sentences on images that are in two splits or have two labels.

    Args:
        places: split and label of each image, by what is the same for equal images.

    Returns:
        At most one sentence for each other split, and one on labels.
    """
    shared: collections.Counter[str] = collections.Counter()
    contradicting = 0
    for found in places.values():
        splits = {split for split, _ in found}
        if TRAIN in splits:
            shared.update(splits - {TRAIN})
        contradicting += len({label for _, label in found}) > 1
    said = [
        f"WARNING: {_images(count)} of {split} {'is' if count == 1 else 'are'} also in training."
        for split, count in sorted(shared.items())
    ]
    if contradicting:
        verb = "stands" if contradicting == 1 else "stand"
        said.append(f"WARNING: {_images(contradicting)} {verb} in more than one class.")
    return said


def _images(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"

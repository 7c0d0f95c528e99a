"""Many small arrays as a few large ones, which are written and read in a fraction of the time."""

from __future__ import annotations

from typing import Any

import numpy as np

Arrays = dict[str, Any]
"""Nested dicts of NumPy arrays."""
Index = list[tuple[list[str], str, list[int]]]
"""For each array the names that lead to it, its dtype and its shape."""


def packed(arrays: Arrays) -> tuple[dict[str, np.ndarray], Index]:
    """Packs arrays.

    Args:
        arrays: nested, with text as keys.

    Returns:
        By dtype all numbers of its arrays one after another, and what leads back.
    """
    index: Index = []
    parts: dict[str, list[np.ndarray]] = {}

    def visit(value: Any, names: list[str]) -> None:
        """Packs what lies under some names."""
        if isinstance(value, dict):
            for name, inner in value.items():
                visit(inner, [*names, name])
            return
        array = np.asarray(value)
        index.append((names, array.dtype.name, list(array.shape)))
        parts.setdefault(array.dtype.name, []).append(array.reshape(-1))

    visit(arrays, [])
    return {dtype: np.concatenate(own) for dtype, own in parts.items()}, index


def unpacked(flat: dict[str, np.ndarray], index: Index) -> Arrays:
    """The arrays that were packed.

    Args:
        flat: as `packed` returned it.
        index: likewise.

    Returns:
        The arrays, nested as they were; dicts without any are gone.

    Raises:
        ValueError: if one does not belong to the other.
    """
    found: Arrays = {}
    begun = dict.fromkeys(flat, 0)
    for names, dtype, shape in index:
        count = int(np.prod(shape, dtype=np.int64))
        if dtype not in flat or begun[dtype] + count > flat[dtype].size:
            raise ValueError("an index of other arrays")
        own = flat[dtype][begun[dtype] : begun[dtype] + count].reshape(shape)
        begun[dtype] += count
        place = found
        for name in names[:-1]:
            place = place.setdefault(name, {})
        place[names[-1]] = own
    return found

"""Constants of source code, whatever the values are that come from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def background_of(training: Mapping[str, Any] | None) -> str:
    """The colour behind transparent pixels.

    Args:
        training: facts about the training, or None.

    Returns:
        That of the data that were trained on, or white, as Pillow takes it.
    """
    data = (training or {}).get("data")
    source = data.get("source") if isinstance(data, Mapping) else None
    found = source.get("background") if isinstance(source, Mapping) else None
    try:
        colour = tuple(int(value) for value in found or ())
    except (TypeError, ValueError):
        colour = ()
    if len(colour) != 3 or colour == (255, 255, 255):
        return '"white"'
    return str((*colour, 255))


def numbers(values: Sequence[float]) -> str:
    """A tuple of numbers, each as short as names the float32."""
    texts = [str(np.float32(value)) for value in values]
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


def strings(values: Sequence[str]) -> str:
    """A tuple of strings, whatever is in them."""
    if not values:
        return "()"
    return "(\n" + "".join(f"    {_string(value)},\n" for value in values) + ")"


def _string(value: str) -> str:
    """A string as Python writes it in ASCII, in double quotes where it holds none."""
    text = ascii(str(value))
    return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in text else text

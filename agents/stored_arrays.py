"""Arrays as JSON can hold them, to the last bit."""

from __future__ import annotations

import base64

import numpy as np

_BYTES = np.dtype("<f4")
"""Whatever machine wrote them, the bytes are little-endian float32."""


def as_text(array: np.ndarray) -> str:
    """An array as text.

    Args:
        array: float32, of one axis.

    Returns:
        Base64 of its bytes.
    """
    return base64.b64encode(np.ascontiguousarray(array, _BYTES).tobytes()).decode("ascii")


def from_text(text: str) -> np.ndarray:
    """The array that `as_text` wrote: float32, of one axis."""
    return np.frombuffer(base64.b64decode(text, validate=True), _BYTES).astype(np.float32)

"""The largest eigenvalue of a Hessian that is known by its products alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from blockqnn.supernets.alpha import Rows

Product = Callable[[Rows], Rows]
"""From a vector v, by row, to H v."""


def dominant_eigenvalue(product: Product, begin: Rows, steps: int) -> tuple[float, Rows]:
    """The eigenvalue of largest size, by power iteration: `v <- H v / |H v|`.

    Zela et al., "Understanding and Robustifying Differentiable Architecture Search", ICLR 2020,
    take that of the validation loss in alpha as the sign of a collapse.

    Args:
        product: of the Hessian.
        begin: the vector to begin with, not zero.
        steps: products that are computed, at least one.

    Returns:
        The Rayleigh quotient `v H v / v v` of the last vector but one, and the last vector.
    """
    names = list(begin)
    vector = _flat(begin, names)
    vector /= np.linalg.norm(vector)
    value = 0.0
    for _ in range(steps):
        image = _flat(product(_by_row(vector, begin)), names)
        value = float(vector @ image)
        size = float(np.linalg.norm(image))
        if size == 0 or not np.isfinite(size):
            break
        vector = image / size
    return value, _by_row(vector, begin)


def _flat(rows: Rows, names: list[str]) -> np.ndarray:
    return np.concatenate([np.asarray(rows[name], np.float64) for name in names])


def _by_row(vector: np.ndarray, like: Rows) -> dict[str, np.ndarray]:
    found, begin = {}, 0
    for name, row in like.items():
        found[name] = vector[begin : begin + len(row)].astype(np.float32)
        begin += len(row)
    return found

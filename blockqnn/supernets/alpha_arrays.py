"""Alpha as arrays that are kept beside a bank: nothing here imports JAX."""

from __future__ import annotations

from typing import Any

import numpy as np

from blockqnn.supernets.alpha import Alpha, Rows


def as_arrays(alpha: Alpha, vector: Rows) -> dict[str, Any]:
    """Alpha and a vector of its size as nested dicts of arrays.

    Args:
        alpha: with its moments.
        vector: that a power iteration ended with, by row; empty for none.

    Returns:
        Arrays under names that files may have, in the order of the rows.
    """
    kept = {"rows": alpha.rows, "first": alpha.first, "second": alpha.second}
    if vector:
        kept["vector"] = vector
    arrays: dict[str, Any] = {
        # Names of rows are no names of files.
        name: {f"{place:04d}": np.asarray(row) for place, row in enumerate(own.values())}
        for name, own in kept.items()
    }
    names = "\n".join(alpha.rows)
    arrays["names"] = np.frombuffer(names.encode(), np.uint8).copy()
    arrays["steps"] = np.asarray(alpha.steps, np.int64)
    return arrays


def from_arrays(arrays: dict[str, Any], count: int) -> tuple[Alpha, dict[str, np.ndarray]]:
    """What `as_arrays` has made arrays of.

    Args:
        arrays: as it returned them.
        count: of rows.

    Returns:
        Alpha and the vector.
    """
    names = bytes(np.asarray(arrays["names"])).decode().split("\n")
    assert len(names) == count, "the bank is of another mixture"

    def rows(name: str) -> dict[str, np.ndarray]:
        """What was kept of each row under a name."""
        own = arrays[name]
        return {row: np.asarray(own[f"{place:04d}"]) for place, row in enumerate(names)}

    alpha = Alpha(rows("rows"), rows("first"), rows("second"), int(arrays["steps"]))
    return alpha, rows("vector") if "vector" in arrays else {}

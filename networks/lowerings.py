"""Which lowering of a convolution is the fastest on a processor: tables of what was measured.

A table has, for some shapes, the time of each candidate over that of XLA's own
operation. A convolution takes what is fastest at the nearest shape of the table that is
in use, so with one table the choice is always the same. `blockqnn bench --measure_lowerings`
makes the table of a machine. Nothing here imports JAX.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import math
import os
import pathlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from blockqnn.networks.processor import kind_of_processor, processor_name

PLAIN = "plain"
"""XLA's own operation."""
PIECES = (8, 16, 32)
"""Images in a piece of a batch, of which gradients are taken apart."""
CANDIDATES = {
    "value": (PLAIN, "dense", "pairs", "quads", "winograd"),
    "kernel_gradient": (
        *(PLAIN, "dense", "exchanged", "winograd"),
        *(f"pieces of {piece}" for piece in PIECES),
        *(f"exchanged, pieces of {piece}" for piece in PIECES),
    ),
}
"""For a value or the gradient for an input, and for the gradient for a kernel."""
_MARGIN = 0.9
"""Of the time of XLA's own: what saves less is not worth its compilation, or is noise."""
_LONG, _LONG_MARGIN = frozenset({"winograd"}), 0.8
"""What takes several times as long to compile (Winograd's products are six operations) and loses a
bit or two of a sum is taken below this share of the time of what would be taken without it."""
WINOGRAD_ROWS: Mapping[int, int] = MappingProxyType({3: 4, 5: 2})
"""Pixels of a column that Winograd's products compute together, by side of the kernel."""

_TABLES = pathlib.Path(__file__).parent / "lowering_tables"
"""A table for each kind of processor that was measured, as `bench --measure_lowerings` made it."""


class LoweringError(ValueError):
    """A table of lowerings that cannot be used; the message says why."""


class Shape(NamedTuple):
    """Of a convolution: the side of its kernel, the map, channels in and out."""

    kernel: int
    height: int
    width: int
    inputs: int
    outputs: int

    def distance(self, other: Shape) -> float:
        """How unlike another it is: octaves of the map, of the channels, and of the kernel."""
        return (
            8 * abs(math.log2(self.kernel / other.kernel))
            + abs(math.log2(min(self.height, self.width) / min(other.height, other.width)))
            + 0.5 * abs(math.log2(self.inputs / other.inputs))
            + 0.5 * abs(math.log2(self.outputs / other.outputs))
        )


Ratios = Mapping[str, float]
"""The time of each candidate over that of XLA's own."""


class Row(NamedTuple):
    """What was measured at a shape."""

    shape: Shape
    value: Ratios
    kernel_gradient: Ratios


@dataclasses.dataclass(frozen=True, eq=False)
class LoweringTable:
    """Which candidate to take where.

    Attributes:
        name: the kind of processor that it was measured on, `usual`, or `own` for one that a
            user has measured.
        rows: what was measured; without any, XLA's own is taken everywhere.
    """

    name: str
    rows: tuple[Row, ...] = ()

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that name what it says."""
        rows = [[row.shape, dict(row.value), dict(row.kernel_gradient)] for row in self.rows]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]

    def value(self, shape: Shape) -> str:
        """The candidate for a value, or for the gradient for an input.

        Args:
            shape: of the convolution.

        Returns:
            A name in `blockqnn.networks.convolution.VALUES`.
        """
        row = _nearest(self, shape)
        return PLAIN if row is None else _fastest(row.value, shape)

    def kernel_gradient(self, shape: Shape) -> str:
        """The candidate for the gradient for a kernel.

        Args:
            shape: of the convolution.

        Returns:
            A name in `blockqnn.networks.convolution.KERNEL_GRADIENTS`.
        """
        row = _nearest(self, shape)
        return PLAIN if row is None else _fastest(row.kernel_gradient, shape)


def applies(name: str, shape: Shape) -> bool:
    """Whether a candidate can be taken, and is not absurd.

    Args:
        name: of the candidate.
        shape: of the convolution.

    Returns:
        Whether the kernel is larger than the map where the whole map is to be one vector, whether
        the width can be parted where pixels are to be taken together, and the height where
        Winograd's products make several rows.
    """
    if name == "dense":
        # The dense matrix is then not much larger than map and kernel.
        pixels = shape.height * shape.width
        return shape.kernel > min(shape.height, shape.width) and pixels < shape.kernel**2
    if name == "winograd":
        rows = WINOGRAD_ROWS.get(shape.kernel)
        return rows is not None and shape.height % rows == 0
    together = {"pairs": 2, "quads": 4}.get(name, 1)
    return shape.width % together == 0


@functools.cache
def _nearest(table: LoweringTable, shape: Shape) -> Row | None:
    return min(table.rows, key=lambda row: shape.distance(row.shape), default=None)


def _fastest(ratios: Ratios, shape: Shape) -> str:
    possible = {PLAIN: 1.0} | {n: r for n, r in ratios.items() if applies(n, shape)}
    quick = {n: r for n, r in possible.items() if n == PLAIN or (n not in _LONG and r < _MARGIN)}
    best = min(quick, key=quick.__getitem__)
    long = {n: r for n, r in possible.items() if n in _LONG and r < _LONG_MARGIN * quick[best]}
    return min(long, key=long.__getitem__, default=best)


def _row(kernel: int, side: int, value: Ratios, kernel_gradient: Ratios) -> Row:
    return Row(Shape(kernel, side, side, 32, 32), value, kernel_gradient)


_LARGE, _MEDIUM, _DENSE = {"pieces of 8": 0.6}, {"pieces of 16": 0.7}, {"dense": 0.5}
USUAL = LoweringTable(
    "usual",
    (
        *(_row(kernel, side, {}, _LARGE) for kernel in (3, 5) for side in (16, 32)),
        *(_row(kernel, 8, {}, _MEDIUM) for kernel in (3, 5)),
        _row(3, 4, {}, {}),
        _row(5, 4, _DENSE, _DENSE),
        *(_row(kernel, side, _DENSE, _DENSE) for kernel in (3, 5) for side in (1, 2)),
    ),
)
"""Where nobody has measured: what is good on all processors that were tried."""


def own_table(environment: Mapping[str, str] = os.environ) -> pathlib.Path:
    """Where the table is kept that the user has measured here.

    Args:
        environment: its XDG_CACHE_HOME is respected.

    Returns:
        A path, of another file for each name and kind of processor.
    """
    home = pathlib.Path(environment.get("XDG_CACHE_HOME") or "~/.cache")
    words = re.sub(r"\W+", "-", f"{processor_name()} {kind_of_processor()}").strip("-").lower()
    with contextlib.suppress(RuntimeError):  # There is no home.
        home = home.expanduser()
    return home / "blockqnn" / f"lowerings-{words}.json"


_in_use: LoweringTable | None = None


def in_use() -> LoweringTable:
    """The table by which this process lowers convolutions on a processor.

    Returns:
        The own table of this machine's user. Where there is none, or none that this user may
        read, the one that was measured on this kind of processor, or the usual one. From the
        first call on always the same.

    Raises:
        LoweringError: if the own table is damaged.
    """
    global _in_use
    if _in_use is None:
        _in_use = _found()
    return _in_use


def _found() -> LoweringTable:
    path = own_table()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return measured_on(kind_of_processor()) or USUAL
    try:
        return _read("own", json.loads(text))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LoweringError(
            f"{path} is no table of lowerings ({error}); measure it again, by blockqnn bench "
            "--measure_lowerings, or remove it."
        ) from error


def measured_on(kind: str) -> LoweringTable | None:
    """The table that was measured on a kind of processor.

    Args:
        kind: see `kind_of_processor`.

    Returns:
        The table; None for a kind that nobody has measured.
    """
    path = _TABLES / f"{kind}.json"
    if not path.exists():
        return None
    return _read(kind, json.loads(path.read_text(encoding="utf-8")))


def _read(name: str, content: Mapping[str, Any]) -> LoweringTable:
    rows = []
    for row in content["rows"]:
        shape = Shape(*(int(number) for number in row["shape"]))
        if min(shape) < 1:
            raise ValueError(f"there is no shape {shape}")
        ratios = {name: {n: float(r) for n, r in row[name].items()} for name in CANDIDATES}
        for direction, found in ratios.items():
            for unknown in found.keys() - set(CANDIDATES[direction]):
                raise ValueError(f"{unknown!r} is no candidate")
        rows.append(Row(shape, **ratios))
    return LoweringTable(name, tuple(rows))

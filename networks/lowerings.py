"""Which lowering of a convolution is the fastest: measured tables, one for a kind of processor.

A table has, for some shapes, the time of each candidate over that of XLA's own
operation. A convolution takes what is fastest at the nearest shape of the table that is
in use, so on one machine the choice is always the same. `blockqnn bench --measure_lowerings`
measures a table. Nothing here imports JAX.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from blockqnn.networks.processor import kind_of_processor, processor_name

AUTO, OWN, PLAIN = "auto", "own", "plain"
PIECES = (8, 16, 32)
"""Images in a piece of a batch, of which gradients are taken apart."""
CANDIDATES = {
    "value": (PLAIN, "dense", "pairs", "quads"),
    "kernel_gradient": (
        *(PLAIN, "dense", "exchanged"),
        *(f"pieces of {piece}" for piece in PIECES),
        *(f"exchanged, pieces of {piece}" for piece in PIECES),
    ),
}
"""For a value or the gradient for an input, and for the gradient for a kernel."""
_MARGIN = 0.9
"""Of the time of XLA's own: what saves less is not worth its compilation, or is noise."""
_TABLES = pathlib.Path(__file__).parent / "lowering_tables"


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
        name: of the kind of processor.
        rows: what was measured; without any, XLA's own is taken everywhere.
    """

    name: str
    rows: tuple[Row, ...] = ()

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
        Whether the kernel is larger than the map where the whole map is to be one vector, and
        whether the width can be parted where pixels are to be taken together.
    """
    if name == "dense":
        # The dense matrix is then not much larger than map and kernel.
        pixels = shape.height * shape.width
        return shape.kernel > min(shape.height, shape.width) and pixels < shape.kernel**2
    together = {"pairs": 2, "quads": 4}.get(name, 1)
    return shape.width % together == 0


@functools.cache
def _nearest(table: LoweringTable, shape: Shape) -> Row | None:
    return min(table.rows, key=lambda row: shape.distance(row.shape), default=None)


def _fastest(ratios: Ratios, shape: Shape) -> str:
    possible = [n for n, r in ratios.items() if r < _MARGIN and applies(n, shape)]
    return min(possible, key=ratios.__getitem__, default=PLAIN)


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
"""For processors that nobody has measured: what is good on all those that were."""


def own_table(environment: Mapping[str, str] = os.environ) -> pathlib.Path:
    """Where the table is kept that the user has measured on this kind of machine.

    Args:
        environment: its XDG_CACHE_HOME is respected.

    Returns:
        A path, of another file for each model of processor.
    """
    home = environment.get("XDG_CACHE_HOME") or str(pathlib.Path("~/.cache").expanduser())
    model = re.sub(r"\W+", "-", processor_name()).strip("-").lower()
    return pathlib.Path(home) / "blockqnn" / f"lowerings-{model}.json"


def names() -> tuple[str, ...]:
    """What tables there may be: of this machine, and those that are there everywhere."""
    shipped = sorted(path.stem for path in _TABLES.glob("*.json"))
    return (AUTO, OWN, PLAIN, USUAL.name, *shipped)


def resolved(name: str) -> str:
    """What a name stands for on this machine.

    Args:
        name: one of `names()`.

    Returns:
        For `auto` `own`, if this machine was measured; for both, if it was not, the table of
        its kind, or the usual one. Any other name is what it is.
    """
    if name not in (AUTO, OWN):
        return name
    if own_table().exists():
        return OWN
    kind = kind_of_processor()
    return kind if kind in names() else USUAL.name


def table_named(name: str) -> LoweringTable:
    """The table of a name.

    Args:
        name: one of `names()`.

    Returns:
        The table.

    Raises:
        LoweringError: if it cannot be read.
    """
    return _load(resolved(name))


@functools.cache
def _load(name: str) -> LoweringTable:
    if name in (PLAIN, USUAL.name):
        return USUAL if name == USUAL.name else LoweringTable(PLAIN)
    path = own_table() if name == OWN else _TABLES / f"{name}.json"
    try:
        return _read(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise LoweringError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LoweringError(
            f"{path} is no table of lowerings ({error}); measure it again, by blockqnn bench "
            "--measure_lowerings, or remove it."
        ) from error


def _read(content: Mapping[str, Any]) -> LoweringTable:
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
    return LoweringTable(str(content["kind"]), tuple(rows))


_in_use: LoweringTable | None = None


def use(name: str) -> None:
    """Makes a table the one that convolutions are lowered by from now on, in this process.

    Args:
        name: as for `table_named`.

    Raises:
        LoweringError: if it cannot be read.
    """
    global _in_use
    _in_use = table_named(name)


def in_use() -> LoweringTable:
    """The table that convolutions are lowered by: what `auto` stands for, if none was named."""
    if _in_use is None:
        use(AUTO)
    assert _in_use is not None
    return _in_use

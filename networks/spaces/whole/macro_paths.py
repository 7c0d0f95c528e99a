"""ENAS's networks as paths through one that has every operation and every skip."""

from __future__ import annotations

from collections.abc import Sequence

from blockqnn.networks.operations.table import Operation
from blockqnn.networks.spaces.whole.families import OPERATIONS
from blockqnn.networks.spaces.whole.macro_plan import Body
from blockqnn.networks.spaces.whole.meaning import MacroLayer, MacroNetwork

OPERATION = "/operation"
"""What the row of a layer's operation ends with."""


def path(design: MacroNetwork) -> dict[str, tuple[int, ...]]:
    """See `Sharing.path`: the operation of each layer, and the maps that join its result."""
    found = {}
    for number, layer in enumerate(design.layers, start=1):
        ways = tuple(int(each == layer.operation) for each in OPERATIONS)
        found[f"layer{number}{OPERATION}"] = ways
        if number > 1:
            skips = (int(each in layer.skips) for each in range(number))
            found[f"layer{number}/joined"] = (1, *skips)
    return found


class PathBody(Body):
    """Places layers with every operation, and all maps before a layer, to join its result."""

    def _layer(self, name: str, layer: MacroLayer, maps: Sequence[int], filters: int) -> int:
        row = name.rpartition("/")[2]
        ways = [self._summed(f"{name}/{own.name}", own, maps[-1], filters) for own in OPERATIONS]
        here = self._choice(f"{name}/operation", ways, f"{row}{OPERATION}")
        if len(maps) == 1:
            return here
        here = self._choice(f"{name}/join/mixture", [here, *maps], f"{row}/joined")
        return self._add(f"{name}/join/norm", Operation.BATCH_NORM, (here,))

    def _choice(self, name: str, ways: Sequence[int], row: str) -> int:
        return self._builder.place(name, Operation.MIXTURE, ways, mixture=row, choices=len(ways))

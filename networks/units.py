"""A plan seen as units: the designs that a network repeats, and what else it is built of.

A layer whose name has three words or more, as `stage1/block2/layer3`, belongs to the unit that
the first two name. What a unit computes, whatever its widths, is its form; units of one form
are one class in source code.
"""

from __future__ import annotations

import dataclasses
import itertools

from blockqnn.networks.plan import Operation, PlacedLayer, Plan

Form = tuple[tuple[tuple[object, ...], ...], int]
"""For each layer operation, window, strides and what it reads, 0 being the unit's input and i its
i-th layer; then the same number for the unit's output."""


@dataclasses.dataclass(frozen=True)
class Unit:
    """Layers of a plan that read one map and write one map.

    Attributes:
        name: the words that its layers' names begin with, such as `stage1/block2`.
        layers: those that its output depends on, in the order of the plan.
        positions: of these layers in the plan.
        inputs: for each layer what it reads: 0 for the unit's input, i for its i-th layer.
        output: what the unit writes, as such a number.
        source: position in the plan of the map that it reads.
        channels: of that map.
    """

    name: str
    layers: tuple[PlacedLayer, ...]
    positions: tuple[int, ...]
    inputs: tuple[tuple[int, ...], ...]
    output: int
    source: int
    channels: int

    @property
    def form(self) -> Form:
        """What it computes, whatever its widths and wherever it stands."""
        layers = tuple(
            (layer.operation, *_window(layer), inputs)
            for layer, inputs in zip(self.layers, self.inputs, strict=True)
        )
        return layers, self.output

    @property
    def end(self) -> int:
        """Position in the plan of the map that it writes."""
        return self.positions[self.output - 1] if self.output else self.source

    @property
    def out_channels(self) -> int:
        """Of the map that it writes."""
        return self.layers[self.output - 1].shape[-1] if self.output else self.channels


Element = Unit | int
"""A unit, or the position of a layer that belongs to none."""


def units_of(plan: Plan) -> list[Element]:
    """Sees a network as units and single layers.

    Args:
        plan: of a network.

    Returns:
        Everything but the image in an order in which it can be computed. A group of layers that
        reads several maps, or of which several are read, is no unit but single layers.
    """
    found: list[Element] = []
    for name, group in itertools.groupby(range(1, len(plan)), lambda i: _unit_name(plan[i].name)):
        positions = list(group)
        unit = _unit(plan, name, positions) if name else None
        found += positions if unit is None else [unit]
    return found


def alone(plan: Plan, name: str) -> Unit:
    """The plan of one design alone as a unit.

    Args:
        plan: as `SearchSpace.alone` returns it.
        name: of the unit.

    Returns:
        The unit; its source is the image.
    """
    output = len(plan) - 1
    if plan[output].operation is Operation.CONCAT and len(plan[output].inputs) == 1:
        # It joins nothing: it only says which layer is the output.
        output = plan[output].inputs[0]
    return _made(plan, name, list(range(1, len(plan))), 0, output)


def _window(layer: PlacedLayer) -> tuple[int, int, int, int]:
    return layer.kernel, layer.across, layer.stride, layer.stride_across


def _unit_name(layer_name: str) -> str:
    words = layer_name.split("/")
    return "/".join(words[:2]) if len(words) > 2 else ""


def _unit(plan: Plan, name: str, positions: list[int]) -> Unit | None:
    inside = set(positions)
    sources = {i for position in positions for i in plan[position].inputs} - inside
    later = plan[positions[-1] + 1 :]
    outputs = {i for layer in later for i in layer.inputs} & inside
    if len(sources) != 1 or len(outputs) > 1:
        return None
    (source,) = sources
    return _made(plan, name, positions, source, outputs.pop() if outputs else source)


def _made(plan: Plan, name: str, positions: list[int], source: int, output: int) -> Unit:
    wanted = {output}
    for position in reversed(positions):
        if position in wanted:
            wanted.update(plan[position].inputs)
    kept = [position for position in positions if position in wanted]
    number = {source: 0} | {position: place for place, position in enumerate(kept, start=1)}
    return Unit(
        name,
        tuple(plan[position] for position in kept),
        tuple(kept),
        tuple(tuple(number[i] for i in plan[position].inputs) for position in kept),
        number[output],
        source,
        plan[source].shape[-1],
    )

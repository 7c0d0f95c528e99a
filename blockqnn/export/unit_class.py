"""A class of source code: a design, or whatever else of several layers a network has."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from collections.abc import Sequence

from blockqnn.errors import UserError
from blockqnn.export.widths import FILTERS, Width, likely_widths, width
from blockqnn.networks.layout import LayoutError
from blockqnn.networks.plan import Operation, PlacedLayer
from blockqnn.networks.spaces.contract import Design
from blockqnn.networks.spaces.registry import space_of
from blockqnn.networks.units import Unit, alone

_PROBES = ((64, 64), (64, 96), (96, 64))
"""Channels and filters at which a design alone is looked at to see what its widths are."""

SHORT = {
    Operation.CONVOLUTION: "conv",
    Operation.PCC: "conv",
    Operation.MAX_POOLING: "max",
    Operation.AVERAGE_POOLING: "avg",
    Operation.DOWNSAMPLING: "half",
    Operation.AVERAGE_DOWNSAMPLING: "half",
    Operation.BATCH_NORM: "norm",
    Operation.GLOBAL_POOLING: "mean",
    Operation.ZEROS_AFTER: "grown",
    Operation.ZEROS_AROUND: "grown",
}
"""Words for variables; operations without one are called by their name."""


@dataclasses.dataclass(frozen=True)
class UnitClass:
    """A class: a design, or something else of several layers.

    Attributes:
        name: of the class, such as `Block`.
        example: a unit of this form.
        widths: of the input, then of each layer's output.
        same_width: whether it has as many filters as channels and takes no `filters`.
    """

    name: str
    example: Unit
    widths: tuple[Width, ...]
    same_width: bool

    @property
    def out_channels(self) -> Width:
        """Of what it writes."""
        return self.widths[self.example.output]

    @property
    def takes_filters(self) -> bool:
        """Whether `filters` are an argument of its constructor."""
        return any(FILTERS in each.names for each in self.widths)

    @functools.cached_property
    def attributes(self) -> tuple[str, ...]:
        """What each layer is called, such as `conv3`."""
        return tuple(
            f"{short_name(layer)}{place}" for place, layer in enumerate(self.example.layers, 1)
        )

    def filters_of(self, unit: Unit) -> int | None:
        """With which filters the class becomes a unit; None if it cannot.

        Args:
            unit: of the same form.

        Returns:
            Filters; the unit's channels where the class takes none.
        """
        found = [unit.channels, *(layer.shape[-1] for layer in unit.layers)]
        wanted = zip(self.widths, found, strict=True)
        filters = next((n for each, n in wanted if each == width(filters=1)), unit.channels)
        fits = [each.at(unit.channels, filters) for each in self.widths] == found
        return filters if fits else None


def short_name(layer: PlacedLayer) -> str:
    """A word for what a layer computes, fit for a variable."""
    operation = layer.operation.with_scale
    name = SHORT.get(operation, operation.name)
    return re.sub(r"\W+", "_", name.lower()).strip("_") or "layer"


def design_class(design: Design, unscaled: bool = False) -> UnitClass:
    """The class of a design.

    Args:
        design: of any space.
        unscaled: whether its batch norms have neither scale nor shift.

    Returns:
        The class, called as the space calls one of its designs.

    Raises:
        UserError: if a width is none that can be written.
    """
    space = space_of(design)
    name = space.unit.title().replace(" ", "")
    units = []
    for channels, filters in _PROBES:
        try:
            plan = space.alone(design, channels, filters)
        except LayoutError:  # Designs whose nodes are sums have as many filters as channels.
            continue
        if unscaled:
            plan = tuple(
                dataclasses.replace(layer, operation=layer.operation.without_scale)
                for layer in plan
            )
        units.append(alone(plan, space.unit))
    return class_of(name, units, same_width=len(units) < len(_PROBES))


def class_of(name: str, units: Sequence[Unit], same_width: bool, fixed: bool = False) -> UnitClass:
    """A class that becomes each of some units.

    Args:
        name: of the class.
        units: of one form.
        same_width: see `UnitClass`.
        fixed: whether every operation that leaves the choice of its width has that of the first
            unit, whatever the width of what is read.

    Returns:
        The class.

    Raises:
        UserError: if a width is none that can be written.
    """
    example = units[0]
    measured = [[unit.channels, *(each.shape[-1] for each in unit.layers)] for unit in units]
    filters = [_filters(unit) for unit in units]
    widths = [width(channels=1)]
    for place, (layer, inputs) in enumerate(zip(example.layers, example.inputs, strict=True), 1):
        likely = likely_widths([widths[i] for i in inputs], _takes_filters(layer))
        if fixed and _takes_filters(layer):
            likely = iter(())
        if same_width:
            likely = itertools.chain([width(channels=1)], likely)
        likely = itertools.chain(likely, [width(number=example.layers[place - 1].shape[-1])])
        for guess in likely:
            if all(
                guess.at(found[0], own) == found[place]
                for found, own in zip(measured, filters, strict=True)
            ):
                widths.append(guess)
                break
        else:
            raise UserError(
                f"The export cannot write the channels of {layer.name} by the channels of its "
                "input and the filters of its stage."
            )
    return UnitClass(name, example, tuple(widths), same_width)


def _filters(unit: Unit) -> int:
    """The filters of a unit: the channels of its first convolution."""
    found = (layer.shape[-1] for layer in unit.layers if _takes_filters(layer))
    return next(found, unit.channels)


def _takes_filters(layer: PlacedLayer) -> bool:
    """Whether the operation leaves the choice of its channels."""
    asked = 1 + max(shape[-1] for shape in (*layer.input_shapes, layer.shape)) * 99
    return layer.operation.shape(layer.input_shapes, layer.kernel, layer.stride, asked)[-1] == asked

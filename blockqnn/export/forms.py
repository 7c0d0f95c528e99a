"""How source code in some framework writes each operation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from blockqnn.errors import UserError
from blockqnn.networks.operations.table import OperationEntry
from blockqnn.networks.plan import PlacedLayer

Arrays = Mapping[str, np.ndarray]

NEEDS = {
    "ReluConvNorm": ("convolution", "batch_norm"),
    "ReluSeparableNorm": ("depthwise", "convolution", "batch_norm"),
    "ReluDilatedNorm": ("window", "batch_norm"),
    "ReluCrossedNorm": ("window", "batch_norm"),
    "ReluWindowNorm": ("window", "batch_norm"),
    "FactorisedReduction": ("convolution", "batch_norm"),
    "PlainFactorisedReduction": ("convolution", "batch_norm"),
}
"""For helpers that need others, these; both frameworks have them by these names."""

_NORM, _UNSCALED_NORM = "batch_norm", "unscaled_norm"
_UNSCALED = {_NORM: _UNSCALED_NORM} | {
    name: f"Unscaled{name}" for name, needs in NEEDS.items() if _NORM in needs
}
"""What helpers are called whose batch norm has neither scale nor shift."""


def with_unscaled(helpers: Mapping[str, str], norm: str) -> dict[str, str]:
    """Helpers, and those of them that normalise once more without scale and shift.

    Args:
        helpers: definitions by name, in the order in which they stand in the source.
        norm: the definition of `unscaled_norm`.

    Returns:
        Definitions by name.
    """
    found: dict[str, str] = {}
    for name, text in helpers.items():
        found[name] = text
        if name == _NORM:
            found[_UNSCALED_NORM] = norm
        elif name in _UNSCALED:
            text = text.replace(f"class {name}(", f"class {_UNSCALED[name]}(")
            text = text.replace("batch normalisation.", "unscaled batch norm.")
            found[_UNSCALED[name]] = text.replace(f"{_NORM}(", f"{_UNSCALED_NORM}(")
    return found


def needs_with_unscaled() -> dict[str, tuple[str, ...]]:
    """`NEEDS`, and those of the helpers without scale and shift."""
    unscaled = {
        _UNSCALED[name]: tuple(_UNSCALED.get(each, each) for each in needs)
        for name, needs in NEEDS.items()
        if name in _UNSCALED
    }
    return NEEDS | unscaled


def as_they_are(trained: Arrays, running: Arrays) -> dict[str, np.ndarray]:
    """Arrays under the names that they have in the plan."""
    return {**trained, **running}


@dataclasses.dataclass(frozen=True)
class SourceForm:
    """How a framework's source code writes an operation.

    Attributes:
        call: expression of the output, a format of `{layer}`, the attribute that holds the
            arrays, `{x}` and `{y}`, the first two inputs, `{inputs}`, all of them, and `{kernel}`
            and `{half}`, the side of the window and half of it rounded down, and `{stride}`, an
            argument where it is not 1.
        constructor: what makes the attribute, a format of `{inputs}` and `{outputs}`, channels,
            of `{kernel}`, of `{stride}` as above, and `{step}`, its number; empty without one.
        oblong: `constructor` where the window or its steps differ down and across, a format of
            `{inputs}`, `{outputs}`, `{size}`, `{strides}` and `{padding}`.
        uneven: `call` where the inputs' channels differ; empty where it is the same.
        helpers: names of the framework's helpers that constructor and call need.
        oblong_helpers: those that `oblong` needs in place of `helpers`.
        uneven_helpers: those that `uneven` needs.
        weights: from trained and running arrays to arrays by their names in the attribute.
    """

    call: str
    constructor: str = ""
    oblong: str = ""
    uneven: str = ""
    helpers: tuple[str, ...] = ()
    oblong_helpers: tuple[str, ...] = ()
    uneven_helpers: tuple[str, ...] = ()
    weights: Callable[[Arrays, Arrays], dict[str, np.ndarray]] = as_they_are

    @property
    def without_scale(self) -> SourceForm:
        """The form of the operation whose batch norm has neither scale nor shift."""
        constructor = self.constructor
        for name in self.helpers:
            constructor = constructor.replace(f"{name}(", f"{_UNSCALED.get(name, name)}(")
        helpers = tuple(_UNSCALED.get(name, name) for name in self.helpers)
        return dataclasses.replace(self, constructor=constructor, helpers=helpers)


@dataclasses.dataclass(frozen=True, repr=False)
class Dialect:
    """How a framework's source code is written.

    Attributes:
        name: of the framework, for messages.
        forms: how operations are written.
        helpers: definitions by name, in the order in which they stand in the source.
        needs: for helpers that need others, these.
        head: beginning of the file, a format.
        read_image: the function that reads an image file, a format of
            `{mode}`, Pillow's name, and `{background}`, a colour.
        load: the functions behind it.
        module: base class.
        array: type of a map.
        forward: name of the method that computes.
        rngs: last argument of constructors, empty for none.
        rngs_parameter: the same where constructors are defined.
        begin: first statement of constructors, empty for none.
        axes: of a map, a format of `{channels}`.
        stage: the function that makes a list of designs, a format.
        use: statements that call such a list, a format of `{stage}`, `{x}`, `{unit}`.
    """

    name: str
    forms: Mapping[OperationEntry, SourceForm]
    helpers: Mapping[str, str]
    needs: Mapping[str, tuple[str, ...]]
    head: str
    read_image: str
    load: str
    module: str
    array: str
    forward: str
    rngs: str
    rngs_parameter: str
    begin: str
    axes: str
    stage: str
    use: tuple[str, ...]

    def form(self, layer: PlacedLayer) -> SourceForm:
        """How a layer is written.

        Args:
            layer: of a plan, not the image.

        Returns:
            The form of its operation.

        Raises:
            UserError: if the export does not know the operation.
        """
        operation = layer.operation.with_scale
        if operation not in self.forms:
            known = ", ".join(each.name for each in self.forms)
            raise UserError(
                f"{layer.name} is {layer.operation.name!r}, which the export cannot write as "
                f"source code in {self.name}; allowed: {known}."
            )
        form = self.forms[operation]
        return form if layer.operation.scales else form.without_scale

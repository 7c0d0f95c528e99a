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
        if layer.operation not in self.forms:
            known = ", ".join(operation.name for operation in self.forms)
            raise UserError(
                f"{layer.name} is {layer.operation.name!r}, which the export cannot write as "
                f"source code in {self.name}; allowed: {known}."
            )
        return self.forms[layer.operation]

"""How the exported source code writes each operation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from blockqnn.errors import UserError
from blockqnn.export import flax_templates
from blockqnn.networks.plan import Operation, PlacedLayer


def _own_layer(layer: PlacedLayer, name: str, inputs: Sequence[str]) -> str:
    return f"self.{name}({inputs[0]})"


def _sum(layer: PlacedLayer, name: str, inputs: Sequence[str]) -> str:
    return f"add({', '.join(inputs)})" if _is_uneven(layer) else " + ".join(inputs)


def _is_uneven(layer: PlacedLayer) -> bool:
    return len(set(layer.input_shapes)) > 1


def _always(layer: PlacedLayer) -> bool:
    return True


@dataclasses.dataclass(frozen=True)
class SourceForm:
    """How an operation is written.

    Attributes:
        call: expression of the output, from the layer, its attribute and the
            names of its inputs.
        constructor: what makes its attribute, as a format of the numbers
            `inputs` and `outputs`, channels, and `kernel`, and of `stride`, an
            argument where it is not 1; empty without one.
        helper: a definition that the call or the constructor needs; empty without one.
        needs_helper: whether a layer needs it.
    """

    call: Callable[[PlacedLayer, str, Sequence[str]], str]
    constructor: str = ""
    helper: str = ""
    needs_helper: Callable[[PlacedLayer], bool] = _always


SOURCE_FORMS = {
    Operation.ADD: SourceForm(_sum, helper=flax_templates.ADD, needs_helper=_is_uneven),
    Operation.CONCAT: SourceForm(
        lambda layer, name, inputs: f"concatenate({', '.join(inputs)})",
        helper=flax_templates.CONCATENATE,
    ),
    Operation.MAX_POOLING: SourceForm(
        lambda layer, name, inputs: f"max_pooling({inputs[0]}, {layer.kernel})",
        helper=flax_templates.MAX_POOLING,
    ),
    Operation.AVERAGE_POOLING: SourceForm(
        lambda layer, name, inputs: f"average_pooling({inputs[0]}, {layer.kernel})",
        helper=flax_templates.AVERAGE_POOLING,
    ),
    Operation.DOWNSAMPLING: SourceForm(
        lambda layer, name, inputs: f"halve({inputs[0]})", helper=flax_templates.DOWNSAMPLING
    ),
    Operation.AVERAGE_DOWNSAMPLING: SourceForm(
        lambda layer, name, inputs: f"halve_by_average({inputs[0]})",
        helper=flax_templates.AVERAGE_DOWNSAMPLING,
    ),
    Operation.ZERO: SourceForm(lambda layer, name, inputs: f"jnp.zeros_like({inputs[0]})"),
    Operation.BATCH_NORM: SourceForm(
        _own_layer, "normalisation({outputs}, rngs)", flax_templates.BATCH_NORM
    ),
    Operation.CONVOLUTION: SourceForm(
        _own_layer,
        "convolution({inputs}, {outputs}, {kernel}, rngs{stride})",
        flax_templates.CONVOLUTION_TEXT,
    ),
    Operation.PCC: SourceForm(
        _own_layer,
        "PreactivationConvolution({inputs}, {outputs}, {kernel}, rngs{stride})",
        flax_templates.PCC,
    ),
    Operation.RELU: SourceForm(lambda layer, name, inputs: f"nnx.relu({inputs[0]})"),
    Operation.GLOBAL_POOLING: SourceForm(
        lambda layer, name, inputs: f"jnp.mean({inputs[0]}, axis=(1, 2))"
    ),
    Operation.LINEAR: SourceForm(
        _own_layer, "nnx.Linear({inputs}, {outputs}, kernel_init=HE_NORMAL, rngs=rngs)"
    ),
}
"""The forms, in the order in which their helpers stand in the source."""


def source_form(layer: PlacedLayer) -> SourceForm:
    """How a layer is written.

    Args:
        layer: of a plan, not the image.

    Returns:
        The form of its operation.

    Raises:
        UserError: if the export does not know the operation.
    """
    if layer.operation not in SOURCE_FORMS:
        known = ", ".join(operation.name for operation in SOURCE_FORMS)
        raise UserError(
            f"{layer.name} is {layer.operation.name!r}, which the export cannot write as source "
            f"code; allowed: {known}."
        )
    return SOURCE_FORMS[layer.operation]

"""A network as readable source code in plain Flax NNX, which needs nothing of the project."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from blockqnn.export import flax_templates
from blockqnn.export.subject import Subject
from blockqnn.export.weights import attribute
from blockqnn.networks.cost import parameters
from blockqnn.networks.plan import Operation, PlacedLayer, Plan
from blockqnn.networks.spaces.registry import design_of, write

_WIDTH = 88
_INDENT = " " * 8


def flax_source(subject: Subject) -> str:
    """Writes the network as a Python file.

    Args:
        subject: the network.

    Returns:
        The source: constants, `normalise`, `load` and the class `Network`, whose
        layers are called as in the plan, with `_` for `/`.
    """
    plan, layout = subject.plan, subject.layout
    images = f"[B, {layout.height}, {layout.width}, {layout.channels}]"
    operations = {layer.operation for layer in plan}
    origin = "Its weights were trained."
    if subject.training is None:
        origin = (
            "Its weights are initial ones, not trained; MEAN and DEVIATION stand for those of "
            "your images."
        )
    head = flax_templates.HEAD.format(
        first_line="A convolutional network in Flax NNX, designed by blockqnn.",
        # The commas between layers are where a line may end.
        block=textwrap.fill(
            f"Block: {write(subject.code)}".replace("),(", "), ("),
            _WIDTH,
            subsequent_indent="  ",
        ),
        origin=textwrap.fill(
            f"Canonical form {design_of(subject.code).hash}, {parameters(plan):,} "
            f"parameters. {origin}",
            _WIDTH,
        ),
        images=images,
        classes=layout.classes,
        shape=layout.image_shape,
        class_names=_strings(subject.class_names),
        mean=_numbers(subject.mean),
        deviation=_numbers(subject.deviation),
    )
    parts = [head]
    uneven = any(
        layer.operation is Operation.ADD and len(set(layer.input_shapes)) > 1 for layer in plan
    )
    for wanted, text in (
        (uneven, flax_templates.ADD),
        (Operation.CONCAT in operations, flax_templates.CONCATENATE),
        (Operation.MAX_POOLING in operations, flax_templates.MAX_POOLING),
        (Operation.AVERAGE_POOLING in operations, flax_templates.AVERAGE_POOLING),
        (Operation.DOWNSAMPLING in operations, flax_templates.DOWNSAMPLING),
        (True, flax_templates.CONVOLUTION_TEXT),
        (Operation.PCC in operations, flax_templates.PCC),
    ):
        parts += [text] if wanted else []
    parts.append(
        flax_templates.CLASS.format(
            images=images,
            classes=layout.classes,
            layers="\n".join(_indented(_definitions(plan))),
            calls="\n".join(_indented(_calls(plan))),
        )
    )
    return "".join(parts)


def _definitions(plan: Plan) -> Iterator[str]:
    """The statements of the constructor."""
    for layer in plan:
        name = attribute(layer.name)
        if layer.operation not in (Operation.CONVOLUTION, Operation.PCC, Operation.LINEAR):
            continue
        inputs, outputs = layer.input_shapes[0][-1], layer.shape[-1]
        if layer.operation is Operation.LINEAR:
            yield f"self.{name} = nnx.Linear({inputs}, {outputs}, kernel_init=HE_NORMAL, rngs=rngs)"
            continue
        kind = "convolution"
        if layer.operation is Operation.PCC:
            kind = "PreactivationConvolution"
        yield f"self.{name} = {kind}({inputs}, {outputs}, {layer.kernel}, rngs)"


def _calls(plan: Plan) -> Iterator[str]:
    """The statements of the call, with the size of the maps where it changes."""
    place = ""
    for layer in plan[1:]:
        before, place = place, layer.name.rpartition("/")[0]
        if place != before:
            if before:
                yield ""
            size = "x".join(map(str, layer.shape[:-1]))
            yield f"# {place}" + (f", {size} pixels" if size else "")
        target = "return " if layer is plan[-1] else f"{attribute(layer.name)} = "
        yield from _call(layer, target, [attribute(plan[i].name) for i in layer.inputs])


def _call(layer: PlacedLayer, target: str, inputs: list[str]) -> Iterator[str]:
    first = inputs[0]
    match layer.operation:
        case Operation.CONVOLUTION | Operation.PCC | Operation.LINEAR:
            yield f"{target}self.{attribute(layer.name)}({first})"
        case Operation.MAX_POOLING:
            yield f"{target}max_pooling({first}, {layer.kernel})"
        case Operation.AVERAGE_POOLING:
            yield f"{target}average_pooling({first}, {layer.kernel})"
        case Operation.ADD:
            same = len(set(layer.input_shapes)) == 1
            yield target + (" + ".join(inputs) if same else f"add({', '.join(inputs)})")
        case Operation.CONCAT:
            yield from _concatenation(target, inputs)
        case Operation.DOWNSAMPLING:
            yield f"{target}halve({first})"
        case Operation.RELU:
            yield f"{target}nnx.relu({first})"
        case Operation.GLOBAL_POOLING:
            yield f"{target}jnp.mean({first}, axis=(1, 2))"
        case _:
            raise ValueError(f"{layer.operation} is given, not computed")


def _concatenation(target: str, inputs: list[str]) -> Iterator[str]:
    """On one line, or where that is too short on more."""
    line = f"{target}concatenate({', '.join(inputs)})"
    if len(_INDENT + line) <= _WIDTH:
        yield line
        return
    yield f"{target}concatenate("
    arguments = "    " + ", ".join(inputs)
    if len(_INDENT + arguments) <= _WIDTH:
        yield arguments
    else:
        yield from (f"    {name}," for name in inputs)
    yield ")"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (_INDENT + line if line else "" for line in lines)


def _numbers(values: Sequence[float]) -> str:
    """A tuple of numbers, each as short as names the float32."""
    texts = [str(np.float32(value)) for value in values]
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


def _strings(values: Sequence[str]) -> str:
    """A tuple of strings, whatever is in them."""
    if not values:
        return "()"
    return "(\n" + "".join(f"    {str(value)!a},\n" for value in values) + ")"

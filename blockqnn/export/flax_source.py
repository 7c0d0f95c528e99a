"""A network as readable source code in plain Flax NNX, which needs nothing of the project."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from blockqnn.export import flax_templates
from blockqnn.export.source_forms import SOURCE_FORMS, source_form
from blockqnn.export.subject import Subject
from blockqnn.export.weights import attribute
from blockqnn.networks.cost import parameters
from blockqnn.networks.plan import Plan
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
    for operation, form in SOURCE_FORMS.items():
        if any(layer.operation is operation and form.needs_helper(layer) for layer in plan):
            parts.append(form.helper)
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
    for layer in plan[1:]:
        constructor = source_form(layer).constructor.format(
            inputs=layer.input_shapes[0][-1],
            outputs=layer.shape[-1],
            kernel=layer.kernel,
            stride=f", stride={layer.stride}" if layer.stride > 1 else "",
        )
        if constructor:
            yield f"self.{attribute(layer.name)} = {constructor}"


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
        inputs = [attribute(plan[i].name) for i in layer.inputs]
        call = source_form(layer).call(layer, attribute(layer.name), inputs)
        yield from _fitted(target + call, inputs)


def _fitted(line: str, inputs: list[str]) -> Iterator[str]:
    """A statement on one line, or where that is too short for a call of several inputs on more."""
    arguments = ", ".join(inputs)
    if len(_INDENT + line) <= _WIDTH or len(inputs) == 1 or not line.endswith(f"({arguments})"):
        yield line
        return
    yield line.removesuffix(f"{arguments})")
    if len(_INDENT + "    " + arguments) <= _WIDTH:
        yield "    " + arguments
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

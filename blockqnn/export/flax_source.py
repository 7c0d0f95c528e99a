"""A network as readable source code in plain Flax NNX, which needs nothing of the project."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from blockqnn.export.subject import Subject
from blockqnn.export.weights import CONVOLUTION, NORM, attribute
from networks.canonical import canonical_form
from networks.codes import write
from networks.cost import parameters
from networks.normalisation import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM
from networks.plan import Operation, PlacedLayer, Plan

_WIDTH = 88
_INDENT = " " * 8

_HEAD = '''"""{first_line}

{block}

{origin}

This file needs jax, flax, numpy and safetensors, nothing else:

    network = load("weights.safetensors")
    logits = network(normalise(images))  # uint8 {images} -> float32 [B, {classes}]

`Network(rngs=nnx.Rngs(0))` is the same network with new weights, in training mode.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors.numpy import load_file

IMAGE_SHAPE = {shape}
CLASSES = {classes}
CLASS_NAMES: tuple[str, ...] = {class_names}

# Of each channel of the training images, on the scale of 0 to 255.
MEAN = {mean}
DEVIATION = {deviation}

HE_NORMAL = nnx.initializers.variance_scaling(2.0, "fan_in", "normal")


def normalise(images: np.ndarray | jax.Array) -> jax.Array:
    """Turns images of pixels from 0 to 255 into what the network takes, float32."""
    centred = jnp.asarray(images, jnp.float32) - jnp.array(MEAN).reshape(1, 1, 1, -1)
    return centred / jnp.array(DEVIATION).reshape(1, 1, 1, -1)


def load(path: str) -> Network:
    """The network with the weights of a safetensors file, in evaluation mode."""
    network = Network(rngs=nnx.Rngs(0))
    weights = load_file(path)
    state = nnx.state(network, (nnx.Param, nnx.BatchStat))
    for place, variable in nnx.to_flat_state(state):
        name = ".".join(str(word) for word in place)
        value = weights.pop(name)
        if value.shape != variable.shape:
            raise ValueError(f"{{name}} has shape {{value.shape}}, not {{variable.shape}}")
        variable.set_value(jnp.asarray(value))
    if weights:
        raise ValueError(f"The network has no {{', '.join(weights)}}")
    nnx.update(network, state)
    network.eval()
    return network
'''

_ADD = '''

def add(x: jax.Array, y: jax.Array) -> jax.Array:
    """Adds two maps; the narrower one gets channels of zeros at its end."""
    channels = max(x.shape[-1], y.shape[-1])
    x, y = (
        jnp.pad(z, ((0, 0), (0, 0), (0, 0), (0, channels - z.shape[-1])))
        for z in (x, y)
    )
    return x + y
'''

_CONCATENATE = '''

def concatenate(*maps: jax.Array) -> jax.Array:
    """Joins maps along their channels."""
    return jnp.concatenate(maps, axis=-1)
'''

_MAX_POOLING = '''

def max_pooling(x: jax.Array, side: int) -> jax.Array:
    """Max pooling with stride 1; the map keeps its size."""
    return nnx.max_pool(x, (side, side), padding="SAME")
'''

_AVERAGE_POOLING = '''

def average_pooling(x: jax.Array, side: int) -> jax.Array:
    """Average pooling with stride 1 over the pixels that exist."""
    return nnx.avg_pool(x, (side, side), padding="SAME", count_include_pad=False)
'''

_DOWNSAMPLING = '''

def halve(x: jax.Array) -> jax.Array:
    """Max pooling of 2x2 pixels with stride 2."""
    return nnx.max_pool(x, (2, 2), strides=(2, 2))
'''

_CONVOLUTION = '''

def convolution(inputs: int, outputs: int, side: int, rngs: nnx.Rngs) -> nnx.Conv:
    """A convolution with stride 1 and without bias; the map keeps its size."""
    return nnx.Conv(
        inputs,
        outputs,
        kernel_size=(side, side),
        use_bias=False,
        kernel_init=HE_NORMAL,
        rngs=rngs,
    )
'''

_PCC = f'''

class PreactivationConvolution(nnx.Module):
    """ReLU, convolution, batch normalisation."""

    def __init__(self, inputs: int, outputs: int, side: int, rngs: nnx.Rngs):
        self.{CONVOLUTION} = convolution(inputs, outputs, side, rngs)
        self.{NORM} = nnx.BatchNorm(
            outputs,
            momentum={BATCH_NORM_MOMENTUM},
            epsilon={BATCH_NORM_EPSILON},
            rngs=rngs,
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.{NORM}(self.{CONVOLUTION}(nnx.relu(x)))
'''

_CLASS = '''

class Network(nnx.Module):
    """From normalised images {images} to logits [B, {classes}]."""

    def __init__(self, rngs: nnx.Rngs):
{layers}

    def __call__(self, image: jax.Array) -> jax.Array:
{calls}
'''


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
    head = _HEAD.format(
        first_line="A convolutional network in Flax NNX, designed by blockqnn.",
        # The commas between layers are where a line may end.
        block=textwrap.fill(
            f"Block: {write(subject.code)}".replace("),(", "), ("),
            _WIDTH,
            subsequent_indent="  ",
        ),
        origin=textwrap.fill(
            f"Canonical form {canonical_form(subject.code).hash}, {parameters(plan):,} "
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
        (uneven, _ADD),
        (Operation.CONCAT in operations, _CONCATENATE),
        (Operation.MAX_POOLING in operations, _MAX_POOLING),
        (Operation.AVERAGE_POOLING in operations, _AVERAGE_POOLING),
        (Operation.DOWNSAMPLING in operations, _DOWNSAMPLING),
        (True, _CONVOLUTION),
        (Operation.PCC in operations, _PCC),
    ):
        parts += [text] if wanted else []
    parts.append(
        _CLASS.format(
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

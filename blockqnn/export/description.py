"""What an exported network is, as JSON and as a page to read."""

from __future__ import annotations

import dataclasses
from importlib import metadata
from typing import Any

from blockqnn.export.subject import Subject
from blockqnn.networks.cost import cost
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.registry import as_lists, design_of, write

FORMAT = 1
"""Version of the description."""

_README = """# A convolutional network

Block `{code}`

in a network of {parameters:,} parameters, for images of {height}x{width}x{channels} and
{classes} classes.
{origin}

| file | what |
|---|---|
| `network.py` | the network in plain Flax NNX; needs jax, flax, numpy and safetensors |
| `weights.safetensors` | its weights; names are attributes of the network, joined by dots |
| `weights.orbax` | the same weights, as an Orbax checkpoint of a nested dict |
| `network.stablehlo` | pixels to logits as StableHLO, for any batch size, on CPU, GPU and TPU |
| `network.json` | block, layout, layers, normalisation, classes, training |

With the source, from this folder:

```python
import numpy as np
from network import load, normalise

network = load("weights.safetensors")
images = np.zeros({images}, np.uint8)
logits = network(normalise(images))
```

From Orbax:

```python
import pathlib

import numpy as np
import orbax.checkpoint as ocp
from flax import nnx
from network import Network, normalise

network = Network(rngs=nnx.Rngs(0))
state = nnx.state(network, (nnx.Param, nnx.BatchStat))
with ocp.StandardCheckpointer() as checkpointer:
    weights = checkpointer.restore(
        pathlib.Path("weights.orbax").absolute(), nnx.to_pure_dict(state)
    )
nnx.replace_by_pure_dict(state, weights)
nnx.update(network, state)
network.eval()
images = np.zeros({images}, np.uint8)
logits = network(normalise(images))
```

Without the source, with jax and flatbuffers; pixels go in as they are:

```python
import pathlib

import jax.export
import numpy as np

forward = jax.export.deserialize(pathlib.Path("network.stablehlo").read_bytes())
images = np.zeros({images}, np.uint8)
logits = forward.call(images)
```

`forward.mlir_module()` is the StableHLO as text.
"""


def describe(subject: Subject) -> dict[str, Any]:
    """A network as JSON, without its weights.

    Args:
        subject: the network.

    Returns:
        Block, layout, figures, layers, normalisation, classes and training; FLOPs
        in units, mean and deviation on the scale of 0 to 255.
    """
    block = design_of(subject.code)
    spent = cost(block, subject.layout)
    return {
        "format": FORMAT,
        "title": subject.title,
        "code": write(subject.code),
        "block": as_lists(subject.code),
        "hash": block.hash,
        "layout": dataclasses.asdict(subject.layout),
        "parameters": spent.parameters,
        "flops": spent.flops,
        "depth": spent.depth,
        "mean": list(subject.mean),
        "deviation": list(subject.deviation),
        "class_names": list(subject.class_names),
        "trained": subject.training is not None,
        "training": subject.training,
        "seed": subject.seed,
        "made_with": {name: metadata.version(name) for name in ("jax", "flax")},
        "layers": _layers(subject.plan),
    }


def readme(subject: Subject) -> str:
    """How an export is loaded.

    Args:
        subject: the network.

    Returns:
        Markdown; its code blocks run in the exported folder.
    """
    layout = subject.layout
    origin = "Its weights were trained."
    if subject.training is None:
        origin = (
            "**Its weights are initial ones, not trained**; mean and deviation of the pixels are "
            "placeholders."
        )
    return _README.format(
        code=write(subject.code),
        parameters=cost(design_of(subject.code), layout).parameters,
        height=layout.height,
        width=layout.width,
        channels=layout.channels,
        classes=layout.classes,
        origin=origin,
        images=(7, *layout.image_shape),
    )


def _layers(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "name": layer.name,
            "operation": layer.operation.name,
            "kernel": layer.kernel,
            "inputs": [plan[i].name for i in layer.inputs],
            "shape": list(layer.shape),
        }
        for layer in plan
    ]

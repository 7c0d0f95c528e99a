"""The page of an exported folder, for each framework, as formats."""

from __future__ import annotations

TOP = """# A convolutional network{of_units}

```
{code}

{drawing}
```

Above is the code as it was written; below it what it computes, without layers that do nothing,
with the numbers that `network.py` has. The {unit} was designed by blockqnn and stands in a network
of {parameters}, for images of {height}x{width} pixels with {channels} channel{plural} and
{classes} classes. {origin}

"""

_FLAX = """| file | what |
|---|---|
| `network.py` | both in Flax NNX; needs flax {flax} or newer, safetensors, Pillow for image files |
| `weights.safetensors` | the weights; their names are attributes of the network, joined by dots |
| `weights.orbax` | the same weights, as an Orbax checkpoint of a nested dict |
| `network.stablehlo` | pixels to logits as StableHLO, for any batch size, on CPU, GPU and TPU |
| `network.json` | {unit}, layout, layers, normalisation, classes, training |

All code below runs in this folder.

## Classify an image

```python
{read_import}
{read_pixels}
network = load("weights.safetensors")
logits = network(normalise(pixels))
probabilities = nnx.softmax(logits)[0]
for name, probability in zip(CLASS_NAMES or range(CLASSES), probabilities):
    print(f"{{name}}: {{float(probability):.1%}}")
```

`normalise` takes MEAN from the pixels, from 0 to 255, and divides them by DEVIATION; both are
constants of `network.py`.

## The {unit} in a network of your own

Copy `network.py` beside your code. A new {unit}, to be trained with the rest:

```python
import jax
import jax.numpy as jnp
from flax import nnx
from network import {Unit}


class MyNetwork(nnx.Module):
    def __init__(self, classes: int, rngs: nnx.Rngs):
        self.stem = nnx.Conv(3, 64, (3, 3), rngs=rngs)
        self.{unit} = {Unit}({arguments}, rngs=rngs)
        self.head = nnx.Linear(self.{unit}.out_channels, classes, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        x = self.{unit}(self.stem(images))
        return self.head(jnp.mean(nnx.relu(x), axis=(1, 2)))


model = MyNetwork(classes=7, rngs=nnx.Rngs(0))
logits = model(jnp.zeros((2, 24, 24, 3)))  # [2, 7]
```

{begins}
{trained}
## From Orbax

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
pixels = np.zeros({images}, np.uint8)
logits = network(normalise(pixels))
```

## Without the source

With jax {jax} or newer, the oldest version that was found to load such a file, with flatbuffers
and, for some versions, absl-py. Pixels go in as they are:

```python
import pathlib

import jax.export
import numpy as np

forward = jax.export.deserialize(pathlib.Path("network.stablehlo").read_bytes())
pixels = np.zeros({images}, np.uint8)
logits = forward.call(pixels)
```

`forward.mlir_module()` is the StableHLO as text.
"""

_FLAX_TRAINED = """
A {unit} with the weights of this folder, and the network with another classifier:

```python
import jax.numpy as jnp
from flax import nnx
from network import load

network = load("weights.safetensors")
# The first {unit} of the {last} stage: {read} channels in, {written} out.
{unit} = network.{stage}[0]
maps = {unit}(jnp.zeros((2, 16, 16, {read})))  # [2, 16, 16, {written}]

network.{head} = nnx.Linear(network.{head}.in_features, 7, rngs=nnx.Rngs(0))
network.train()  # batch normalisation by the statistics of the batch; eval() goes back
```
"""

_TORCH = """| file | what |
|---|---|
| `network.py` | both as modules of PyTorch; needs torch, safetensors, Pillow to read image files |
| `weights.safetensors` | the weights, a `state_dict` of the network |
| `network.json` | {unit}, layout, layers, normalisation, classes, training |

All code below runs in this folder. Maps are [B, channels, height, width].

## Classify an image

```python
{read_import}
{read_pixels}
network = load("weights.safetensors")
with torch.no_grad():
    logits = network(normalise(pixels))
probabilities = logits.softmax(dim=1)[0]
for name, probability in zip(CLASS_NAMES or range(CLASSES), probabilities):
    print(f"{{name}}: {{float(probability):.1%}}")
```

`normalise` takes MEAN from the pixels, from 0 to 255, and divides them by DEVIATION; both are
constants of `network.py`.

## The {unit} in a network of your own

Copy `network.py` beside your code. A new {unit}, to be trained with the rest:

```python
import torch
from network import {Unit}
from torch import nn


class MyNetwork(nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, padding=1)
        self.{unit} = {Unit}({arguments})
        self.head = nn.Linear(self.{unit}.out_channels, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.{unit}(self.stem(images))
        return self.head(torch.relu(x).mean(dim=(2, 3)))


model = MyNetwork(classes=7)
logits = model(torch.zeros(2, 3, 24, 24))  # [2, 7]
```

{begins}
{trained}"""

_TORCH_TRAINED = """
A {unit} with the weights of this folder, and the network with another classifier:

```python
import torch
from network import load
from torch import nn

network = load("weights.safetensors")
# The first {unit} of the {last} stage: {read} channels in, {written} out.
{unit} = network.{stage}[0]
maps = {unit}(torch.zeros(2, {read}, 16, 16))  # [2, {written}, 16, 16]

network.{head} = nn.Linear(network.{head}.in_features, 7)
network.train()  # batch normalisation by the statistics of the batch; eval() goes back
```
"""

_ONNX = """| file | what |
|---|---|
| `network.onnx` | pixels to logits, for any batch size, in operations of ONNX |
| `network.json` | {unit}, layout, layers, normalisation, classes, training |

With onnxruntime, from this folder. Pixels go in as they are, [B, height, width, channels]:

```python
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("network.onnx")
pixels = np.zeros({images}, np.uint8)
(logits,) = session.run(None, {{"pixels": pixels}})
```
"""

BODIES = {"flax": (_FLAX, _FLAX_TRAINED), "torch": (_TORCH, _TORCH_TRAINED), "onnx": (_ONNX, "")}
"""For each framework the page, and what it says of trained designs."""

"""One design as a Flax NNX module, for networks of one's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from blockqnn.networks.child import ChildNetwork
from blockqnn.networks.initial import initial_statistics
from blockqnn.networks.layout import LayoutError
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.contract import Design
from blockqnn.networks.spaces.registry import code_of, space_of


class Block(ChildNetwork):
    """A block, or a cell, without anything around it: from maps to maps.

    Called with maps [B, H, W, channels], it returns maps [B, H, W, out_channels]. Its
    convolutions begin with ReLU and end with batch normalisation, so a ReLU belongs
    between the last block and a classifier. `eval()` makes batch normalisation use its
    running statistics, `train()` those of the batch.

    Attributes:
        out_channels: of the map that it writes.
    """

    out_channels: int

    def __init__(
        self,
        code: str | Sequence[Sequence[int]],
        channels: int,
        filters: int | None = None,
        *,
        rngs: nnx.Rngs,
        dtype: DTypeLike = jnp.float32,
        design: Design | None = None,
    ):
        """Creates the block with initial weights, which follow He et al., ICCV 2015.

        Args:
            code: as `blockqnn.parse` returns it, as text, as lists, or a published name.
            channels: of the map that it reads.
            filters: channels of its convolutions; None for as many as `channels`. Cells,
                whose nodes are sums, take no other number.
            rngs: source of the initial weights.
            dtype: of the computation; weights are float32.
            design: what an earlier version took the code for, where the weights are of
                then; None for what it means today.

        Raises:
            CodeError: if it is no code.
            LayoutError: if there is no such block.
        """
        checked = code_of(code)
        space = space_of(checked)
        wanted = channels if filters is None else filters
        for name, value in (("channels", channels), ("filters", wanted)):
            if not isinstance(value, int | np.integer) or value < 1:
                raise LayoutError(
                    f"A {space.unit} needs {name}, an integer of at least 1; given {value!r}."
                )
        meant = space.design(checked) if design is None else design
        plan = space.alone(meant, int(channels), int(wanted))
        super().__init__(plan, dtype=dtype, rngs=rngs)
        self.set_weights(_drawn(plan, rngs), initial_statistics(plan))
        self.out_channels = plan[-1].shape[-1]


def _drawn(plan: Plan, rngs: nnx.Rngs) -> list[dict[str, Any]]:
    """Initial values like those of `initial_parameters`, by JAX and so traceable."""
    weights = []
    for layer in plan:
        arrays: dict[str, jax.Array] = {}
        for name, shape in layer.parameter_shapes.items():
            if name == "kernel":
                deviation = math.sqrt(2 / math.prod(shape[:-1]))
                arrays[name] = deviation * jax.random.normal(rngs.params(), shape, jnp.float32)
            else:
                arrays[name] = jnp.full(shape, float(name == "scale"), jnp.float32)
        weights.append(arrays)
    return weights

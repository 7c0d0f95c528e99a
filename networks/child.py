"""The child network as a Flax NNX module.

Each layer is its operation in the form that the table of operations names for
Flax, and Flax's batch norm where one follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from blockqnn.networks.drop_path import CellDropPath, Dropout, DropPath
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layout import Layout
from blockqnn.networks.norm_settings import (
    BATCH_NORM_EPSILON,
    BATCH_NORM_MOMENTUM,
    USUAL_NORMS,
    NormSettings,
)
from blockqnn.networks.normalisation import batch_norm
from blockqnn.networks.plan import PlacedLayer, Plan
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import design_of, design_plan


class Unit(nnx.Module):
    """One placed layer: its operation in Flax's form, and the batch norm that may follow."""

    def __init__(
        self,
        layer: PlacedLayer,
        rngs: nnx.Rngs,
        dtype: DTypeLike,
        norms: NormSettings = USUAL_NORMS,
    ):
        """Creates the layer.

        Args:
            layer: what to compute.
            rngs: source of initial weights, which `ChildNetwork` overwrites.
            dtype: of the computation; weights are float32.
            norms: how batch norm is trained.
        """
        self.norms = norms
        self.operation = layer.operation
        self.own = tuple(layer.operation.arrays(layer))
        form = layer.operation.flax
        setattr(self, form.attribute, form.load(layer, dtype, rngs))
        if layer.normalises:
            self.norm = nnx.BatchNorm(
                layer.shape[-1],
                momentum=BATCH_NORM_MOMENTUM,
                epsilon=BATCH_NORM_EPSILON,
                use_scale=layer.operation.scales,
                use_bias=layer.operation.scales,
                dtype=dtype,
                rngs=rngs,
            )

    def __call__(self, *inputs: jax.Array, norm_devices: str | None = None) -> jax.Array:
        """Computes the layer.

        Args:
            norm_devices: as for `ChildNetwork`.
            *inputs: [B, H, W, C] each, or [B, C].

        Returns:
            [B, H, W, C] or [B, C].
        """
        y = getattr(self, self.operation.flax.attribute)(*inputs)
        return self._normalised(y, norm_devices) if self.operation.normalises else y

    def parameters(self) -> dict[str, nnx.Variable]:
        """The trained arrays by their names in the plan."""
        module = getattr(self, self.operation.flax.attribute)
        arrays = {name: getattr(module, name) for name in self.own}
        if self.operation.normalises:
            arrays |= self._norm_parameters()
        return arrays

    def statistics(self) -> dict[str, nnx.Variable]:
        """The running statistics of batch norm, empty where there is none."""
        if not self.operation.normalises:
            return {}
        return {"mean": self.norm.mean, "variance": self.norm.var}

    def _norm_parameters(self) -> dict[str, nnx.Variable]:
        scale, bias = self.norm.scale, self.norm.bias
        return {} if scale is None or bias is None else {"scale": scale, "bias": bias}

    def _normalised(self, x: jax.Array, devices: str | None) -> jax.Array:
        if self.norm.use_running_average:
            return self.norm(x)
        running = self.statistics()
        parameters = _values(self._norm_parameters())
        y, after = batch_norm(x, parameters, _values(running), True, devices, self.norms)
        _set_values(running, after)
        return y


class ChildNetwork(nnx.Module):
    """A block stacked into a network. `eval()` makes batch norm use running statistics."""

    def __init__(
        self,
        plan: Plan,
        seed: int = 0,
        dtype: DTypeLike = jnp.float32,
        *,
        head: Plan = (),
        rngs: nnx.Rngs | None = None,
        norms: NormSettings = USUAL_NORMS,
    ):
        """Creates the network with He initialisation.

        Args:
            plan: the layers, as a search space returns them.
            seed: of the initial weights.
            dtype: of the computation; weights are float32.
            head: of an auxiliary classifier, whose layers stand behind the plan.
            rngs: given by a subclass that sets the weights itself, in place of the seed.
            norms: how batch norms are trained.
        """
        self.dtype = dtype
        self.classifier, self.has_head = len(plan) - 1, bool(head)
        plan = (*plan, *head)
        self.inputs = tuple(layer.inputs for layer in plan[1:])
        self.paths = tuple(layer.path for layer in plan[1:])
        made_by = nnx.Rngs(seed) if rngs is None else rngs
        self.layers = nnx.List([Unit(layer, made_by, dtype, norms) for layer in plan[1:]])
        if rngs is None:
            self.set_weights(initial_parameters(plan, seed), initial_statistics(plan))

    def __call__(
        self,
        images: jax.Array,
        drop_path: DropPath | CellDropPath | None = None,
        norm_devices: str | None = None,
        dropout: Dropout | None = None,
    ) -> jax.Array:
        """Computes the logits.

        Args:
            images: [B, H, W, C], normalised.
            drop_path: which paths to leave out in a training step; None for none.
            norm_devices: as for `all_logits`.
            dropout: as for `all_logits`.

        Returns:
            [B, classes], float32.
        """
        return self.all_logits(images, drop_path, norm_devices, dropout)[0]

    def all_logits(
        self,
        images: jax.Array,
        drop_path: DropPath | CellDropPath | None = None,
        norm_devices: str | None = None,
        dropout: Dropout | None = None,
    ) -> tuple[jax.Array, jax.Array | None]:
        """Computes the logits of the network and of its auxiliary head.

        Args:
            images: [B, H, W, C], normalised.
            drop_path: which paths to leave out in a training step; None for none.
            norm_devices: name of the axis of devices (`jax.shard_map`) that share a batch,
                over all of which batch norm takes its statistics while training; None for
                statistics of these images alone.
            dropout: which features the classifier does not see in a training step; None for
                none. That of the head sees all.

        Returns:
            [B, classes], float32, each; None where there is no head.
        """
        outputs = [images.astype(self.dtype)]
        for layer, inputs, path in zip(self.layers, self.inputs, self.paths, strict=True):
            position, read = len(outputs), [outputs[i] for i in inputs]
            if drop_path is not None:
                read = drop_path.before(position, layer.operation.joins, read)
            if dropout is not None and position == self.classifier:
                read = [dropout.apply(read[0])]
            output = layer(*read, norm_devices=norm_devices)
            outputs.append(output if drop_path is None else drop_path.after(position, path, output))
        return outputs[self.classifier], outputs[-1] if self.has_head else None

    def weights(self) -> tuple[list[dict[str, jax.Array]], list[dict[str, jax.Array]]]:
        """All weights, in the form that `set_weights` takes.

        Returns:
            For each layer of the plan its trained arrays, and its running statistics.
        """
        return (
            [{}, *(_values(layer.parameters()) for layer in self.layers)],
            [{}, *(_values(layer.statistics()) for layer in self.layers)],
        )

    def set_weights(
        self, parameters: Sequence[Mapping[str, Any]], statistics: Sequence[Mapping[str, Any]]
    ) -> None:
        """Replaces all weights, for instance by those of a trained child.

        Args:
            parameters: for each layer of the plan its trained arrays.
            statistics: for each layer of the plan its running statistics.
        """
        for layer, arrays, running in zip(self.layers, parameters[1:], statistics[1:], strict=True):
            _set_values(layer.parameters(), arrays)
            _set_values(layer.statistics(), running)


def _values(variables: Mapping[str, nnx.Variable]) -> dict[str, jax.Array]:
    return {name: variable.get_value() for name, variable in variables.items()}


def _set_values(variables: Mapping[str, nnx.Variable], values: Mapping[str, Any]) -> None:
    for name, variable in variables.items():
        variable.set_value(jnp.asarray(values[name]))


def child_network(
    code: Code, layout: Layout, seed: int = 0, dtype: DTypeLike = jnp.float32
) -> ChildNetwork:
    """Turns a block and a layout into a network.

    Args:
        code: the block, as `blockqnn.networks.spaces.registry.parse` returns it.
        layout: of the network.
        seed: of the initial weights.
        dtype: of the computation; weights are float32.

    Returns:
        An `nnx.Module` from images [B, H, W, C] to logits [B, classes]. Codes
        with one canonical form give the same network to the last weight.
    """
    return ChildNetwork(design_plan(design_of(code), layout), seed, dtype)

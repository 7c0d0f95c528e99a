"""Computes one layer of a plan, or one step that a layer was cut into."""

from __future__ import annotations

from collections.abc import Sequence

import jax

from blockqnn.networks.normalisation import Arrays, batch_norm, batch_statistics, normalised
from blockqnn.networks.operations.steps import Computation, Placed, Step
from blockqnn.networks.plan import PlacedLayer


def compute(
    layer: PlacedLayer,
    parameters: Arrays,
    statistics: Arrays,
    inputs: Sequence[jax.Array],
    training: bool,
    devices: str | None = None,
) -> tuple[jax.Array, Arrays]:
    """Computes one placed layer.

    Args:
        layer: what to compute.
        parameters: its trained arrays, float32, as `layer.parameter_shapes`.
        statistics: running `mean` and `variance` [C] of batch norm, else empty.
        inputs: its inputs, [B, H, W, C] or [B, C], of the compute dtype.
        training: whether batch norm uses the batch's statistics and updates
            the running ones, or uses the running ones.
        devices: as for `compute_by_batch`.

    Returns:
        The output, and the statistics after it.

    Raises:
        ValueError: if the layer is the image.
    """
    return _compute(layer.operation, layer, parameters, statistics, inputs, training, devices)


def compute_by_batch(
    layer: PlacedLayer,
    parameters: Arrays,
    inputs: Sequence[jax.Array],
    devices: str | None = None,
) -> tuple[jax.Array, Arrays]:
    """Computes one placed layer in training, without the running statistics.

    Args:
        layer: what to compute.
        parameters: as for `compute`.
        inputs: likewise.
        devices: name of the axis of devices that share the batch in equal parts, over all of
            which batch norm takes its statistics; None where this is all of it.

    Returns:
        The output, and the batch's own `mean` and `variance` [C] of what batch norm reads, or
        nothing without one.

    Raises:
        ValueError: if the layer is the image.
    """
    y = layer.operation.compute(layer, parameters, inputs)
    if not layer.normalises:
        return y, {}
    batch = batch_statistics(y, devices)
    return normalised(y, parameters, batch), batch


def compute_step(
    step: Step,
    parameters: Arrays,
    statistics: Arrays,
    inputs: Sequence[jax.Array],
    training: bool,
) -> tuple[jax.Array, Arrays]:
    """Computes one step of a plan that was cut into parts.

    Args:
        step: what to compute.
        parameters: its trained arrays, float32, as `step.parameter_shapes`.
        statistics: running `mean` and `variance` [C] of batch norm, else empty.
        inputs: the parts that it reads, [B, H, W, C] or [B, C].
        training: as for `compute`.

    Returns:
        The part that it writes, and the statistics after it.

    Raises:
        ValueError: if the step is the image.
    """
    return _compute(step.kind, step, parameters, statistics, inputs, training)


def _compute(
    what: Computation,
    placed: Placed,
    parameters: Arrays,
    statistics: Arrays,
    inputs: Sequence[jax.Array],
    training: bool,
    devices: str | None = None,
) -> tuple[jax.Array, Arrays]:
    y = what.compute(placed, parameters, inputs)
    if what.normalises:
        return batch_norm(y, parameters, statistics, training, devices)
    return y, statistics

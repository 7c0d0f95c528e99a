"""Zero-cost scores: what a network shows of itself before it has learned anything.

Each is a function of a plan, its initial weights and one batch, of one form,
and higher is said to be better. A layer is compiled for itself, so that
networks of one search space share what is compiled.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.execution import mean_cross_entropy
from blockqnn.networks.initial import Weights, initial_statistics
from blockqnn.networks.layers import compute
from blockqnn.networks.normalisation import Arrays
from blockqnn.networks.plan import PlacedLayer, Plan

_SYNAPSES = "kernel"
"""The arrays that the scores sum over: biases and batch norm have no part in them."""


def gradient_norm(plan: Plan, parameters: Weights, images: jax.Array, labels: jax.Array) -> float:
    """The size of the first step of training.

    Abdelfattah, Mehrotra, Dudziak, Lane, Zero-Cost Proxies for Lightweight
    NAS, ICLR 2021 (arXiv 2101.08134), section 3.1: the Euclidean norms of the
    loss's gradients for the kernels W_l of one batch, summed over the layers,

        sum_l || dL / dW_l ||

    L is the mean cross-entropy, and batch norm normalises by the batch.

    Args:
        plan: of the network.
        parameters: its weights.
        images: float32 [B, H, W, C], normalised.
        labels: int32 [B].

    Returns:
        The score, at least 0.
    """
    statistics = initial_statistics(plan)

    def loss(parameters: Any) -> jax.Array:
        outputs = _outputs(plan, parameters, statistics, images)
        return mean_cross_entropy(outputs[-1], labels)

    return sum(float(jnp.linalg.norm(g.ravel())) for g in _synapses(jax.grad(loss)(parameters)))


def activation_patterns(
    plan: Plan, parameters: Weights, images: jax.Array, labels: jax.Array
) -> float:
    """How well an untrained network tells the images of a batch apart.

    Mellor, Turner, Storkey, Crowley, Neural Architecture Search without
    Training, ICML 2021 (arXiv 2006.04647), equations 2 and 3: each ReLU is on
    or off for an image, and all of them are its binary code c_i. With N_A
    ReLUs and the Hamming distance d,

        K_ij = N_A - d(c_i, c_j),    score = log |det K|

    ReLUs are those of `OperationEntry.rectifies`, and batch norm normalises by
    the batch.

    Args:
        plan: of the network.
        parameters: its weights.
        images: float32 [B, H, W, C], normalised.
        labels: int32 [B], which make no difference.

    Returns:
        The score; -inf where two images have one code.
    """
    outputs = _outputs(plan, parameters, initial_statistics(plan), images)
    kernel = np.zeros((len(images), len(images)))
    for layer in plan:
        if layer.operation.rectifies:
            for position in layer.inputs:
                kernel += np.asarray(_agreements(outputs[position]), np.float64)
    return log_determinant(kernel)


def synaptic_flow(plan: Plan, parameters: Weights, images: jax.Array, labels: jax.Array) -> float:
    """How much reaches the classifier through all paths at once, as a logarithm.

    Tanaka, Kunin, Yamins, Ganguli, Pruning neural networks without any data by
    iteratively conserving synaptic flow, NeurIPS 2020 (arXiv 2006.05467),
    equation 2, summed over the network as Abdelfattah et al. do: with |theta|
    in the place of all weights, an image of ones, and R the sum of the logits,

        score = log sum |theta dR / dtheta|    over all kernels

    Batch norm lets everything pass (mean 0, variance 1), because it would undo
    what is measured. R grows by an order of magnitude a layer; each layer's
    output is scaled by a power of two, which is added to the logarithm.

    Args:
        plan: of the network. Its biases are 0, as they are initially.
        parameters: its weights.
        images: [B, H, W, C], of which only the shape counts.
        labels: which make no difference.

    Returns:
        The score; -inf where nothing reaches the classifier.
    """
    statistics = initial_statistics(plan)
    positive: Any = jax.tree.map(np.abs, parameters)

    def flow(parameters: Any) -> tuple[jax.Array, jax.Array]:
        """The sum of the logits, divided by a power of two, and that power's exponent."""
        outputs = [jnp.ones((1, *images.shape[1:]))]
        exponents = [jnp.zeros(())]
        for layer, own, running in zip(plan[1:], parameters[1:], statistics[1:], strict=True):
            output, exponent = _scaled(
                _anonymous(layer),
                own,
                running,
                [outputs[i] for i in layer.inputs],
                [exponents[i] for i in layer.inputs],
            )
            outputs.append(output)
            exponents.append(exponent)
        return jnp.sum(outputs[-1]), exponents[-1]

    gradients, exponent = jax.grad(flow, has_aux=True)(positive)
    flows = zip(_synapses(positive), _synapses(gradients), strict=True)
    total = sum(float(jnp.sum(jnp.abs(theta * gradient))) for theta, gradient in flows)
    return math.log(total) + float(exponent) * math.log(2) if total > 0 else -math.inf


def log_determinant(kernel: np.ndarray) -> float:
    """The logarithm of a determinant's size.

    Args:
        kernel: [N, N], symmetric and without negative eigenvalues.

    Returns:
        log |det|; -inf where the matrix is singular up to rounding.
    """
    values = np.linalg.eigvalsh(kernel)
    if values[0] <= np.finfo(np.float64).eps * len(kernel) * abs(values[-1]):
        return -math.inf
    return float(np.log(values).sum())


def _outputs(plan: Plan, parameters: Any, statistics: Any, images: jax.Array) -> list[jax.Array]:
    """What each layer computes in training."""
    outputs = [images]
    for layer, own, running in zip(plan[1:], parameters[1:], statistics[1:], strict=True):
        inputs = [outputs[i] for i in layer.inputs]
        outputs.append(_computed(_anonymous(layer), own, running, inputs))
    return outputs


def _anonymous(layer: PlacedLayer) -> PlacedLayer:
    """The layer without its place, so that equal ones share what is compiled."""
    return dataclasses.replace(layer, name="", inputs=())


def _synapses(arrays: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [own[_SYNAPSES] for own in arrays if _SYNAPSES in own]


@functools.partial(jax.jit, static_argnums=0)
def _computed(
    layer: PlacedLayer, parameters: Arrays, statistics: Arrays, inputs: Sequence[jax.Array]
) -> jax.Array:
    return compute(layer, parameters, statistics, inputs, training=True)[0]


@functools.partial(jax.jit, static_argnums=0)
def _scaled(
    layer: PlacedLayer,
    parameters: Arrays,
    statistics: Arrays,
    inputs: Sequence[jax.Array],
    exponents: Sequence[jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """A layer's output over a power of two, and the power; its inputs likewise."""
    largest = functools.reduce(jnp.maximum, exponents)
    aligned = [x * jnp.exp2(e - largest) for x, e in zip(inputs, exponents, strict=True)]
    output, _ = compute(layer, parameters, statistics, aligned, training=False)
    size = jax.lax.stop_gradient(jnp.max(jnp.abs(output)))
    exponent = jnp.where(size > 0, jnp.floor(jnp.log2(jnp.where(size > 0, size, 1.0))), 0.0)
    return output * jnp.exp2(-exponent), largest + exponent


@jax.jit
def _agreements(x: jax.Array) -> jax.Array:
    """How many numbers are positive, or not, for both of two images: [B, ...] to [B, B]."""
    # Counts are exact in float32 up to 2**24 numbers an image.
    signs = jnp.where(x.reshape(x.shape[0], -1) > 0, 1.0, -1.0)
    return (signs.shape[1] + signs @ signs.T) / 2

"""Depthwise-separable convolution: one meaning, two lowerings.

A depthwise convolution as XLA has it (`feature_group_count`) takes ten times as long on a
CPU as its few operations need. There it is the sum over the window's taps of shifted slices,
each times a row of the kernel, for so many images at a time that the slices fit a cache.
docs/speed.md has both at many shapes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from blockqnn.networks.convolution import pointwise_convolution

_MOST_BYTES = 8 * 2**20
"""Of all shifted slices of the images that are taken at a time. Half or twice as much makes no
difference; at eight times it, slices no longer fit the caches of today's processors."""

Lowering = Callable[[jax.Array, jax.Array, int, int], jax.Array]


def separable_convolution(
    x: jax.Array, depthwise: jax.Array, kernel: jax.Array, stride: int = 1, dilation: int = 1
) -> jax.Array:
    """A convolution of each channel by itself, then one of 1x1 pixels.

    Args:
        x: [B, H, W, I].
        depthwise: [K, K, 1, I], K odd; used in the dtype of `x`.
        kernel: [1, 1, I, O]; likewise.
        stride: of the first, in both directions.
        dilation: of the first: pixels from one tap to the next.

    Returns:
        [B, ceil(H / stride), ceil(W / stride), O]; padding is that of stride 1.
    """
    lowering = LOWERINGS["shifted" if jax.default_backend() == "cpu" else "grouped"]
    y = lowering(x, depthwise.astype(x.dtype), stride, dilation)
    return pointwise_convolution(y, kernel.astype(x.dtype))


def grouped(x: jax.Array, depthwise: jax.Array, stride: int, dilation: int) -> jax.Array:
    """A convolution of each channel by itself, as XLA has it; see `separable_convolution`."""
    half = dilation * (depthwise.shape[0] // 2)
    return jax.lax.conv_general_dilated(
        x,
        depthwise,
        (stride, stride),
        ((half, half), (half, half)),
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def shifted(x: jax.Array, depthwise: jax.Array, stride: int, dilation: int) -> jax.Array:
    """The same as a sum of shifted slices, for some images at a time."""
    return _in_pieces(x, depthwise, stride, dilation)


def _in_pieces(x: jax.Array, depthwise: jax.Array, stride: int, dilation: int) -> jax.Array:
    parts = _pieces(x, depthwise)
    if len(parts) == 1:
        return _summed(x, depthwise, stride, dilation)
    y = jax.lax.map(lambda part: _summed(part, depthwise, stride, dilation), parts)
    return y.reshape(-1, *y.shape[2:])


def _forward(
    x: jax.Array, depthwise: jax.Array, stride: int, dilation: int
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    # Not `shifted` itself, so that gradients can be differentiated forward.
    return _in_pieces(x, depthwise, stride, dilation), (x, depthwise)


def _backward(
    stride: int, dilation: int, saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, depthwise = saved
    parts = _pieces(x, depthwise)

    def of_part(both: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        return _gradients(*both, depthwise, stride, dilation)

    if len(parts) == 1:
        return of_part((x, gradient))
    gradients = gradient.reshape(len(parts), -1, *gradient.shape[1:])
    for_input, for_kernel = jax.lax.map(of_part, (parts, gradients))
    return for_input.reshape(x.shape), for_kernel.sum(0)


shifted.defvjp(_forward, _backward)

LOWERINGS: dict[str, Lowering] = {"grouped": grouped, "shifted": shifted}
"""Name to lowering of a depthwise convolution; both compute the same."""


def _pieces(x: jax.Array, depthwise: jax.Array) -> jax.Array:
    """A batch in as few equal pieces as have slices that are small enough: [P, B / P, H, W, C]."""
    slices = x.nbytes * depthwise.shape[0] ** 2
    batch = x.shape[0]
    counts = (count for count in range(1, batch + 1) if batch % count == 0)
    count = next((each for each in counts if slices <= each * _MOST_BYTES), batch)
    return x.reshape(count, -1, *x.shape[1:])


def _summed(x: jax.Array, depthwise: jax.Array, stride: int, dilation: int) -> jax.Array:
    taps = zip(_slices(x, depthwise.shape[0], stride, dilation), _rows(depthwise), strict=True)
    return functools.reduce(jnp.add, (piece * row for piece, row in taps))


def _gradients(
    x: jax.Array, gradient: jax.Array, depthwise: jax.Array, stride: int, dilation: int
) -> tuple[jax.Array, jax.Array]:
    """The gradients of `_summed` for the input and for the kernel."""
    side, channels = depthwise.shape[0], x.shape[-1]
    ones = jnp.ones(gradient.size // channels, x.dtype)
    # A product with ones sums pixels up several times faster than XLA's reduction does.
    rows = [
        ones @ (piece * gradient).reshape(-1, channels)
        for piece in _slices(x, side, stride, dilation)
    ]
    # The gradient for the input is the convolution with the turned kernel, where pixels that a
    # stride has left out have no gradient.
    spread = _spread(gradient, x.shape[1:3], stride)
    for_input = _summed(spread, depthwise[::-1, ::-1], 1, dilation)
    return for_input, jnp.stack(rows).reshape(depthwise.shape)


def _slices(x: jax.Array, side: int, stride: int, dilation: int) -> list[jax.Array]:
    """What each tap of a window reads, row by row."""
    height, width = x.shape[1:3]
    half = dilation * (side // 2)
    padded = jnp.pad(x, ((0, 0), (half, half), (half, half), (0, 0)))
    return [
        padded[
            :,
            row * dilation : row * dilation + height : stride,
            column * dilation : column * dilation + width : stride,
        ]
        for row in range(side)
        for column in range(side)
    ]


def _rows(depthwise: jax.Array) -> list[jax.Array]:
    return list(depthwise.reshape(-1, depthwise.shape[-1])[:, None, None, None, :])


def _spread(gradient: jax.Array, size: tuple[int, ...], stride: int) -> jax.Array:
    """A map of a size with a pixel of the gradient at every `stride`-th and 0 elsewhere."""
    if stride == 1:
        return gradient
    after = [
        side - ((kept - 1) * stride + 1)
        for side, kept in zip(size, gradient.shape[1:3], strict=True)
    ]
    padding = ((0, 0, 0), *((0, more, stride - 1) for more in after), (0, 0, 0))
    return jax.lax.pad(gradient, jnp.zeros((), gradient.dtype), padding)

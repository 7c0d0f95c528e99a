"""Convolution with stride 1 and SAME padding: one meaning, several lowerings.

Which lowering is fastest depends on the processor and the shape. XLA's own is right for
GPU and TPU; on a CPU it is several times slower than another for some shapes, and the
value and the two gradients differ in which. There a 1x1 kernel is a matrix product in
all three, and for larger ones `blockqnn.networks.lowerings` says which of the candidates
in `VALUES` and `KERNEL_GRADIENTS` to take. The gradient for the input is a convolution
with the turned kernel, so it has the candidates of a value.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.networks import lowerings
from blockqnn.networks.winograd import winograd_convolution, winograd_kernel_gradient

_MOST_PIECES = 16
"""Of a batch: each is a program of its own in what XLA compiles."""

Value = Callable[[jax.Array, jax.Array], jax.Array]
KernelGradient = Callable[[jax.Array, jax.Array, int], jax.Array]


def convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution with stride 1 and SAME padding.

    Args:
        x: [B, H, W, I].
        kernel: [K, K, I, O], K odd; used in the dtype of `x`.

    Returns:
        [B, H, W, O].
    """
    kernel = kernel.astype(x.dtype)
    if kernel.shape[0] == 1:
        return pointwise_convolution(x, kernel)
    if jax.default_backend() == "cpu":
        return _convolution_on_cpu(x, kernel)
    return plain_convolution(x, kernel)


def strided_convolution(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Convolution with a stride; what `convolution` gives at every `stride`-th pixel.

    Args:
        x: [B, H, W, I].
        kernel: [K, K, I, O], K odd; used in the dtype of `x`.
        stride: in both directions.

    Returns:
        [B, ceil(H / stride), ceil(W / stride), O].
    """
    if kernel.shape[0] == 1:
        return pointwise_convolution(x[:, ::stride, ::stride], kernel.astype(x.dtype))
    return padded_convolution(x, kernel, (stride, stride))


def padded_convolution(
    x: jax.Array, kernel: jax.Array, strides: tuple[int, int], dilation: int = 1
) -> jax.Array:
    """Any convolution, by XLA's own operation.

    Args:
        x: [B, H, W, I].
        kernel: [K, L, I, O], K and L odd; used in the dtype of `x`.
        strides: down and across.
        dilation: pixels from one tap to the next.

    Returns:
        [B, ceil(H / stride), ceil(W / stride), O].
    """
    # SAME would pad by the stride, and so shift the pixels that are read.
    down, across = (dilation * (side // 2) for side in kernel.shape[:2])
    return jax.lax.conv_general_dilated(
        x,
        kernel.astype(x.dtype),
        strides,
        ((down, down), (across, across)),
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


@jax.custom_vjp
def _convolution_on_cpu(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return _value_on_cpu(x, kernel)


def _value_on_cpu(x: jax.Array, kernel: jax.Array) -> jax.Array:
    shape = _shape(x, kernel.shape[0], kernel.shape[-1])
    return VALUES[lowerings.in_use().value(shape)](x, kernel)


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    # Not the function itself, so that gradients can be differentiated forward.
    return _value_on_cpu(x, kernel), (x, kernel)


def _backward(
    saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    side = kernel.shape[0]
    name = lowerings.in_use().kernel_gradient(_shape(x, side, gradient.shape[-1]))
    return (
        _value_on_cpu(gradient, _turned(kernel)),
        KERNEL_GRADIENTS[name](x, gradient, side),
    )


_convolution_on_cpu.defvjp(_forward, _backward)


def _shape(x: jax.Array, side: int, outputs: int) -> lowerings.Shape:
    _, height, width, inputs = x.shape
    return lowerings.Shape(side, height, width, inputs, outputs)


def plain_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolution` as XLA's own operation."""
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def pointwise_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolution` with a 1x1 kernel, as a matrix product.

    With all pixels as the rows of one matrix, the kernel's gradient is one product, too; summed
    over three axes it takes up to twice as long.
    """
    product = x.reshape(-1, x.shape[-1]) @ kernel[0, 0]
    return product.reshape(*x.shape[:-1], -1)


def neighbours_convolution(x: jax.Array, kernel: jax.Array, pixels: int) -> jax.Array:
    """`convolution` of neighbouring pixels of a row taken together, as channels.

    Narrow maps leave vector registers half empty. With p and q the places of an output and
    an input pixel in their groups, d groups apart, the tap is pixels d + q - p + K // 2; where
    the kernel has none, there are zeros.

    Args:
        x: [B, H, W, I]; W is a multiple of `pixels`.
        kernel: [K, K, I, O].
        pixels: that are taken together.

    Returns:
        [B, H, W, O].
    """
    batch, height, width, inputs = x.shape
    side, outputs = kernel.shape[0], kernel.shape[-1]
    half = side // 2
    reach = (half + pixels - 1) // pixels
    apart, q, p = np.ogrid[-reach : reach + 1, :pixels, :pixels]
    taps = pixels * apart + q - p + half
    taps = np.where((taps >= 0) & (taps < side), taps, side)
    widened = jnp.pad(kernel, ((0, 0), (0, 1), (0, 0), (0, 0)))[:, taps]
    wide = widened.transpose(0, 1, 2, 4, 3, 5).reshape(
        side, 2 * reach + 1, pixels * inputs, pixels * outputs
    )
    y = plain_convolution(x.reshape(batch, height, width // pixels, pixels * inputs), wide)
    return y.reshape(batch, height, width, outputs)


def dense_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolution` as the product of whole maps, as vectors, with one large matrix."""
    batch, height, width, channels = x.shape
    nothing = jnp.zeros((channels, kernel.shape[-1]), kernel.dtype)
    rows = []
    for source in np.ndindex(height, width):
        taps = [_tap(source, target, kernel.shape[0]) for target in np.ndindex(height, width)]
        blocks = [nothing if tap is None else kernel[tap] for tap in taps]
        rows.append(jnp.concatenate(blocks, axis=1))
    matrix = jnp.concatenate(rows, axis=0)
    return (x.reshape(batch, -1) @ matrix).reshape(batch, height, width, -1)


def plain_kernel_gradient(x: jax.Array, gradient: jax.Array, side: int) -> jax.Array:
    """The gradient of `convolution` for its kernel, as XLA's own operation.

    Args:
        x: the input, [B, H, W, I].
        gradient: for the output, [B, H, W, O].
        side: K.

    Returns:
        [K, K, I, O].
    """
    half = side // 2
    # The batch is what is summed over, so it takes the place of the channels.
    return jax.lax.conv_general_dilated(
        x,
        gradient,
        (1, 1),
        ((half, half), (half, half)),
        dimension_numbers=("CHWN", "IHWO", "HWNC"),
    )


def exchanged_kernel_gradient(x: jax.Array, gradient: jax.Array, side: int) -> jax.Array:
    """`plain_kernel_gradient` with the input and the gradient in each other's place."""
    return _turned(plain_kernel_gradient(gradient, x, side))


def piecewise_kernel_gradient(
    x: jax.Array,
    gradient: jax.Array,
    side: int,
    piece: int,
    of_piece: KernelGradient = plain_kernel_gradient,
) -> jax.Array:
    """`plain_kernel_gradient` as the sum over pieces of the batch.

    The whole batch is read again for every tap, so what is read has to fit the cache.

    Args:
        x: the input, [B, H, W, I].
        gradient: for the output, [B, H, W, O].
        side: K.
        piece: images in one, or as many more as keep the pieces few enough to compile. Fewer
            than 8 leave lanes of vector registers unused.
        of_piece: computes what is added up.

    Returns:
        [K, K, I, O].
    """
    piece = max(piece, -(-len(x) // _MOST_PIECES))
    parts = [
        of_piece(x[start : start + piece], gradient[start : start + piece], side)
        for start in range(0, len(x), piece)
    ]
    # Half precision would lose bits at every addition.
    exact = x.dtype if x.dtype.itemsize >= 4 else jnp.float32
    total = parts[0].astype(exact)
    for part in parts[1:]:
        total = total + part.astype(exact)
    return total.astype(x.dtype)


def dense_kernel_gradient(x: jax.Array, gradient: jax.Array, side: int) -> jax.Array:
    """`plain_kernel_gradient` from the gradient of the matrix of `dense_convolution`."""
    batch, height, width, channels = x.shape
    matrix = x.reshape(batch, -1).T @ gradient.reshape(batch, -1)
    blocks = matrix.reshape(height, width, channels, height, width, -1)
    found: dict[tuple[int, int] | None, list[jax.Array]] = {}
    for source in np.ndindex(height, width):
        for target in np.ndindex(height, width):
            block = blocks[source[0], source[1], :, target[0], target[1]]
            found.setdefault(_tap(source, target, side), []).append(block)
    # On a very small map there are taps that only ever meet padding.
    nothing = [jnp.zeros_like(blocks[0, 0, :, 0, 0])]
    taps = [found.get(tap, nothing) for tap in np.ndindex(side, side)]
    summed = jnp.stack([sum(parts[1:], parts[0]) for parts in taps])
    return summed.reshape(side, side, channels, -1)


def _tap(source: tuple[int, ...], target: tuple[int, ...], side: int) -> tuple[int, int] | None:
    """Through which tap of a kernel a pixel is read for another, if through any."""
    row, column = (s - t + side // 2 for s, t in zip(source, target, strict=True))
    return (row, column) if 0 <= row < side and 0 <= column < side else None


def _turned(kernel: jax.Array) -> jax.Array:
    """Half a turn, and input for output."""
    return jnp.flip(kernel, (0, 1)).swapaxes(2, 3)


VALUES: dict[str, Value] = {
    "plain": plain_convolution,
    "dense": dense_convolution,
    "pairs": functools.partial(neighbours_convolution, pixels=2),
    "quads": functools.partial(neighbours_convolution, pixels=4),
    "winograd": winograd_convolution,
}
"""The candidates for a value, and for the gradient for an input."""
KERNEL_GRADIENTS: dict[str, KernelGradient] = {
    "plain": plain_kernel_gradient,
    "dense": dense_kernel_gradient,
    "exchanged": exchanged_kernel_gradient,
    "winograd": winograd_kernel_gradient,
}
for _piece in lowerings.PIECES:
    KERNEL_GRADIENTS |= {
        f"pieces of {_piece}": functools.partial(piecewise_kernel_gradient, piece=_piece),
        f"exchanged, pieces of {_piece}": functools.partial(
            piecewise_kernel_gradient, piece=_piece, of_piece=exchanged_kernel_gradient
        ),
    }

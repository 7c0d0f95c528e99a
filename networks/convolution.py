"""Convolution with stride 1 and SAME padding: one meaning, several lowerings.

Which lowering is fastest depends on the backend and the shape. XLA's own is
right for GPU and TPU; on the CPU it is several times slower than another for
some shapes, and the value and the two gradients differ in which
(`benchmarks/convolutions.py` measures all of them). So each of the three is
chosen by itself:

- a 1x1 kernel is a matrix product, everywhere and in all three; on the CPU,
- on a map smaller than the kernel, the whole map is one vector and the
  convolution one matrix, which leaves out all products with padding;
- the gradient for the input is a convolution with the turned kernel;
- the gradient for the kernel is taken of pieces of the batch that fit the cache
  and added up.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

_PIECES = ((16, 8), (8, 16))
"""Sides of maps, and the images in a piece of the batch from there on. On smaller maps pieces
save less than they take to compile; fewer than 8 images leave lanes of vector registers unused."""


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
    half = kernel.shape[0] // 2
    # SAME would pad by the stride, and so shift the pixels that are read.
    return jax.lax.conv_general_dilated(
        x,
        kernel.astype(x.dtype),
        (stride, stride),
        ((half, half), (half, half)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


@jax.custom_vjp
def _convolution_on_cpu(x: jax.Array, kernel: jax.Array) -> jax.Array:
    if _is_small(x, kernel.shape[0]):
        return dense_convolution(x, kernel)
    return plain_convolution(x, kernel)


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolution_on_cpu(x, kernel), (x, kernel)


def _backward(
    saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    side = kernel.shape[0]
    input_gradient = _convolution_on_cpu(gradient, _turned(kernel))
    if _is_small(x, side):
        return input_gradient, dense_kernel_gradient(x, gradient, side)
    return input_gradient, piecewise_kernel_gradient(x, gradient, side)


_convolution_on_cpu.defvjp(_forward, _backward)


def plain_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolution` as XLA's own operation."""
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def pointwise_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolution` with a 1x1 kernel, as a matrix product."""
    return jnp.einsum("bhwi,io->bhwo", x, kernel[0, 0])


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


def piecewise_kernel_gradient(x: jax.Array, gradient: jax.Array, side: int) -> jax.Array:
    """`plain_kernel_gradient` as the sum over pieces of the batch.

    The whole batch is read again for every tap, so what is read has to fit the cache.
    """
    batch = len(x)
    piece = next((images for least, images in _PIECES if min(x.shape[1:3]) >= least), batch)
    parts = [
        plain_kernel_gradient(x[start : start + piece], gradient[start : start + piece], side)
        for start in range(0, batch, piece)
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


def _is_small(x: jax.Array, side: int) -> bool:
    """Whether the kernel is larger than the map, and the dense matrix not much larger than both."""
    height, width = x.shape[1:3]
    return side > min(height, width) and height * width < side * side


def _tap(source: tuple[int, ...], target: tuple[int, ...], side: int) -> tuple[int, int] | None:
    """Through which tap of a kernel a pixel is read for another, if through any."""
    row, column = (s - t + side // 2 for s, t in zip(source, target, strict=True))
    return (row, column) if 0 <= row < side and 0 <= column < side else None


def _turned(kernel: jax.Array) -> jax.Array:
    """Half a turn, and input for output."""
    return jnp.flip(kernel, (0, 1)).swapaxes(2, 3)

"""Convolution with fewer products: Winograd's minimal filtering along the columns of a map.

For m neighbouring pixels of a column a kernel of r rows needs m r products; m + r - 1 are
enough (S. Winograd 1980; for convolutional networks A. Lavin and S. Gray, CVPR 2016): with d
the m + r - 1 pixels that are read, g the taps, and three small matrices,

    y = A^T [(G g) * (B^T d)].

Each of these products is a convolution by a kernel of one row here, so that it sums over
channels and taps of the row as fast as XLA can, and in the gradient for the kernel a product of
matrices. Six products, at the points 0, 1, -1, 2, -2 and infinity, make four pixels with a kernel
of 3 rows, and two with one of 5: half and three fifths of the products. More points would need
larger numbers in the matrices, and cost digits.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.networks.lowerings import WINOGRAD_ROWS

_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0)
"""Without infinity, which is the last."""
_PRODUCTS = len(_POINTS) + 1


def winograd_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution with stride 1 and SAME padding by Winograd's products.

    Args:
        x: [B, H, W, I]; H is a multiple of `lowerings.WINOGRAD_ROWS[K]`.
        kernel: [K, K, I, O], K 3 or 5.

    Returns:
        [B, H, W, O], in the dtype of `x`; the products of a half precision are in float32, since
        the matrices would cost too many of its digits.
    """
    batch, height, width, _ = x.shape
    side = len(kernel)
    half = side // 2
    outputs, taps, _ = _matrices(side)
    read = _read(x, side)
    exact = read[0].dtype
    kernels = jnp.einsum("pr,rsio->psio", taps.astype(exact), kernel.astype(exact))
    products = [
        jax.lax.conv_general_dilated(
            pixels,
            row[None],
            (1, 1),
            ((0, 0), (half, half)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        for pixels, row in zip(read, kernels, strict=True)
    ]
    y = jnp.stack(_combined(outputs, products), axis=2)
    return y.reshape(batch, height, width, -1).astype(x.dtype)


def winograd_kernel_gradient(x: jax.Array, gradient: jax.Array, side: int) -> jax.Array:
    """The gradient of `winograd_convolution` for its kernel.

        dg = G^T sum of (A dy) * (B^T d) over all places,

    where each product is a matrix product that sums over all places at once, for each tap of a row.

    Args:
        x: the input, [B, H, W, I]; H as there.
        gradient: for the output, [B, H, W, O].
        side: K, 3 or 5.

    Returns:
        [K, K, I, O], in the dtype of `x`.
    """
    width, half, rows = x.shape[2], side // 2, WINOGRAD_ROWS[side]
    outputs, taps, _ = _matrices(side)
    read = _read(x, side)
    exact = read[0].dtype
    parts = [gradient[:, row::rows].astype(exact) for row in range(rows)]
    found = []
    for pixels, part in zip(read, _combined(outputs.T, parts), strict=True):
        padded = jnp.pad(pixels, ((0, 0), (0, 0), (half, half), (0, 0)))
        flat = part.reshape(-1, part.shape[-1]).T
        # This way round XLA's product is the faster one.
        of_taps = [(flat @ _columns(padded, tap, width)).T for tap in range(side)]
        found.append(jnp.stack(of_taps))
    products = jnp.stack(found)
    return jnp.einsum("pr,psio->rsio", taps.astype(exact), products).astype(x.dtype)


def _columns(pixels: jax.Array, first: int, count: int) -> jax.Array:
    """So many columns of maps as the rows of one matrix, channels across."""
    return pixels[:, :, first : first + count].reshape(-1, pixels.shape[-1])


def _read(x: jax.Array, side: int) -> list[jax.Array]:
    """B^T d: for each product [B, H / m, W, I], at least in single precision."""
    half, rows, height = side // 2, WINOGRAD_ROWS[side], x.shape[1]
    exact = x.dtype if x.dtype.itemsize >= 4 else jnp.float32
    padded = jnp.pad(x.astype(exact), ((0, 0), (half, half), (0, 0), (0, 0)))
    read = [padded[:, row : row + height - rows + 1 : rows] for row in range(_PRODUCTS)]
    return _combined(_matrices(side)[2], read)


@functools.cache
def _matrices(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A^T [m, n], G [n, r] and B^T [n, n], with n products.

    Row i of G evaluates the kernel, as a polynomial of its taps, at a point, over the
    denominator of Lagrange; row i of B^T has the polynomial that is zero at all other points, and
    its last row the one that is zero at all of them. The last column of A^T and the last row of G
    stand for infinity, where only the highest power counts.
    """
    rows, points = WINOGRAD_ROWS[side], np.array(_POINTS)
    others = [np.delete(points, place) for place in range(len(points))]
    infinity = np.zeros(rows)
    infinity[-1] = 1
    outputs = np.column_stack([np.vander(points, rows, increasing=True).T, infinity])
    scale = np.array([np.prod(point - rest) for point, rest in zip(points, others, strict=True)])
    highest = np.zeros(side)
    highest[-1] = 1
    taps = np.vstack([np.vander(points, side, increasing=True) / scale[:, None], highest])
    # np.poly has the highest power first.
    inputs = np.vstack(
        [*(np.append(np.poly(rest)[::-1], 0) for rest in others), np.poly(points)[::-1]]
    )
    return outputs, taps, inputs


def _combined(matrix: np.ndarray, arrays: Sequence[jax.Array]) -> list[jax.Array]:
    """The matrix times a column of arrays; XLA makes one loop of each row's sum."""
    found = []
    for row in matrix:
        terms = [float(factor) * array for factor, array in zip(row, arrays, strict=True) if factor]
        found.append(sum(terms[1:], terms[0]))
    return found

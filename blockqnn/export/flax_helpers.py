"""Definitions that source code in Flax NNX begins with, each where some layer needs it."""

from __future__ import annotations

from blockqnn.networks.norm_settings import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM

HELPERS = {
    "convolution": '''

def convolution(
    inputs: int, outputs: int, side: int, stride: int = 1, *, rngs: nnx.Rngs
) -> nnx.Conv:
    """A convolution without bias; with stride 1 the map keeps its size."""
    return nnx.Conv(
        inputs,
        outputs,
        kernel_size=(side, side),
        strides=stride,
        padding=side // 2,
        use_bias=False,
        kernel_init=HE_NORMAL,
        rngs=rngs,
    )
''',
    "batch_norm": f'''

def batch_norm(channels: int, *, rngs: nnx.Rngs) -> nnx.BatchNorm:
    """A batch normalisation."""
    return nnx.BatchNorm(
        channels,
        momentum={BATCH_NORM_MOMENTUM},
        epsilon={BATCH_NORM_EPSILON},
        rngs=rngs,
    )
''',
    "ReluConvNorm": '''

class ReluConvNorm(nnx.Module):
    """ReLU, convolution, batch normalisation."""

    def __init__(
        self, inputs: int, outputs: int, side: int, stride: int = 1, *, rngs: nnx.Rngs
    ):
        self.conv = convolution(inputs, outputs, side, stride, rngs=rngs)
        self.norm = batch_norm(outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.norm(self.conv(nnx.relu(x)))
''',
    "depthwise": '''

def depthwise(
    channels: int, side: int, stride: int = 1, dilation: int = 1, *, rngs: nnx.Rngs
) -> nnx.Conv:
    """A convolution of each channel by itself, without bias."""
    return nnx.Conv(
        channels,
        channels,
        kernel_size=(side, side),
        strides=stride,
        padding=dilation * (side // 2),
        kernel_dilation=dilation,
        feature_group_count=channels,
        use_bias=False,
        kernel_init=HE_NORMAL,
        rngs=rngs,
    )
''',
    "window": '''

def window(
    inputs: int,
    outputs: int,
    size: tuple[int, int],
    strides: tuple[int, int],
    padding: tuple[int, int],
    dilation: int = 1,
    *,
    rngs: nnx.Rngs,
) -> nnx.Conv:
    """A convolution of any window without bias; sizes, strides and padding are down and across."""
    return nnx.Conv(
        inputs,
        outputs,
        kernel_size=size,
        strides=strides,
        padding=[(side, side) for side in padding],
        kernel_dilation=dilation,
        use_bias=False,
        kernel_init=HE_NORMAL,
        rngs=rngs,
    )
''',
    "ReluSeparableNorm": '''

class ReluSeparableNorm(nnx.Module):
    """ReLU, depthwise and pointwise convolution, batch normalisation."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        side: int,
        stride: int = 1,
        dilation: int = 1,
        *,
        rngs: nnx.Rngs,
    ):
        self.depthwise = depthwise(inputs, side, stride, dilation, rngs=rngs)
        self.pointwise = convolution(inputs, outputs, 1, rngs=rngs)
        self.norm = batch_norm(outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.norm(self.pointwise(self.depthwise(nnx.relu(x))))
''',
    "ReluDilatedNorm": '''

class ReluDilatedNorm(nnx.Module):
    """ReLU, convolution of every second pixel, batch normalisation."""

    def __init__(
        self, inputs: int, outputs: int, side: int, stride: int = 1, *, rngs: nnx.Rngs
    ):
        half = 2 * (side // 2)
        self.conv = window(
            inputs, outputs, (side, side), (stride, stride), (half, half), 2, rngs=rngs
        )
        self.norm = batch_norm(outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.norm(self.conv(nnx.relu(x)))
''',
    "ReluWindowNorm": '''

class ReluWindowNorm(nnx.Module):
    """ReLU, convolution by a window that need not be square, batch normalisation."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        sides: tuple[int, int],
        strides: tuple[int, int],
        *,
        rngs: nnx.Rngs,
    ):
        halves = (sides[0] // 2, sides[1] // 2)
        self.conv = window(inputs, outputs, sides, strides, halves, rngs=rngs)
        self.norm = batch_norm(outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.norm(self.conv(nnx.relu(x)))
''',
    "ReluCrossedNorm": '''

class ReluCrossedNorm(nnx.Module):
    """ReLU, convolutions of one row and of one column, batch normalisation."""

    def __init__(
        self, inputs: int, outputs: int, side: int, stride: int = 1, *, rngs: nnx.Rngs
    ):
        half = side // 2
        self.across = window(inputs, outputs, (1, side), (1, stride), (0, half), rngs=rngs)
        self.down = window(outputs, outputs, (side, 1), (stride, 1), (half, 0), rngs=rngs)
        self.norm = batch_norm(outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.norm(self.down(self.across(nnx.relu(x))))
''',
    "FactorisedReduction": '''

class FactorisedReduction(nnx.Module):
    """ReLU, 1x1 convolutions of even and of odd pixels side by side, batch normalisation."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs):
        self.even = convolution(inputs, outputs - outputs // 2, 1, rngs=rngs)
        self.odd = convolution(inputs, outputs // 2, 1, rngs=rngs)
        self.norm = batch_norm(outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(x)
        shifted = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))[:, 1:, 1:]
        halves = [self.even(x[:, ::2, ::2]), self.odd(shifted[:, ::2, ::2])]
        return self.norm(jnp.concatenate(halves, axis=-1))
''',
    "PlainFactorisedReduction": '''

class PlainFactorisedReduction(nnx.Module):
    """1x1 convolutions of even and of odd pixels side by side, batch normalisation."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs):
        self.even = convolution(inputs, outputs - outputs // 2, 1, rngs=rngs)
        self.odd = convolution(inputs, outputs // 2, 1, rngs=rngs)
        self.norm = batch_norm(outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        shifted = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))[:, 1:, 1:]
        halves = [self.even(x[:, ::2, ::2]), self.odd(shifted[:, ::2, ::2])]
        return self.norm(jnp.concatenate(halves, axis=-1))
''',
    "group_norm": f'''

def group_norm(channels: int, groups: int, *, rngs: nnx.Rngs) -> nnx.GroupNorm:
    """Normalises each image by itself: all of it for one group, each channel for as many."""
    return nnx.GroupNorm(
        channels,
        num_groups=groups,
        epsilon={BATCH_NORM_EPSILON},
        use_fast_variance=False,
        rngs=rngs,
    )
''',
    "zeros_after": '''

def zeros_after(x: jax.Array, tall: jax.Array, wide: jax.Array) -> jax.Array:
    """A map with zeros below and to the right, as tall as one map and as wide as another."""
    down, across = tall.shape[1] - x.shape[1], wide.shape[2] - x.shape[2]
    return jnp.pad(x, ((0, 0), (0, down), (0, across), (0, 0)))
''',
    "zeros_around": '''

def zeros_around(x: jax.Array, tall: jax.Array, wide: jax.Array) -> jax.Array:
    """A map with zeros around it, as tall as one map and as wide as another."""
    missing = (tall.shape[1] - x.shape[1], wide.shape[2] - x.shape[2])
    down, across = ((n // 2, n - n // 2) for n in missing)
    return jnp.pad(x, ((0, 0), down, across, (0, 0)))
''',
    "max_pool": '''

def max_pool(x: jax.Array, side: int, stride: int = 1) -> jax.Array:
    """Max pooling; with stride 1 the map keeps its size."""
    half = side // 2
    return nnx.max_pool(x, (side, side), (stride, stride), ((half, half), (half, half)))
''',
    "average_pool": '''

def average_pool(x: jax.Array, side: int, stride: int = 1) -> jax.Array:
    """Average pooling over pixels that exist; with stride 1 the map keeps its size."""
    half = side // 2
    padding = ((half, half), (half, half))
    return nnx.avg_pool(
        x, (side, side), (stride, stride), padding, count_include_pad=False
    )
''',
    "padded_sum": '''

def padded_sum(x: jax.Array, y: jax.Array) -> jax.Array:
    """Adds two maps; the narrower one gets channels of zeros at its end."""
    channels = max(x.shape[-1], y.shape[-1])
    x, y = (
        jnp.pad(z, ((0, 0), (0, 0), (0, 0), (0, channels - z.shape[-1])))
        for z in (x, y)
    )
    return x + y
''',
}

UNSCALED_NORM = f'''

def unscaled_norm(channels: int, *, rngs: nnx.Rngs) -> nnx.BatchNorm:
    """A batch normalisation without scale and shift."""
    return nnx.BatchNorm(
        channels,
        momentum={BATCH_NORM_MOMENTUM},
        epsilon={BATCH_NORM_EPSILON},
        use_scale=False,
        use_bias=False,
        rngs=rngs,
    )
'''

"""Definitions that source code in PyTorch begins with, each where some layer needs it."""

from __future__ import annotations

from blockqnn.networks.norm_settings import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM

HELPERS = {
    "convolution": '''

def convolution(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias; with stride 1 the map keeps its size."""
    made = nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=False)
    nn.init.kaiming_normal_(made.weight)
    return made
''',
    "batch_norm": f'''

def batch_norm(channels: int) -> nn.BatchNorm2d:
    """A batch normalisation."""
    return nn.BatchNorm2d(channels, eps={BATCH_NORM_EPSILON}, momentum={1 - BATCH_NORM_MOMENTUM:g})
''',
    "linear": '''

def linear(inputs: int, outputs: int) -> nn.Linear:
    """A product with a matrix, and a bias."""
    made = nn.Linear(inputs, outputs)
    nn.init.kaiming_normal_(made.weight)
    nn.init.zeros_(made.bias)
    return made
''',
    "ReluConvNorm": '''

class ReluConvNorm(nn.Module):
    """ReLU, convolution, batch normalisation."""

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1):
        super().__init__()
        self.conv = convolution(inputs, outputs, side, stride)
        self.norm = batch_norm(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(functional.relu(x)))
''',
    "depthwise": '''

def depthwise(channels: int, side: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A convolution of each channel by itself, without bias."""
    padding = dilation * (side // 2)
    made = nn.Conv2d(
        channels, channels, side, stride, padding, dilation, groups=channels, bias=False
    )
    nn.init.kaiming_normal_(made.weight)
    return made
''',
    "window": '''

def window(
    inputs: int,
    outputs: int,
    size: tuple[int, int],
    strides: tuple[int, int],
    padding: tuple[int, int],
    dilation: int = 1,
) -> nn.Conv2d:
    """A convolution of any window without bias; sizes, strides and padding are down and across."""
    made = nn.Conv2d(inputs, outputs, size, strides, padding, dilation, bias=False)
    nn.init.kaiming_normal_(made.weight)
    return made
''',
    "ReluSeparableNorm": '''

class ReluSeparableNorm(nn.Module):
    """ReLU, depthwise and pointwise convolution, batch normalisation."""

    def __init__(
        self, inputs: int, outputs: int, side: int, stride: int = 1, dilation: int = 1
    ):
        super().__init__()
        self.depthwise = depthwise(inputs, side, stride, dilation)
        self.pointwise = convolution(inputs, outputs, 1)
        self.norm = batch_norm(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.pointwise(self.depthwise(functional.relu(x))))
''',
    "ReluDilatedNorm": '''

class ReluDilatedNorm(nn.Module):
    """ReLU, convolution of every second pixel, batch normalisation."""

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1):
        super().__init__()
        half = 2 * (side // 2)
        self.conv = window(inputs, outputs, (side, side), (stride, stride), (half, half), 2)
        self.norm = batch_norm(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(functional.relu(x)))
''',
    "ReluWindowNorm": '''

class ReluWindowNorm(nn.Module):
    """ReLU, convolution by a window that need not be square, batch normalisation."""

    def __init__(
        self, inputs: int, outputs: int, sides: tuple[int, int], strides: tuple[int, int]
    ):
        super().__init__()
        halves = (sides[0] // 2, sides[1] // 2)
        self.conv = window(inputs, outputs, sides, strides, halves)
        self.norm = batch_norm(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(functional.relu(x)))
''',
    "ReluCrossedNorm": '''

class ReluCrossedNorm(nn.Module):
    """ReLU, convolutions of one row and of one column, batch normalisation."""

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1):
        super().__init__()
        half = side // 2
        self.across = window(inputs, outputs, (1, side), (1, stride), (0, half))
        self.down = window(outputs, outputs, (side, 1), (stride, 1), (half, 0))
        self.norm = batch_norm(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.down(self.across(functional.relu(x))))
''',
    "FactorisedReduction": '''

class FactorisedReduction(nn.Module):
    """ReLU, 1x1 convolutions of even and of odd pixels side by side, batch normalisation."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.even = convolution(inputs, outputs - outputs // 2, 1)
        self.odd = convolution(inputs, outputs // 2, 1)
        self.norm = batch_norm(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(x)
        shifted = functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        halves = [self.even(x[:, :, ::2, ::2]), self.odd(shifted[:, :, ::2, ::2])]
        return self.norm(torch.cat(halves, dim=1))
''',
    "PlainFactorisedReduction": '''

class PlainFactorisedReduction(nn.Module):
    """1x1 convolutions of even and of odd pixels side by side, batch normalisation."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.even = convolution(inputs, outputs - outputs // 2, 1)
        self.odd = convolution(inputs, outputs // 2, 1)
        self.norm = batch_norm(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shifted = functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        halves = [self.even(x[:, :, ::2, ::2]), self.odd(shifted[:, :, ::2, ::2])]
        return self.norm(torch.cat(halves, dim=1))
''',
    "zeros_after": '''

def zeros_after(x: torch.Tensor, tall: torch.Tensor, wide: torch.Tensor) -> torch.Tensor:
    """A map with zeros below and to the right, as tall as one map and as wide as another."""
    return functional.pad(x, (0, wide.shape[3] - x.shape[3], 0, tall.shape[2] - x.shape[2]))
''',
    "zeros_around": '''

def zeros_around(x: torch.Tensor, tall: torch.Tensor, wide: torch.Tensor) -> torch.Tensor:
    """A map with zeros around it, as tall as one map and as wide as another."""
    across, down = wide.shape[3] - x.shape[3], tall.shape[2] - x.shape[2]
    sides = (across // 2, across - across // 2, down // 2, down - down // 2)
    return functional.pad(x, sides)
''',
    "product": '''

def product(inputs: int, outputs: int) -> nn.Linear:
    """A product with a matrix."""
    made = nn.Linear(inputs, outputs, bias=False)
    nn.init.kaiming_normal_(made.weight)
    return made
''',
    "max_pool": '''

def max_pool(x: torch.Tensor, side: int, stride: int = 1) -> torch.Tensor:
    """Max pooling; with stride 1 the map keeps its size."""
    return functional.max_pool2d(x, side, stride, padding=side // 2)
''',
    "average_pool": '''

def average_pool(x: torch.Tensor, side: int, stride: int = 1) -> torch.Tensor:
    """Average pooling over pixels that exist; with stride 1 the map keeps its size."""
    return functional.avg_pool2d(
        x, side, stride, padding=side // 2, count_include_pad=False
    )
''',
    "padded_sum": '''

def padded_sum(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Adds two maps; the narrower one gets channels of zeros at its end."""
    channels = max(x.shape[1], y.shape[1])
    x, y = (functional.pad(z, (0, 0, 0, 0, 0, channels - z.shape[1])) for z in (x, y))
    return x + y
''',
}

UNSCALED_NORM = f'''

def unscaled_norm(channels: int) -> nn.BatchNorm2d:
    """A batch normalisation without scale and shift."""
    momentum = {1 - BATCH_NORM_MOMENTUM:g}
    return nn.BatchNorm2d(channels, eps={BATCH_NORM_EPSILON}, momentum=momentum, affine=False)
'''

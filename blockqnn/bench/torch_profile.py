"""Where a step of PyTorch's child goes, function by function."""

from __future__ import annotations

import collections
import dataclasses
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.nn import functional

from blockqnn.bench.profile import (
    CLASSIFIER,
    JOINS,
    NORM,
    SUMS,
    WEIGHTS,
    Direction,
    Measured,
    flops_of,
    kind_of,
    median_seconds,
)
from blockqnn.bench.torch_functions import BEFORE_NORM
from blockqnn.networks.operations.steps import padding_of, strides_of
from blockqnn.networks.plan import Operation, PlacedLayer, Plan
from blockqnn.settings import Recipe

Function = Callable[..., torch.Tensor]


class TorchProfile:
    """Measures the functions of a child's step by themselves."""

    def __init__(
        self, plan: Plan, recipe: Recipe, batch_size: int, device: torch.device, functions: Any
    ):
        """Takes a child to its layers.

        Args:
            plan: of the child network.
            recipe: how it is trained.
            batch_size: images in a step.
            device: that computes.
            functions: of operations, as `torch_child` has them.
        """
        self._plan, self._recipe, self._batch_size = plan, recipe, batch_size
        self._device, self._functions = device, functions

    def measure(self) -> list[Measured]:
        """Times every function once, and counts how often a step calls it."""
        layers = collections.Counter(
            # A layer without its place.
            (dataclasses.replace(layer, inputs=(), name=""), 0 not in layer.inputs)
            for layer in self._plan[1:]
        )
        found: list[Measured] = []
        for (layer, passes), times in layers.items():
            found += self._of_layer(layer, passes, times)
        readers = collections.Counter(i for layer in self._plan for i in layer.inputs if i)
        for number, count in readers.items():
            if count > 1:
                arrays = [self._tensor(self._plan[number].shape) for _ in range(count)]
                seconds = self._seconds(lambda *xs: sum(xs[1:], xs[0]), *arrays)
                found.append(Measured(SUMS, Direction.INPUT, seconds))
        found += [self._loss(), self._update()]
        return found

    def _of_layer(self, layer: PlacedLayer, passes: bool, times: int) -> Iterator[Measured]:
        own = layer.operation.arrays(layer)
        kind = kind_of(layer.operation.name, layer, own)
        inputs = [self._tensor(shape) for shape in layer.input_shapes]
        if layer.operation is not Operation.BATCH_NORM:
            arrays, function = self._arrays(own), self._function(layer)
            flops = flops_of(self._batch_size, layer, own)
            for direction, seconds in self._directions(function, inputs, arrays, passes, kind):
                yield Measured(kind, direction, seconds, flops, times)
        if layer.normalises:
            channels = layer.shape[-1:]
            x = self._tensor(layer.shape)
            scale, bias = self._arrays({"scale": channels, "bias": channels})
            mean, variance = torch.zeros_like(scale), torch.ones_like(scale)

            def norm(x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
                return functional.batch_norm(x, mean, variance, scale, bias, True, 0.1, 1e-5)

            yield Measured(NORM, Direction.VALUE, self._seconds(norm, x, scale, bias), times=times)
            seconds = self._gradient_seconds(norm, [x, scale, bias], [x, scale, bias])
            yield Measured(NORM, Direction.INPUT, seconds, times=times)

    def _function(self, layer: PlacedLayer) -> Function:
        """What a layer computes before its batch norm, of its inputs and then its arrays."""
        padding, stride = padding_of(layer), strides_of(layer)
        if layer.operation.with_scale is Operation.PCC:
            return lambda x, kernel: functional.conv2d(
                functional.relu(x), kernel, None, stride, padding
            )
        if layer.operation is Operation.CONVOLUTION:
            return lambda x, kernel: functional.conv2d(x, kernel, None, stride, padding)
        if layer.operation is Operation.LINEAR:
            return functional.linear
        if layer.operation.with_scale in BEFORE_NORM:
            names = list(layer.operation.arrays(layer))

            def before(x: torch.Tensor, *own: torch.Tensor) -> torch.Tensor:
                arrays = types.SimpleNamespace(**dict(zip(names, own, strict=True)))
                return BEFORE_NORM[layer.operation.with_scale](layer, arrays, x)

            return before
        return lambda *inputs: self._functions[layer.operation](layer, None, list(inputs), True)

    def _directions(
        self,
        function: Function,
        inputs: Sequence[torch.Tensor],
        arrays: Sequence[torch.Tensor],
        passes: bool,
        kind: str,
    ) -> Iterator[tuple[Direction, float]]:
        yield Direction.VALUE, self._seconds(function, *inputs, *arrays)
        everything = [*inputs, *arrays]
        # Gradients of sums and of concatenations are views.
        if passes and kind not in (SUMS, JOINS):
            yield Direction.INPUT, self._gradient_seconds(function, everything, inputs)
        if arrays:
            yield Direction.ARRAYS, self._gradient_seconds(function, everything, arrays)

    def _gradient_seconds(
        self, function: Function, arguments: Sequence[torch.Tensor], of: Sequence[torch.Tensor]
    ) -> float:
        """Seconds of the backward pass for some of the arguments alone."""
        for tensor in arguments:
            tensor.requires_grad_(any(tensor is one for one in of))
        with self._autocast():
            output = function(*arguments)
        gradient = torch.randn_like(output)

        def call() -> None:
            torch.autograd.grad(output, list(of), gradient, retain_graph=True)
            self._wait()

        seconds = median_seconds(call)
        for tensor in arguments:
            tensor.requires_grad_(False)
        return seconds

    def _loss(self) -> Measured:
        logits = self._tensor(self._plan[-1].shape).requires_grad_(True)
        labels = torch.zeros(self._batch_size, dtype=torch.int64, device=self._device)

        def call() -> None:
            torch.autograd.grad(functional.cross_entropy(logits, labels), [logits])
            self._wait()

        return Measured(CLASSIFIER, Direction.VALUE, median_seconds(call))

    def _update(self) -> Measured:
        shapes = [shape for layer in self._plan for shape in layer.parameter_shapes.values()]
        weights = [torch.nn.Parameter(torch.randn(shape, device=self._device)) for shape in shapes]
        for weight in weights:
            weight.grad = torch.randn_like(weight)
        optimiser = torch.optim.Adam(weights, lr=self._recipe.learning_rate, fused=True)

        def call() -> None:
            optimiser.step()
            self._wait()

        return Measured(WEIGHTS, Direction.UPDATE, median_seconds(call))

    def _arrays(self, shapes: dict[str, tuple[int, ...]]) -> list[torch.Tensor]:
        """Trained arrays in PyTorch's order of axes."""
        found = []
        for shape in shapes.values():
            axes = (3, 2, 0, 1) if len(shape) == 4 else tuple(reversed(range(len(shape))))
            array = torch.randn(shape, device=self._device).permute(axes)
            wide = array.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else array
            found.append(wide.contiguous() if len(shape) != 4 else wide)
        return found

    def _tensor(self, shape: tuple[int, ...]) -> torch.Tensor:
        # NHWC in memory, seen as NCHW, is channels_last.
        tensor = torch.randn((self._batch_size, *shape), device=self._device)
        return tensor.permute(0, 3, 1, 2) if len(shape) == 3 else tensor

    def _seconds(self, function: Function, *arguments: torch.Tensor) -> float:
        def call() -> None:
            with torch.no_grad(), self._autocast():
                function(*arguments)
            self._wait()

        return median_seconds(call)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self._device.type, torch.bfloat16, enabled=self._recipe.bfloat16, cache_enabled=False
        )

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()

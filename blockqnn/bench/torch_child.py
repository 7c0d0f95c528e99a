"""The same child in PyTorch, to measure against."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from blockqnn.bench.clock import now
from blockqnn.bench.floor import cpu_epoch_steps
from blockqnn.bench.profile import as_facts
from blockqnn.bench.torch_functions import BATCH_NORM_EPSILON as BATCH_NORM_EPSILON
from blockqnn.bench.torch_functions import BATCH_NORM_MOMENTUM as BATCH_NORM_MOMENTUM
from blockqnn.bench.torch_functions import FUNCTIONS
from blockqnn.bench.torch_profile import TorchProfile
from blockqnn.data.images import Images, channel_statistics
from blockqnn.errors import UserError
from blockqnn.networks.initial import Weights, initial_parameters
from blockqnn.networks.plan import PlacedLayer, Plan
from blockqnn.settings import Recipe
from blockqnn.workers.placement import available_cores


class TorchNetwork(nn.Module):
    """A child network in channels_last memory format."""

    def __init__(self, plan: Plan, weights: Weights):
        """Creates the network.

        Args:
            plan: of the child network.
            weights: initial values as `blockqnn.networks.initial` makes them.

        Raises:
            UserError: if an operation is not known here.
        """
        super().__init__()
        for layer in plan[1:]:
            if layer.operation.with_scale not in FUNCTIONS:
                raise UserError(
                    f"The child in PyTorch does not know the operation {layer.operation.name!r} "
                    f"of {layer.name}; allowed: "
                    f"{', '.join(operation.name for operation in FUNCTIONS)}."
                )
        self._plan = plan
        # Looked up here, so that nothing but their calls is left to `torch.compile`.
        self._functions = [FUNCTIONS[layer.operation.with_scale] for layer in plan[1:]]
        self.layers = nn.ModuleList(
            _arrays(layer, own) for layer, own in zip(plan, weights, strict=True)
        )
        self.to(memory_format=torch.channels_last)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Computes the network.

        Args:
            images: [B, C, H, W], normalised.

        Returns:
            Logits [B, classes], float32.
        """
        outputs = [images]
        for layer, function, arrays in zip(
            self._plan[1:], self._functions, list(self.layers)[1:], strict=True
        ):
            inputs = [outputs[i] for i in layer.inputs]
            outputs.append(function(layer, arrays, inputs, self.training))
        return outputs[-1]


class TorchChild:
    """Trains a child in PyTorch: compiled on a GPU, eager on a CPU."""

    def __init__(self, plan: Plan, recipe: Recipe, train: Images):
        """Creates the network with the weights that JAX's side begins with, and its data.

        Args:
            plan: of the child network.
            recipe: how to train it.
            train: the training part.
        """
        cuda = torch.cuda.is_available()
        self.device = torch.device("cuda" if cuda else "cpu")
        self._dtype = torch.bfloat16 if recipe.bfloat16 else torch.float32
        self._network = TorchNetwork(plan, initial_parameters(plan, seed=0)).to(self.device)
        self._run = torch.compile(self._network) if cuda else self._network
        self._optimiser = torch.optim.Adam(
            self._network.parameters(),
            lr=recipe.learning_rate,
            betas=(recipe.beta1, recipe.beta2),
            eps=recipe.adam_epsilon,
            fused=True,
        )
        mean, deviation = channel_statistics(train.images)
        self._images = torch.from_numpy(train.images).to(self.device)
        self._labels = torch.from_numpy(train.labels.astype(np.int64)).to(self.device)
        self._mean = torch.from_numpy(mean).to(self.device)
        self._deviation = torch.from_numpy(deviation).to(self.device)

    def train_epoch(self, order: np.ndarray) -> float:
        """Trains for one epoch, and waits until it has ended.

        Args:
            order: int [steps, batch], which images each step takes.

        Returns:
            The mean loss.
        """
        indices = torch.from_numpy(order.astype(np.int64)).to(self.device)
        losses = [self._step(row) for row in indices]
        return statistics.fmean(loss.item() for loss in losses)

    def _step(self, indices: torch.Tensor) -> torch.Tensor:
        images = (self._images[indices].float() - self._mean) / self._deviation
        # NHWC in memory, seen as NCHW, is channels_last.
        images = images.to(self._dtype).permute(0, 3, 1, 2)
        self._optimiser.zero_grad(set_to_none=True)
        narrow = self._dtype is not torch.float32
        with torch.autocast(self.device.type, self._dtype, enabled=narrow):
            logits = self._run(images)
        loss = functional.cross_entropy(logits, self._labels[indices])
        loss.backward()
        self._optimiser.step()
        return loss.detach()


class TorchMeasurements:
    """What the measuring process does for PyTorch; see `blockqnn.bench.child`."""

    def __init__(self, recipe: Recipe, train: Images, batch_size: int, steps: int):
        """Prepares, without a block.

        Args:
            recipe: how to train.
            train: the training part.
            batch_size: images in a step.
            steps: of an epoch on a GPU; `cpu_epoch_steps` of it on a CPU.
        """
        torch.set_num_threads(len(available_cores()))
        cuda = torch.cuda.is_available()
        self.device = torch.cuda.get_device_name() if cuda else "cpu"
        self._recipe, self._train = recipe, train
        self._steps = steps if cuda else cpu_epoch_steps(steps)
        self._order = np.arange(self._steps * batch_size).reshape(self._steps, -1)
        self._order %= len(train)
        self._child: TorchChild | None = None
        self._plan: Plan = ()

    def prepare(self, plan: Plan) -> dict[str, float]:
        """Builds a child and trains it for an epoch, which compiles it on a GPU.

        Args:
            plan: of the child network.

        Returns:
            The seconds that this took.
        """
        self._plan = plan
        start = time.perf_counter()
        # The one before is to leave the memory first.
        self._child = None
        self._child = TorchChild(plan, self._recipe, self._train)
        self._child.train_epoch(self._order)
        return {"wait_seconds": time.perf_counter() - start}

    def train(self, discarded: int, timed: int) -> list[float]:
        """Trains steps and times them.

        Args:
            discarded: steps before those that are timed.
            timed: steps to time.

        Returns:
            Seconds of a step, once for each epoch.
        """
        assert self._child is not None, "there is a child"
        for _ in range(-(-discarded // self._steps)):
            self._child.train_epoch(self._order)
        seconds = []
        for _ in range(-(-timed // self._steps)):
            start = now()
            self._child.train_epoch(self._order)
            seconds.append((now() - start) / self._steps)
        return seconds

    def profile(self) -> list[dict[str, Any]]:
        """Where a step of the child goes; see `blockqnn.bench.profile.as_facts`."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        batch_size = self._order.shape[1]
        profile = TorchProfile(self._plan, self._recipe, batch_size, device, FUNCTIONS)
        return as_facts(profile.measure())


def _arrays(layer: PlacedLayer, weights: dict[str, np.ndarray]) -> nn.Module:
    """The trained arrays and running statistics of a layer."""
    module = nn.Module()
    for name, array in weights.items():
        # HWIO becomes OIHW, and in x out becomes out x in.
        axes = (3, 2, 0, 1) if array.ndim == 4 else tuple(reversed(range(array.ndim)))
        module.register_parameter(name, nn.Parameter(torch.tensor(array.transpose(axes))))
    if layer.choices:
        module.register_parameter("row", nn.Parameter(torch.zeros(layer.choices)))
    if layer.normalises:
        module.register_buffer("mean", torch.zeros(layer.shape[-1]))
        module.register_buffer("variance", torch.ones(layer.shape[-1]))
    return module

"""What the measuring process does for JAX; see `blockqnn.bench.child`."""

from __future__ import annotations

import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.bench.clock import now
from blockqnn.bench.floor import cpu_epoch_steps
from blockqnn.bench.jax_profile import JaxProfile
from blockqnn.bench.mixture_child import MixtureChild
from blockqnn.bench.profile import as_facts
from blockqnn.children.compilation import compilation_times, use_cache
from blockqnn.children.devices import divide_processor, local_devices, parts_of_chain
from blockqnn.children.execution import Execution, compute_dtype
from blockqnn.children.training import make_execution, on_device
from blockqnn.data.images import Images
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.plan import Plan
from blockqnn.settings import Recipe
from blockqnn.workers.placement import available_cores

_CPU_SIDES = (1024, 2048)
_ACCELERATOR_SIDES = (4096, 8192)
"""Of the square matrices whose product gives the peak."""
_CPU_BYTES = 2**27
_ACCELERATOR_BYTES = 2**30
"""Of the array whose copy gives the bandwidth; larger than any cache."""
_TIMES = 5


class JaxMeasurements:
    """Measures one child after the other in JAX."""

    def __init__(self, recipe: Recipe, images: Images, batch_size: int, steps: int):
        """Puts the images on the device, without a block.

        Args:
            recipe: how to train.
            images: to train and to evaluate on.
            batch_size: images in a step.
            steps: of an epoch on a GPU or TPU; `cpu_epoch_steps` of it on a CPU.
        """
        cores = len(available_cores())
        if cores > 1:
            # They share batches, as those of a worker with several cores do.
            divide_processor(cores)
        # Whatever touches a device first would say less clearly that there is none.
        devices = local_devices()
        self._cores = min(cores, len(devices)) if devices[0].platform == "cpu" else 1
        use_cache()
        self._recipe, self._batch_size = recipe, batch_size
        self._train, self._validation = on_device(images, images)
        self.device = devices[0].device_kind
        # Elsewhere the steps of an epoch may be one program, made for their number.
        cpu = jax.default_backend() == "cpu"
        self._steps = cpu_epoch_steps(steps) if cpu else steps
        order = np.arange(self._steps * batch_size, dtype=np.int32) % len(images)
        self._order = order.reshape(self._steps, batch_size)
        self._execution: Execution | MixtureChild | None = None
        self._plan: Plan = ()

    def prepare(self, plan: Plan) -> dict[str, float]:
        """Makes and compiles a child.

        Args:
            plan: of the child network.

        Returns:
            Seconds of lowering and of compiling, added up over threads, and
            those that training had to wait.
        """
        self._plan = plan
        before, start = compilation_times(), time.perf_counter()
        if any(layer.mixture for layer in plan):
            self._execution = MixtureChild(plan, self._recipe, self._batch_size, self._train)
        else:
            parts = parts_of_chain(self._batch_size, plan[0].shape, self._cores)
            child = make_execution(plan, self._recipe, self._batch_size, parts)
            child.compile(self._train, self._validation, self._steps)
            self._execution = child
        waited = time.perf_counter() - start
        spent = compilation_times() - before
        if not isinstance(self._execution, MixtureChild):
            self._execution.start(initial_parameters(plan, seed=0), initial_statistics(plan))
        return {
            "lower_seconds": spent.lower_seconds,
            "compile_seconds": spent.compile_seconds,
            "wait_seconds": waited,
        }

    def train(self, discarded: int, timed: int) -> list[float]:
        """Trains steps and times them, each from one loss to the next.

        Args:
            discarded: steps before those that are timed.
            timed: steps to time.

        Returns:
            Seconds of a step, once for each epoch.
        """
        execution = self._child()
        for _ in range(-(-discarded // self._steps)):
            self._epoch(execution)
        seconds = []
        for _ in range(-(-timed // self._steps)):
            start = now()
            self._epoch(execution)
            seconds.append((now() - start) / self._steps)
        # A loss is there before its step has ended; nothing is to run on when others measure.
        execution.weights()
        return seconds

    def evaluate(self) -> float:
        """Seconds to evaluate all images once: the median of three, after one that is discarded."""
        execution = self._child()
        assert not isinstance(execution, MixtureChild), "a mixture is not evaluated"
        seconds = []
        for _ in range(4):
            start = now()
            execution.evaluate(self._validation)
            seconds.append(now() - start)
        return statistics.median(seconds[1:])

    def profile(self) -> list[dict[str, Any]]:
        """Where a step of the child goes; see `blockqnn.bench.profile.as_facts`."""
        return as_facts(JaxProfile(self._plan, self._recipe, self._batch_size).measure())

    def rates(self) -> dict[str, float]:
        """What the device does at best.

        Returns:
            FLOP/s of the fastest of several square matrix products in the
            compute dtype, and bytes/s of a copy of a large array.
        """
        cpu = jax.default_backend() == "cpu"
        dtype = compute_dtype(self._recipe)
        product = jax.jit(jnp.matmul)
        flops = 0.0
        for side in _CPU_SIDES if cpu else _ACCELERATOR_SIDES:
            matrix = jnp.full((side, side), 0.5, dtype)
            flops = max(flops, 2 * side**3 / _least_seconds(product, matrix, matrix))
        array = jnp.zeros((_CPU_BYTES if cpu else _ACCELERATOR_BYTES) // 4, jnp.float32)
        seconds = _least_seconds(jax.jit(lambda x: x + 1), array)
        return {"flops_per_second": flops, "bytes_per_second": 2 * array.nbytes / seconds}

    def _child(self) -> Execution | MixtureChild:
        assert self._execution is not None, "there is a child"
        return self._execution

    def _epoch(self, execution: Execution | MixtureChild) -> None:
        execution.train_epoch(self._train, self._order, self._recipe.learning_rate)


def _least_seconds(function: Any, *arguments: jax.Array) -> float:
    """The shortest of several calls, after one that compiles."""
    jax.block_until_ready(function(*arguments))
    seconds = []
    for _ in range(_TIMES):
        start = now()
        jax.block_until_ready(function(*arguments))
        seconds.append(now() - start)
    return min(seconds)

"""How many workers a machine has room for, and which part of it each one gets."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import os
import pathlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from blockqnn.evaluation.contract import OF_IMAGES
from blockqnn.workers.allocation import KEPT_MEMORY

_TPU_DEVICES = ("accel*", "vfio")
"""Names in /dev that tell that there is a TPU."""

_MEMORY_OF_A_SHARED_GPU = 0.9
"""What its workers may take together; the rest is for their contexts."""

_MOST_COMPILE_THREADS = 8
"""More hold host memory for children whose turn is far away."""


@dataclasses.dataclass(frozen=True)
class Place:
    """What a worker gets of the machine.

    Attributes:
        environment: variables that it finds besides the driver's.
        cores: to which it is bound; empty for no binding.
    """

    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    cores: tuple[int, ...] = ()


def places(
    workers: int,
    cores_per_worker: int,
    most: int,
    evaluator: str,
    environment: Mapping[str, str] = os.environ,
    gpus_per_worker: float = 0.0,
    devices: int = 0,
) -> list[Place]:
    """Divides the machine among workers.

    Args:
        workers: how many; 0 for one a GPU, one for a TPU, or else as many as
            there are cores for.
        cores_per_worker: where the CPU trains; 0 for no binding.
        most: workers that can be busy at once; more are started only if asked for.
        evaluator: what looks at no images takes no time, so that one worker is enough.
        environment: the driver's.
        gpus_per_worker: a part of a GPU lets as many workers share one; 0 for one each.
        devices: that a worker computes on; more than one are as many GPUs.

    Returns:
        A place for each worker.
    """
    if evaluator not in OF_IMAGES:
        workers = workers or 1
    gpus = visible_gpus(environment)
    if gpus:
        if devices > 1:
            count = max(1, len(gpus) // devices)
            gpus = [",".join(gpus[n * devices : (n + 1) * devices]) for n in range(count)]
        sharing = math.floor(1 / gpus_per_worker + 1e-4) if 0 < gpus_per_worker < 1 else 1
        return _on_gpus(workers or sharing * len(gpus), gpus, environment)
    if has_tpu(environment):
        # One process must own all cores of a TPU.
        return [Place()] * (workers or 1)
    allocation = {k: v for k, v in KEPT_MEMORY.items() if k not in environment}
    if not cores_per_worker:
        return [Place(allocation)] * (workers or 1)
    cores = available_cores()
    # Children are small: two workers of one core do more than one of two. What a child becomes
    # does not depend on their number, because each computes with the same number of threads.
    count = workers or max(1, min(len(cores) // cores_per_worker, most))
    return [Place(allocation, _share(cores, i, cores_per_worker)) for i in range(count)]


def cores_of_each(cores_per_worker: int, most: int) -> int:
    """The cores of a worker where the processor trains fewer children at once than it has cores.

    Args:
        cores_per_worker: what it has at least; 0 for no binding.
        most: children that are trained at once.

    Returns:
        As many for each as there are; 0 for no binding.
    """
    if not cores_per_worker:
        return 0
    return max(cores_per_worker, len(available_cores()) // max(1, most))


def compile_threads(places: Sequence[Place]) -> int:
    """Children that each worker may compile ahead at once, from what cores it has.

    Args:
        places: of all workers.

    Returns:
        At least one.
    """
    share = min(len(place.cores) or len(available_cores()) // len(places) for place in places)
    return max(1, min(share, _MOST_COMPILE_THREADS))


def visible_gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The NVIDIA GPUs that workers may use, found without importing JAX.

    Args:
        environment: its CUDA_VISIBLE_DEVICES wins over what the driver lists.

    Returns:
        A value of CUDA_VISIBLE_DEVICES for each GPU; none where JAX is told to
        use another platform.
    """
    platforms = environment.get("JAX_PLATFORMS", "")
    if platforms and not {"cuda", "gpu"} & set(platforms.split(",")):
        return []
    if "CUDA_VISIBLE_DEVICES" in environment:
        names = environment["CUDA_VISIBLE_DEVICES"].split(",")
        return [name.strip() for name in names if name.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    listing = subprocess.run(
        ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    return listing.stdout.split() if listing.returncode == 0 else []


def available_cores() -> list[int]:
    """The numbers of the cores that this process may use, in order."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _on_gpus(workers: int, gpus: Sequence[str], environment: Mapping[str, str]) -> list[Place]:
    found = []
    for number in range(workers):
        own = {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]}
        sharing = len(range(number % len(gpus), workers, len(gpus)))
        # Each would otherwise take three quarters of the memory. JAX refuses both names at once.
        given = {"XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_CLIENT_MEM_FRACTION"} & set(environment)
        if sharing > 1 and not given:
            own["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{_MEMORY_OF_A_SHARED_GPU / sharing:.3f}"
        found.append(Place(own))
    return found


def has_tpu(environment: Mapping[str, str], devices: pathlib.Path = pathlib.Path("/dev")) -> bool:
    """Whether there is a TPU that workers may use, found without importing JAX.

    Args:
        environment: its JAX_PLATFORMS says what is allowed.
        devices: where the system lists its devices.

    Returns:
        Whether there is.
    """
    platforms = environment.get("JAX_PLATFORMS", "")
    if platforms:
        return "tpu" in platforms.split(",")
    # Other hosts have such devices too, but nobody else installs the library.
    present = any(any(devices.glob(name)) for name in _TPU_DEVICES)
    return present and importlib.util.find_spec("libtpu") is not None


def _share(cores: Sequence[int], number: int, count: int) -> tuple[int, ...]:
    """The cores of one worker; where there are too few, workers share them."""
    first = number * count
    return tuple(sorted({cores[i % len(cores)] for i in range(first, first + count)}))

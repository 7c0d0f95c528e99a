"""What this machine has to compute with, in words, found out without starting JAX."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pkgutil
from collections.abc import Mapping, Sequence

from blockqnn.listing import counted
from blockqnn.networks.processor import processor_name
from blockqnn.workers.placement import Place, available_cores, has_tpu, visible_gpus


def can_use_gpus() -> bool:
    """Whether JAX has the plugin that computes on NVIDIA GPUs; without it, it takes the CPU."""
    names = {entry.name for entry in importlib.metadata.entry_points(group="jax_plugins")}
    spec = importlib.util.find_spec("jax_plugins")
    if spec is not None and spec.submodule_search_locations is not None:
        found = pkgutil.iter_modules(list(spec.submodule_search_locations))
        names |= {module.name for module in found}
    return any("cuda" in name for name in names)


def unused_gpus(
    environment: Mapping[str, str] = os.environ, plugin: bool | None = None
) -> str | None:
    """A warning where the machine has GPUs that JAX cannot use.

    Args:
        environment: where JAX_PLATFORMS and CUDA_VISIBLE_DEVICES are looked up.
        plugin: whether JAX has its plugin for them; None to find out.

    Returns:
        A sentence, or None where there is nothing to warn of.
    """
    gpus = visible_gpus(environment)
    if not gpus or (can_use_gpus() if plugin is None else plugin):
        return None
    return (
        f"Warning: this machine has {counted(len(gpus), 'GPU')}, but JAX is installed without "
        "support for them, so the CPU does the work: pip install 'jax[cuda13]'."
    )


def placing_environment(
    environment: Mapping[str, str] = os.environ, plugin: bool | None = None
) -> Mapping[str, str]:
    """The environment by which workers are placed: GPUs that JAX cannot use have none.

    Args:
        environment: of this process.
        plugin: whether JAX has its plugin for GPUs; None to find out.

    Returns:
        The same, or one that names the CPU. Where JAX_PLATFORMS is set, JAX
        shall say itself what is wrong with it.
    """
    if environment.get("JAX_PLATFORMS") or unused_gpus(environment, plugin) is None:
        return environment
    return {**environment, "JAX_PLATFORMS": "cpu"}


def described(
    places: Sequence[Place] | None = None,
    environment: Mapping[str, str] = os.environ,
    plugin: bool | None = None,
) -> str:
    """What computes, in words for the heading of a verb.

    Args:
        places: of its workers; None where the verb computes in one process.
        environment: where JAX_PLATFORMS and CUDA_VISIBLE_DEVICES are looked up.
        plugin: whether JAX has its plugin for GPUs; None to find out.

    Returns:
        Such as `2 CPU cores (AMD EPYC), 2 workers`.
    """
    gpus = visible_gpus(environment)
    if gpus and not (can_use_gpus() if plugin is None else plugin):
        gpus = []
    if gpus:
        what = counted(len(gpus), "NVIDIA GPU")
    elif has_tpu(environment):
        what = "TPU"
    else:
        what = f"{counted(len(available_cores()), 'CPU core')} ({processor_name()})"
    if places is None:
        return what
    each = len(places[0].cores)
    return f"{what}, {counted(len(places), 'worker')}{f' of {each} cores' if each > 1 else ''}"

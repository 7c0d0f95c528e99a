"""What XLA is told where it compiles for a processor."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

_QUICK_TO_COMPILE = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}
"""Options that halve compile time on a CPU and leave steps as fast as they were
(`benchmarks/compiler_options.py`). The newer emitters of fusions make a whole network's slower."""


@functools.cache
def compiler_options() -> dict[str, Any]:
    """The options to compile with, by which compiling takes half as long on a CPU.

    Returns:
        Those that this version of XLA knows, whose set changes between
        versions; none elsewhere than on a CPU.
    """
    known: dict[str, Any] = {}
    if jax.default_backend() != "cpu":
        return known
    for name, value in _QUICK_TO_COMPILE.items():
        try:
            jax.jit(jnp.negative, compiler_options={name: value}).lower(0.0).compile()
        except jax.errors.JaxRuntimeError:
            continue
        known[name] = value
    return known

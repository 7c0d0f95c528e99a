"""What XLA is told where it compiles for a processor."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

_QUICK_TO_COMPILE = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}
"""Options that halve compile time on a CPU and leave steps as fast as they were
(`benchmarks/compiler_options.py`)."""
_WHOLE = {"xla_cpu_use_fusion_emitters": False}
"""The newer emitters make steps of whole networks slower. (Without any fusion steps of plain
convolutions are faster still, but compiling takes three times as long, and a network with poolings
came out otherwise.)"""


@functools.cache
def compiler_options() -> dict[str, Any]:
    """The options to compile steps with, by which compiling takes half as long on a CPU.

    Returns:
        Those that this version of XLA knows, whose set changes between
        versions; none elsewhere than on a CPU.
    """
    return _known(_QUICK_TO_COMPILE)


@functools.cache
def whole_options() -> dict[str, Any]:
    """The options to compile a network's whole step with, which is faster by them.

    Returns:
        As `compiler_options`.
    """
    return _known(_WHOLE)


def _known(options: Mapping[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    if jax.default_backend() != "cpu":
        return known
    for name, value in options.items():
        try:
            jax.jit(jnp.negative, compiler_options={name: value}).lower(0.0).compile()
        except jax.errors.JaxRuntimeError:
            continue
        known[name] = value
    return known

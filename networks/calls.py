"""Parts of a program that XLA compiles by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.experimental.xla_metadata import set_xla_metadata


def as_call(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that stays a function within a program, where XLA would merge it with the rest.

    On a CPU, XLA fuses what is cheap into each of its readers, which then compute it again and
    again: a map that is normalised is read by every tap of a convolution and by two gradients. It
    does not look into a call. A convolution must not be part of it, since XLA has fast ones at a
    program's first level alone; and slices of windows are faster behind a condition
    (`blockqnn.networks.pooling_gradients`). Elsewhere the function is returned as it is.

    Args:
        function: of arrays.

    Returns:
        The same function.
    """
    if jax.default_backend() != "cpu":
        return function
    compiled = jax.jit(function)

    def called(*arrays: Any) -> Any:
        with set_xla_metadata(inlineable="false"):
            return compiled(*arrays)

    return called

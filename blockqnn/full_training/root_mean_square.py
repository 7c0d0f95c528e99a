"""RMSProp's scale: gradients over the root of the mean of their squares."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class SquaresState(NamedTuple):
    """What the scale remembers.

    Attributes:
        squares: moving averages of the squared gradients, shaped like the weights.
    """

    squares: Any


def root_mean_square(decay: float, epsilon: float) -> optax.GradientTransformation:
    """Divides gradients by `sqrt(s + epsilon)`, where `s <- decay s + (1 - decay) g^2`.

    As TensorFlow has it, with which Zoph et al. (CVPR 2018) trained: s begins with 1, and epsilon
    stands under the root. Its 1.0 there is large and meant: where gradients are small, it makes
    this SGD.

    Args:
        decay: of the moving average.
        epsilon: see above.

    Returns:
        A transformation of gradients.
    """

    def init(parameters: Any) -> SquaresState:
        """Mean squares of 1."""
        return SquaresState(jax.tree.map(jnp.ones_like, parameters))

    def update(
        gradients: Any, state: SquaresState, parameters: Any = None
    ) -> tuple[Any, SquaresState]:
        """One step; gradients over the root of their mean square, and that mean square."""
        del parameters
        squares = jax.tree.map(
            lambda s, g: decay * s + (1 - decay) * g * g, state.squares, gradients
        )
        scaled = jax.tree.map(lambda g, s: g * jax.lax.rsqrt(s + epsilon), gradients, squares)
        return scaled, SquaresState(squares)

    return optax.GradientTransformation(init, update)

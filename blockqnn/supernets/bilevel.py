"""The gradients of two kinds of weights, one of which is to suit the other after a step.

Liu, Simonyan, Yang, "Differentiable Architecture Search", ICLR 2019, section 2.3. With w the
weights of a network and alpha those of its operations, alpha follows the gradient of
`L_val(w', alpha)` with `w' = w - xi grad_w L_train(w, alpha)` (equation 6), by the chain rule

    grad_alpha L_val(w', alpha) - xi grad^2_(alpha, w) L_train(w, alpha) grad_w' L_val(w', alpha)

(equation 7). In first order xi is 0. Weights are trees of arrays; a loss is a function of w and
alpha.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Loss = Callable[[Any, Any], jax.Array]

REACH = 0.01
"""How far a finite difference goes in all: epsilon is so much over the norm of its direction."""


def norm(tree: Any) -> jax.Array:
    """The Euclidean norm of all numbers of a tree together."""
    squares = [jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree)]
    return jnp.sqrt(sum(squares[1:], squares[0]))


def along(weights: Any, direction: Any, amount: Any) -> Any:
    """`w + amount * direction`."""
    return jax.tree.map(lambda w, d: w + amount * d, weights, direction)


def unrolled(
    weights: Any, gradients: Any, velocity: Any, rate: Any, momentum: float, decay: float
) -> Any:
    """`w' = w - xi (m v + g + d w)`, one step of gradient descent with momentum.

    Args:
        weights: w.
        gradients: g, not cut.
        velocity: v, as it was before this step.
        rate: xi, the learning rate of w.
        momentum: m.
        decay: d.

    Returns:
        w'.
    """
    return jax.tree.map(
        lambda w, g, v: w - rate * (momentum * v + g + decay * w), weights, gradients, velocity
    )


def first_order(validation: Loss, weights: Any, alpha: Any) -> Any:
    """`grad_alpha L_val(w, alpha)`."""
    return jax.grad(validation, 1)(weights, alpha)


def second_order(
    train: Loss,
    validation: Loss,
    weights: Any,
    alpha: Any,
    velocity: Any,
    rate: Any,
    momentum: float = 0.0,
    decay: float = 0.0,
    exact: bool = True,
    most_norm: float = 0.0,
    has_aux: bool = False,
) -> Any:
    """The gradient of alpha after one step of the weights, equation 7.

    Where that step's gradient is cut, so is the second term: by the same factor, which is at most
    1 and taken for a constant.

    Args:
        train: L_train.
        validation: L_val.
        weights: w.
        alpha: of the operations.
        velocity: of the momentum of w, before this step.
        rate: xi.
        momentum: of w.
        decay: of w.
        exact: whether the mixed product is a derivative of the gradient in the direction, or the
            difference of two gradients, equation 8.
        most_norm: to which the norm of the gradient of w is cut; 0 for no bound.
        has_aux: whether `validation` gives something beside the loss.

    Returns:
        A tree like alpha; and what `validation` gives besides at w', if it does.
    """
    gradients = jax.grad(train)(weights, alpha)
    cut: Any = 1.0
    if most_norm:
        cut = jnp.minimum(1.0, most_norm / jnp.maximum(norm(gradients), 1e-12))
        gradients = jax.tree.map(lambda each: cut * each, gradients)
    after = unrolled(weights, gradients, velocity, rate, momentum, decay)
    found = jax.grad(validation, (0, 1), has_aux=has_aux)(after, alpha)
    (direction, of_alpha), besides = found if has_aux else (found, None)
    product = (mixed_product if exact else mixed_difference)(train, weights, alpha, direction)
    gradient = along(of_alpha, product, -rate * cut)
    return (gradient, besides) if has_aux else gradient


def mixed_product(train: Loss, weights: Any, alpha: Any, direction: Any) -> Any:
    """`grad^2_(alpha, w) L(w, alpha) v`, exactly: the gradient in alpha, differentiated along v."""

    def of_alpha(w: Any) -> Any:
        """The gradient in alpha; that in w is taken too, and not computed.

        Functions with a gradient of their own can be differentiated forward only where the
        gradient goes through them.
        """
        return jax.grad(train, (0, 1))(w, alpha)[1]

    return jax.jvp(of_alpha, (weights,), (direction,))[1]


def mixed_difference(train: Loss, weights: Any, alpha: Any, direction: Any) -> Any:
    """The same as `(g(w + eps v) - g(w - eps v)) / (2 eps)`, g being the gradient in alpha.

    Equation 8, with `eps = 0.01 / |v|`; both points lie around w, not around w'.
    """
    epsilon = REACH / norm(direction)
    ahead, behind = (
        jax.grad(train, 1)(along(weights, direction, sign * epsilon), alpha) for sign in (1, -1)
    )
    return jax.tree.map(lambda a, b: (a - b) / (2 * epsilon), ahead, behind)


def curvature(validation: Loss, weights: Any, alpha: Any, direction: Any) -> Any:
    """`H v`, H being the Hessian of `L_val` in alpha, exactly."""
    return jax.jvp(lambda a: jax.grad(validation, 1)(weights, a), (alpha,), (direction,))[1]

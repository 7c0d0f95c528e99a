"""The optimisers of small programs, by what is compiled into them.

A learning rate is an argument of a program and not compiled into it, so nothing here knows
epochs or schedules: recipes that differ in these alone share all programs.
"""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import optax

from blockqnn.language_settings import ASGD
from blockqnn.settings import Recipe
from blockqnn.supernet_settings import MOMENTUM


@dataclasses.dataclass(frozen=True)
class Adam:
    """Kingma and Ba, "Adam", 2015.

    Attributes:
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        epsilon: added to the denominator.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def transformation(self) -> optax.GradientTransformation:
        """The direction; the learning rate is applied by `descend`."""
        return optax.scale_by_adam(self.beta1, self.beta2, self.epsilon)


@dataclasses.dataclass(frozen=True)
class Momentum:
    """Gradient descent with momentum: `v <- m v + g + d w`, then along `v`, or `g + d w + m v`.

    Attributes:
        momentum: m.
        nesterov: along the second of the two.
        decay: d, of every array that is trained.
    """

    momentum: float = 0.9
    nesterov: bool = True
    decay: float = 0.0

    def transformation(self) -> optax.GradientTransformation:
        """See `Adam.transformation`."""
        return optax.chain(
            optax.add_decayed_weights(self.decay), optax.trace(self.momentum, self.nesterov)
        )


@dataclasses.dataclass(frozen=True)
class Plain:
    """Gradient descent along `g + d w`.

    Attributes:
        decay: d, of every array that is trained.
    """

    decay: float = 0.0

    def transformation(self) -> optax.GradientTransformation:
        """See `Adam.transformation`."""
        return optax.add_decayed_weights(self.decay)


@dataclasses.dataclass(frozen=True)
class Compiled:
    """What programs of a step depend on besides its signature.

    Attributes:
        optimiser: of the update.
        bfloat16: of activations; weights stay float32.
        devices: that share each batch, the first ones of the process.
    """

    optimiser: Adam | Momentum | Plain = Adam()
    bfloat16: bool = False
    devices: int = 1

    @property
    def dtype(self) -> jnp.dtype:
        """Of activations."""
        return jnp.dtype(jnp.bfloat16 if self.bfloat16 else jnp.float32)


def compiled_by(recipe: Recipe, devices: int = 1) -> Compiled:
    """What a child's recipe compiles.

    Args:
        recipe: of the child.
        devices: that share each of its batches.

    Returns:
        It.
    """
    found: Adam | Momentum | Plain = Adam(recipe.beta1, recipe.beta2, recipe.adam_epsilon)
    if recipe.optimiser == MOMENTUM:
        found = Momentum(recipe.momentum, True, recipe.weight_decay)
    elif recipe.optimiser == ASGD:
        found = Plain(recipe.weight_decay)
    return Compiled(found, recipe.bfloat16, devices)

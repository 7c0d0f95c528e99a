"""How children are trained, in a search and in the finals after it."""

from __future__ import annotations

import dataclasses

from blockqnn.language_settings import LanguageRecipe, language_recipe
from blockqnn.supernet_settings import ADAM

STEPS, ONE_CYCLE, COSINE = "steps", "one_cycle", "cosine"
"""Schedules of a child's learning rate, see `blockqnn.children.schedule`."""


UNCHANGED, PADDED, ENLARGED = AUGMENTATIONS = ("none", "padded", "enlarged")
"""What happens to images before each epoch, see `blockqnn.children.augmentation`."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a child is trained; the defaults are the paper's.

    Attributes:
        epochs: passes over the training part.
        batch_size: images in a step.
        learning_rate: at the start of steps and of a cosine, at the top of a cycle.
        schedule: `steps`, `one_cycle` for a learning rate that rises and ends at zero, or
            `cosine` for one that only falls to it.
        learning_rate_decay: factor on the learning rate after every `decay_epochs` of steps.
        decay_epochs: epochs between two reductions.
        beta1: Adam's decay of the first moment.
        beta2: Adam's decay of the second moment.
        adam_epsilon: added to Adam's denominator.
        restarts: how often training may start again if the accuracy after the
            first epoch is below that of guessing.
        restart_factor: factor on the learning rate at each restart.
        bfloat16: compute in bfloat16; weights and statistics stay float32.
        execution: `layers`, `whole`, or `auto` for the first on a CPU and the
            second elsewhere; of supernets too.
        optimiser: `adam`, `momentum` for gradient descent with that of Nesterov, or, of language
            models, `asgd` for plain descent that turns to the average of its weights.
        momentum: of the latter.
        weight_decay: of both of the latter, on all that is trained.
        augmentation: `none`, or windows of images that were `padded` or `enlarged`, half of them
            mirrored, drawn anew for each epoch.
        language: what language models are trained by besides; None of children that see images.
    """

    epochs: int = 12
    batch_size: int = 256
    learning_rate: float = 1e-3
    schedule: str = STEPS
    learning_rate_decay: float = 0.2
    decay_epochs: int = 5
    beta1: float = 0.9
    beta2: float = 0.999
    adam_epsilon: float = 1e-8
    restarts: int = 3
    restart_factor: float = 0.4
    bfloat16: bool = False
    execution: str = "auto"
    optimiser: str = ADAM
    momentum: float = 0.9
    weight_decay: float = 0.0
    augmentation: str = UNCHANGED
    language: LanguageRecipe | None = None

    def __post_init__(self) -> None:
        """Makes settings of what JSON has as an object."""
        object.__setattr__(self, "language", language_recipe(self.language))

    def drawn_out(self, epochs: int) -> Recipe:
        """The same recipe with other epochs, its schedule of learning rates in proportion."""
        decay_epochs = max(1, round(self.decay_epochs * epochs / self.epochs))
        return dataclasses.replace(self, epochs=epochs, decay_epochs=decay_epochs)


@dataclasses.dataclass(frozen=True)
class FinalsRecipe:
    """How finals train where it is not as the search did.

    Attributes:
        flags: of a command line, by which it differs from the search's recipe.
        recipe: with these; its epochs are the search's.
    """

    flags: tuple[str, ...]
    recipe: Recipe

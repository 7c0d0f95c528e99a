"""The flags of how a child is trained and rewarded in a search.

They belong to the run and not to an evaluator: `calibrate` trains the blocks
of a dry run, or of one on a table, by them as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blockqnn.flags import language
from blockqnn.flags.parsing import FlagSet, Owner
from blockqnn.language_settings import ASGD
from blockqnn.networks.layout import LANGUAGE
from blockqnn.settings import AUGMENTATIONS, COSINE, ONE_CYCLE, STEPS, Recipe, RewardSettings
from blockqnn.supernet_settings import ADAM, MOMENTUM

_HIGHEST_RATE = 3e-3
"""Of Adam in a cycle."""


def define(flags: FlagSet) -> None:
    """Adds the flags, in groups of their own, at the paper's values."""
    recipe = Recipe()
    flags.group("Training of a child")
    flags.integer("epochs", recipe.epochs, "passes over the training part", 1)
    flags.integer("batch_size", recipe.batch_size, "images in a step", 1)
    flags.number(
        "learning_rate",
        recipe.learning_rate,
        "learning rate, at the start of steps and of a cosine, at the top of a cycle",
        above=0,
    )
    flags.choice(
        "schedule",
        recipe.schedule,
        (STEPS, ONE_CYCLE, COSINE),
        "of the learning rate: the paper's reduction in steps, a cosine to zero, or a rise during "
        "the first quarter of the training and a cosine from there to zero, which tells blocks "
        "apart more surely (docs/results.md) with a --learning_rate of about 0.003",
    )
    flags.choice(
        "optimiser",
        recipe.optimiser,
        (ADAM, MOMENTUM, ASGD),
        "of children; momentum is Nesterov's; asgd, of language models, is plain descent that "
        "turns to the average of its weights",
    )
    flags.number("beta1", recipe.beta1, "decay of Adam's first moment", least=0, most=0.999999)
    flags.number("beta2", recipe.beta2, "decay of Adam's second moment", least=0, most=0.999999)
    flags.number("adam_epsilon", recipe.adam_epsilon, "number added to Adam's denominator", above=0)
    flags.integer(
        "restarts",
        recipe.restarts,
        "most restarts of a child whose first epoch ends below guessing",
    )
    flags.number(
        "restart_factor",
        recipe.restart_factor,
        "factor on the learning rate at a restart",
        above=0,
        most=1,
    )
    flags.choice(
        "augmentation",
        recipe.augmentation,
        AUGMENTATIONS,
        "of training images, anew for each epoch: windows of images padded by an eighth of their "
        "sides, or enlarged by a quarter, half of them mirrored; of a supernet's too",
    )
    flags.switch("bfloat16", recipe.bfloat16, "compute in bfloat16; weights stay float32")
    flags.choice(
        "execution",
        recipe.execution,
        ("auto", "layers", "whole"),
        "children compiled layer by layer (CPU) or whole (GPU and TPU); a supernet likewise, with "
        "one program for all its paths",
    )

    flags.group("Learning rate in steps (--schedule=steps)", Owner("schedule", (STEPS,)))
    flags.number(
        "learning_rate_decay",
        recipe.learning_rate_decay,
        "factor on the learning rate after every decay_epochs",
        above=0,
        most=1,
    )
    flags.integer("decay_epochs", recipe.decay_epochs, "epochs between two reductions", 1)

    flags.group("Momentum (--optimiser=momentum)", Owner("optimiser", (MOMENTUM,)))
    flags.number("momentum", recipe.momentum, "share of the last step that stays", least=0, most=1)
    flags.group("Weight decay (--optimiser=momentum or asgd)", Owner("optimiser", (MOMENTUM, ASGD)))
    flags.number(
        "weight_decay", recipe.weight_decay, "of every array that is trained, per step", least=0
    )

    language.define_training(flags)

    flags.group("Reward")
    flags.integer(
        "reward_epochs",
        RewardSettings.last_epochs,
        "last epochs of a training, whose highest accuracy is rewarded",
        1,
    )
    flags.number("mu", RewardSettings.mu, "percent that each e-fold of the block's FLOPs costs")
    flags.number("rho", RewardSettings.rho, "percent that each e-fold of the block's density costs")
    language.define_reward(flags)


def recipe(values: dict[str, Any]) -> Recipe:
    """How a child is trained.

    Args:
        values: of the flags, by name.

    Returns:
        The settings.
    """
    return Recipe(
        epochs=values["epochs"],
        batch_size=values["batch_size"],
        learning_rate=values["learning_rate"],
        schedule=values["schedule"],
        learning_rate_decay=values["learning_rate_decay"],
        decay_epochs=values["decay_epochs"],
        beta1=values["beta1"],
        beta2=values["beta2"],
        adam_epsilon=values["adam_epsilon"],
        restarts=values["restarts"],
        restart_factor=values["restart_factor"],
        bfloat16=values["bfloat16"],
        execution=values["execution"],
        optimiser=values["optimiser"],
        momentum=values["momentum"],
        weight_decay=values["weight_decay"],
        augmentation=values["augmentation"],
        language=language.language_recipe(values),
    )


def usual_schedule(named: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """What a child is taught by where nothing else is said.

    A cycle tells blocks apart more surely than the paper's steps do in the same time
    (docs/results.md).

    Args:
        named: flags that the user has named, by name.
        epochs: of a child.

    Returns:
        Values of the flags of the learning rate, by name.
    """
    steps = STEPS if {"learning_rate_decay", "decay_epochs"} & set(named) else ONE_CYCLE
    if named.get("schedule", steps) == ONE_CYCLE:
        return {"schedule": ONE_CYCLE, "learning_rate": _HIGHEST_RATE}
    # The paper reduces the learning rate after 5 of its 12 epochs.
    return {"schedule": STEPS, "decay_epochs": max(1, round(epochs * 5 / 12))}


def reward(values: dict[str, Any]) -> RewardSettings:
    """How accuracy is corrected.

    Args:
        values: of the flags, by name.

    Returns:
        The settings.
    """
    power = values["perplexity_power"] if values["layout"] == LANGUAGE else 0
    return RewardSettings(values["mu"], values["rho"], values["reward_epochs"], power)

"""The flags of how a network is trained to the end, whose defaults are the paper's for CIFAR."""

from __future__ import annotations

from typing import Any

from blockqnn.flags import parsing
from blockqnn.flags.parsing import Owner
from blockqnn.full_training.settings import SCHEDULES, STEPS, FullRecipe


def define(flags: parsing.FlagSet) -> None:
    """Adds the flags of the recipe, at the paper's values.

    Args:
        flags: that are added to, in groups of their own.
    """
    paper = FullRecipe()
    flags.group("Recipe")
    flags.integer("epochs", paper.epochs, "passes over the training part", 1)
    flags.integer("batch_size", paper.batch_size, "images in a step, on all devices together", 1)
    flags.number(
        "learning_rate", paper.learning_rate, "learning rate of SGD, at its highest", above=0
    )
    flags.choice(
        "schedule",
        paper.schedule,
        SCHEDULES,
        "reduce the learning rate at milestones, or along half a cosine",
    )
    flags.integer(
        "warmup_epochs",
        paper.warmup_epochs,
        "epochs over which the learning rate grows linearly at first",
    )
    flags.number(
        "momentum",
        paper.momentum,
        "share of the last direction that SGD keeps",
        least=0,
        most=0.999999,
    )
    flags.switch("nesterov", paper.nesterov, "use Nesterov's momentum")
    flags.number(
        "weight_decay",
        paper.weight_decay,
        "factor on the weights before they are added to their gradients",
        least=0,
    )
    flags.switch("decay_norm", paper.decay_norm, "let scales and biases decay, not kernels alone")
    flags.number(
        "label_smoothing",
        paper.label_smoothing,
        "share of the label that is spread over all classes",
        least=0,
        most=0.999999,
    )
    flags.number(
        "clip_norm",
        paper.clip_norm,
        "norm of all gradients together to which larger ones are scaled; 0 for no bound",
        least=0,
    )
    flags.integer(
        "crop_padding",
        paper.crop_padding,
        "zeros around an image before a random crop, in pixels on each side",
    )
    flags.switch("flip", paper.flip, "mirror images at random")
    flags.integer("cutout", paper.cutout, "side of a square blanked in each image; 0 for none")
    flags.number(
        "drop_path",
        paper.drop_path,
        "probability, in the last step, that a path into an Add or Concat is dropped; grows "
        "linearly from 0",
        least=0,
        most=0.95,
    )
    flags.number(
        "ema_decay",
        paper.ema_decay,
        "decay of the moving average of weights that is evaluated and kept; 0 for none",
        least=0,
        most=0.999999,
    )
    flags.switch("bfloat16", paper.bfloat16, "compute in bfloat16; weights stay float32")
    flags.switch(
        "sync_batch_norm",
        paper.sync_batch_norm,
        "normalise by statistics of the whole batch, or each device's of its own part, which makes "
        "the result depend on the number of devices",
    )
    flags.group("Learning rate in steps (--schedule=steps)", Owner("schedule", (STEPS,)))
    flags.special(
        "milestones",
        paper.milestones,
        "epochs after which the learning rate is reduced",
        parse_milestones,
        "epochs with commas between them, as in 150,225, or nothing",
    )
    flags.number(
        "learning_rate_decay",
        paper.learning_rate_decay,
        "factor on the learning rate at each milestone",
        above=0,
        most=1,
    )


def recipe(values: dict[str, Any]) -> FullRecipe:
    """The recipe that flags describe.

    Args:
        values: of the flags, by name.

    Returns:
        The recipe.
    """
    return FullRecipe(
        epochs=values["epochs"],
        batch_size=values["batch_size"],
        learning_rate=values["learning_rate"],
        schedule=values["schedule"],
        milestones=values["milestones"],
        learning_rate_decay=values["learning_rate_decay"],
        warmup_epochs=values["warmup_epochs"],
        momentum=values["momentum"],
        nesterov=values["nesterov"],
        weight_decay=values["weight_decay"],
        decay_norm=values["decay_norm"],
        label_smoothing=values["label_smoothing"],
        crop_padding=values["crop_padding"],
        flip=values["flip"],
        cutout=values["cutout"],
        drop_path=values["drop_path"],
        clip_norm=values["clip_norm"],
        ema_decay=values["ema_decay"],
        bfloat16=values["bfloat16"],
        sync_batch_norm=values["sync_batch_norm"],
    )


def parse_milestones(text: str) -> tuple[int, ...]:
    """Reads `--milestones`: ascending epochs with commas between them, or nothing."""
    milestones = tuple(int(part) for part in text.split(",")) if text else ()
    if list(milestones) != sorted(set(milestones)) or any(m < 1 for m in milestones):
        raise ValueError
    return milestones

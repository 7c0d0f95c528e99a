"""The flags of how a network is trained to the end, whose defaults are the paper's for CIFAR."""

from __future__ import annotations

from typing import Any

from blockqnn.flags import parsing
from blockqnn.flags.parsing import Owner
from blockqnn.full_training.settings import (
    COSINES,
    DROPPED_BY,
    EXPONENTIAL,
    RESTARTS,
    RMSPROP,
    SCHEDULES,
    SGD,
    STEPS,
    FullRecipe,
)


def define(flags: parsing.FlagSet) -> None:
    """Adds the flags of the recipe, at the paper's values.

    Args:
        flags: that are added to, in groups of their own.
    """
    paper = FullRecipe()
    flags.group("Recipe")
    flags.integer("epochs", paper.epochs, "passes over the training part", 1)
    flags.integer("batch_size", paper.batch_size, "images in a step, on all devices together", 1)
    flags.number("learning_rate", paper.learning_rate, "learning rate, at its highest", above=0)
    flags.choice(
        "schedule",
        paper.schedule,
        SCHEDULES,
        "reduce the learning rate at milestones, along half a cosine from step to step or from "
        "epoch to epoch, along several of these, each longer than the one before, or by a factor "
        "every few epochs",
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
        "probability, in the last step, that a path is dropped; grows linearly from 0 unless "
        "--drop_path_by says otherwise",
        least=0,
        most=0.95,
    )
    flags.choice(
        "drop_path_by",
        paper.drop_path_by,
        DROPPED_BY,
        "which paths are dropped, and what the probability follows: paths into an Add or Concat, "
        "by step, of which one survives; or operations of cells but identities, by cell and step "
        "(ScheduledDropPath), by step, epoch or cell alone, or always the same",
    )
    flags.number(
        "auxiliary_weight",
        paper.auxiliary_weight,
        "weight of the loss of an auxiliary head, beside that of the network; 0 for no head. It "
        "stands where the rules say by which cells are stacked, and is not kept",
        least=0,
    )
    flags.number(
        "dropout",
        paper.dropout,
        "probability that the classifier does not see a feature in a step",
        least=0,
        most=0.95,
    )
    flags.choice(
        "optimiser",
        paper.optimiser,
        (SGD, RMSPROP),
        "follow the gradients, or the gradients over the root of their mean square; either with "
        "momentum",
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
    flags.number(
        "norm_momentum",
        paper.norm_momentum,
        "share of batch norm's running statistics that each step keeps",
        least=0,
        most=0.999999,
    )
    flags.number("norm_epsilon", paper.norm_epsilon, "what batch norm adds to variances", above=0)
    flags.group("Learning rate in steps (--schedule=steps)", Owner("schedule", (STEPS,)))
    flags.special(
        "milestones",
        paper.milestones,
        "epochs after which the learning rate is reduced",
        parse_milestones,
        "epochs with commas between them, as in 150,225, or nothing",
    )
    flags.group(
        "Factors on the learning rate (--schedule=steps, --schedule=exponential)",
        Owner("schedule", (STEPS, EXPONENTIAL)),
    )
    flags.number(
        "learning_rate_decay",
        paper.learning_rate_decay,
        "factor on the learning rate at each milestone, or every --decay_epochs",
        above=0,
        most=1,
    )
    flags.group(
        "Learning rate by a factor every few epochs (--schedule=exponential)",
        Owner("schedule", (EXPONENTIAL,)),
    )
    flags.number(
        "decay_epochs",
        paper.decay_epochs,
        "epochs between two factors on the learning rate",
        above=0,
    )
    flags.group("Learning rate along a cosine", Owner("schedule", COSINES))
    flags.number(
        "least_learning_rate",
        paper.least_learning_rate,
        "learning rate with which a cosine ends",
        least=0,
    )
    flags.group("Learning rate with restarts (--schedule=restarts)", Owner("schedule", (RESTARTS,)))
    flags.integer(
        "first_period", paper.first_period, "epochs before the first restart, after a warm-up", 1
    )
    flags.integer(
        "period_factor", paper.period_factor, "by which each period is longer than the last", 1
    )
    flags.group("RMSProp (--optimiser=rmsprop)", Owner("optimiser", (RMSPROP,)))
    flags.number(
        "rms_decay",
        paper.rms_decay,
        "decay of the mean square of gradients",
        least=0,
        most=0.999999,
    )
    flags.number(
        "rms_epsilon",
        paper.rms_epsilon,
        "what is added to the mean square under the root; 1 is what was published",
        above=0,
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
        drop_path_by=values["drop_path_by"],
        auxiliary_weight=values["auxiliary_weight"],
        dropout=values["dropout"],
        optimiser=values["optimiser"],
        rms_decay=values["rms_decay"],
        rms_epsilon=values["rms_epsilon"],
        least_learning_rate=values["least_learning_rate"],
        decay_epochs=values["decay_epochs"],
        first_period=values["first_period"],
        period_factor=values["period_factor"],
        norm_momentum=values["norm_momentum"],
        norm_epsilon=values["norm_epsilon"],
    )


def parse_milestones(text: str) -> tuple[int, ...]:
    """Reads `--milestones`: ascending epochs with commas between them, or nothing."""
    milestones = tuple(int(part) for part in text.split(",")) if text else ()
    if list(milestones) != sorted(set(milestones)) or any(m < 1 for m in milestones):
        raise ValueError
    return milestones

"""The flags of a mixture of all operations, from which a design follows by gradient."""

from __future__ import annotations

from typing import Any

from blockqnn.errors import UserError
from blockqnn.evaluation.contract import TRAIN
from blockqnn.flags.parsing import FlagSet, Owner
from blockqnn.mixture_settings import (
    ALTERNATING,
    DIFFERENCE,
    EITHER,
    EXACT,
    FIRST,
    JOINT,
    PERTURBATION,
    SECOND,
    STRONGEST,
    MixtureSettings,
)
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import space_named

MIXTURE = "mixture"
"""Value of the flag that says whose weights designs have."""


def define_each(flags: FlagSet) -> None:
    """Adds a group for those of the mixture."""
    usual = MixtureSettings()
    flags.group("Mixture (--weights=mixture)", Owner("weights", (MIXTURE,)))
    flags.choice(
        "bilevel",
        usual.bilevel,
        (FIRST, SECOND, ALTERNATING, JOINT),
        "what the weights of operations, alpha, follow: the loss on their own half of the training "
        "images, or on the validation text, at the weights as they are or as they will be after a "
        "step; or, as controls, the loss on all that is trained on, in turn with the weights or at "
        "once with them",
    )
    flags.choice(
        "hessian",
        usual.hessian,
        (EITHER, EXACT, DIFFERENCE),
        "how second_order finds the mixed second derivative: exactly, which takes "
        "--execution=whole, by the paper's finite difference, or as the execution can",
    )
    flags.number(
        "alpha_rate",
        usual.alpha_rate,
        "learning rate of alpha, by Adam; of recurrent cells 0.003 unless named",
        above=0,
    )
    flags.number(
        "alpha_beta1",
        usual.alpha_beta1,
        "of that Adam; of recurrent cells 0.9 unless named",
        least=0,
        most=0.999999,
    )
    flags.number("alpha_beta2", usual.alpha_beta2, "of that Adam", least=0, most=0.999999)
    flags.number("alpha_decay", usual.alpha_decay, "of alpha, added to the gradient as L2", least=0)
    flags.number(
        "alpha_deviation",
        usual.alpha_deviation,
        "standard deviation of the first alpha; 0 for zeros, as in the paper's text",
        least=0,
    )
    flags.integer(
        "frozen_epochs", usual.frozen_epochs, "first epochs in which alpha stays as it is"
    )
    flags.integer(
        "partial_channels",
        usual.partial_channels,
        "one in so many channels goes through the operations, and edges have weights of their own "
        "(Xu et al. 2020, there 4); 1 for all channels",
        1,
    )
    flags.switch(
        "rematerialise",
        usual.rematerialise,
        "compute what an edge does again on the way back: less memory, more time; with "
        "--execution=whole",
    )
    flags.integer(
        "eigenvalue_every",
        usual.eigenvalue_every,
        "epochs from one measurement of the largest eigenvalue of the loss's Hessian in alpha to "
        "the next; 0 for none",
    )
    flags.integer(
        "eigenvalue_steps", usual.eigenvalue_steps, "of the power iteration that measures it", 1
    )
    flags.number(
        "stop_eigenvalue",
        usual.stop_ratio,
        "stop where the mean of the last five eigenvalues is more than so many times the mean of "
        "those four measurements before, and take the design from there (Zela et al., there 1.3); "
        "0 for never",
        least=0,
    )
    flags.integer(
        "stop_skips",
        usual.stop_skips,
        "stop where the derived normal cell has so many skip connections (Liang et al. 2019, there "
        "2); 0 for never",
    )
    flags.integer(
        "stop_unchanged",
        usual.stop_unchanged,
        "stop where no edge's strongest operation has changed for so many epochs (Liang et al., "
        "there 10); 0 for never",
    )
    flags.choice(
        "selection",
        usual.selection,
        (STRONGEST, PERTURBATION),
        "how the design is derived at the end: from alpha, or choice by choice by what costs most "
        "accuracy to remove (Wang et al. 2021)",
    )
    flags.integer(
        "perturbation_epochs",
        usual.perturbation_epochs,
        "for which the mixture is trained on after each choice of the selection by perturbation",
    )


def mixture(values: dict[str, Any], layout: Layout) -> MixtureSettings:
    """The mixture of a search.

    Args:
        values: of the flags, by name.
        layout: of networks of their own.

    Returns:
        Its settings.

    Raises:
        UserError: if the space or other flags do not go with it.
    """
    space = space_named(values["space"])
    if reason := space.unmixed(layout):
        raise UserError(f"{reason}; --weights=mixture does not go with --space={space.name}.")
    if values["evaluator"] != TRAIN:
        raise UserError(
            "--weights=mixture trains a mixture of all designs; it does not go with "
            f"--evaluator={values['evaluator']}."
        )
    if values["match"] is not None:
        raise UserError(
            "--match gives each child filters of its own, and in a mixture all have the same."
        )
    if values["async"] or values["max_blocks"] or values["max_hours"] or values["first_blocks"]:
        raise UserError(
            "--weights=mixture goes on for --supernet_epochs, each of which gives one design; "
            "--async, --max_blocks, --max_hours and --first_blocks do not go with it."
        )
    if values["hessian"] == EXACT and values["execution"] == "layers" and not layout.of_words:
        raise UserError(
            "--hessian=exact differentiates the whole network at once: --execution=whole."
        )
    if values["rematerialise"] and values["execution"] == "layers":
        raise UserError(
            "--rematerialise is about --execution=whole; layer by layer, all but convolutions is "
            "computed again anyway."
        )
    if values["stop_eigenvalue"] and not values["eigenvalue_every"]:
        raise UserError("--stop_eigenvalue needs eigenvalues: --eigenvalue_every=1 or more.")
    if values["split"]:
        for name in ("stop_eigenvalue", "stop_skips", "stop_unchanged"):
            if values[name]:
                raise UserError(
                    f"--split derives the design from the last epoch of its best part; --{name} "
                    "does not go with it."
                )
        if values["selection"] == PERTURBATION:
            raise UserError(
                "--split derives the design from alpha of its best part; "
                f"--selection={PERTURBATION} does not go with it."
            )
    # Refuses filters that cannot be parted, with the rest of what the plan refuses.
    space.mixture_plan(layout, values["partial_channels"])
    return MixtureSettings(
        bilevel=values["bilevel"],
        hessian=values["hessian"],
        alpha_rate=values["alpha_rate"],
        alpha_beta1=values["alpha_beta1"],
        alpha_beta2=values["alpha_beta2"],
        alpha_decay=values["alpha_decay"],
        alpha_deviation=values["alpha_deviation"],
        frozen_epochs=values["frozen_epochs"],
        partial_channels=values["partial_channels"],
        rematerialise=values["rematerialise"],
        eigenvalue_every=values["eigenvalue_every"],
        eigenvalue_steps=values["eigenvalue_steps"],
        stop_ratio=values["stop_eigenvalue"],
        stop_skips=values["stop_skips"],
        stop_unchanged=values["stop_unchanged"],
        selection=values["selection"],
        perturbation_epochs=values["perturbation_epochs"],
    )

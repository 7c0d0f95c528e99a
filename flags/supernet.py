"""The flags of weights that all designs of a search share."""

from __future__ import annotations

from typing import Any

from blockqnn.agents.registry import AGENTS
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import TRAIN
from blockqnn.flags.contradictions import refuse_one_program
from blockqnn.flags.mixture import MIXTURE, mixture
from blockqnn.flags.parsing import FlagSet, Owner
from blockqnn.flags.supernet_of_words import OF_WORDS, OF_WORDS_MIXED, refuse_of_images
from blockqnn.mixture_settings import MixtureSettings
from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.spaces.registry import space_named
from blockqnn.supernet_settings import (
    ADAM,
    AUTO,
    BY_AGENT,
    FAIR,
    MOMENTUM,
    OF_BATCH,
    RECALIBRATED,
    RUNNING,
    UNIFORM,
    SupernetSettings,
)

CHECK = "check"
OWN, SHARED = "own", "shared"
"""Values of the flag that says whose weights designs have."""


_OF_A_MIXTURE = {"supernet_epochs": 50, "supernet_weight_decay": 3e-4}
"""What flags are for a mixture unless they are named: those of Liu, Simonyan, Yang, ICLR 2019."""


def define(flags: FlagSet) -> None:
    """Adds the choice, in the present group."""
    flags.choice(
        "weights",
        OWN,
        (OWN, SHARED, MIXTURE),
        "each child trains weights of its own, or one supernet is trained first, whose weights "
        "score all designs, or a mixture of all operations is trained, from which a design follows "
        "by gradient",
    )


def define_each(flags: FlagSet) -> None:
    """Adds a group for those of the supernet."""
    usual = SupernetSettings()
    flags.group("Supernet (--weights=shared or mixture)", Owner("weights", (SHARED, MIXTURE)))
    flags.integer(
        "supernet_epochs",
        usual.epochs,
        f"passes over the training part; of a mixture {_OF_A_MIXTURE['supernet_epochs']} unless "
        "named",
        1,
    )
    flags.integer("supernet_batch_size", usual.batch_size, "images in a step, and a design", 1)
    flags.choice(
        "supernet_optimiser",
        usual.optimiser,
        (MOMENTUM, ADAM),
        "of shared weights; momentum is Nesterov's, of a mixture the plain one",
    )
    flags.number(
        "supernet_rate",
        usual.learning_rate,
        "learning rate of the first step, which falls along a cosine, of a mixture by epochs; of "
        f"recurrent cells {OF_WORDS['supernet_rate']:g} from first to last unless named",
        above=0,
    )
    flags.number("supernet_least_rate", usual.least_rate, "learning rate of the last step", least=0)
    flags.number(
        "supernet_momentum",
        usual.momentum,
        "of the optimiser momentum; of recurrent cells 0 unless named",
        least=0,
        most=1,
    )
    flags.number(
        "supernet_weight_decay",
        usual.weight_decay,
        "of the optimiser momentum; of a mixture "
        f"{_OF_A_MIXTURE['supernet_weight_decay']} unless named, of recurrent cells "
        f"{OF_WORDS['supernet_weight_decay']:g} and "
        f"{OF_WORDS_MIXED['supernet_weight_decay']:g}",
        least=0,
    )
    flags.number(
        "supernet_gradient_norm",
        usual.gradient_norm,
        "to which the norm of a step's gradients is cut; 0 for no bound; of recurrent cells "
        f"{OF_WORDS['supernet_gradient_norm']:g} unless named",
        least=0,
    )
    flags.group("Paths (--weights=shared)", Owner("weights", (SHARED,)))
    flags.integer(
        "supernet_first_period",
        usual.first_period,
        "epochs after which the cosine begins anew, then after twice as many, and so on; 0 for "
        "one over all epochs",
    )
    flags.switch(
        "norm_scale",
        usual.norm_scale,
        "batch norms of cells have scale and shift in the supernet; networks with weights of their "
        "own always have them",
    )
    flags.choice(
        "paths",
        usual.paths,
        (UNIFORM, FAIR, BY_AGENT),
        "who chooses the design of each step: drawn uniformly; drawn so that every operation of "
        "every edge has its turn equally often; or the agent",
    )
    flags.choice(
        "score_statistics",
        usual.statistics,
        (RECALIBRATED, OF_BATCH, RUNNING),
        "of batch norm when a design is scored: averages over the same training images for every "
        "design, those of each batch, or what training left, mixed over all designs",
    )
    flags.integer(
        "recalibration_batches", usual.recalibration_batches, "training batches averaged over", 1
    )
    flags.integer(
        "agent_updates",
        usual.agent_updates,
        "how often the agent learns from scores after each epoch, with --paths=agent",
    )
    flags.integer(
        "agent_batch",
        usual.agent_batch,
        "designs that it learns from each time, each scored on one batch of the validation part",
        1,
    )
    flags.text(
        "split",
        "",
        "edges along which the supernet is split after its training, with commas between them: "
        "few-shot; each part is trained on, and scores the designs that have its operations. auto "
        "finds the edge, and two groups of its operations, by how far their gradients disagree",
    )
    flags.integer("split_epochs", usual.split_epochs, "for which each part is trained on")
    flags.integer(
        "split_levels",
        usual.split_levels,
        "splits one after the other, in which each part is trained on for --split_epochs and split "
        "again: any number with --split=auto, or one for each named edge; 1 splits all of these "
        "together",
        1,
    )
    flags.integer(
        "split_batches",
        usual.split_batches,
        "training batches, each with a random design, of which --split=auto compares gradients",
        1,
    )
    flags.switch(
        "control",
        usual.control,
        "beside the parts train the whole supernet on for as many steps as all of them together",
    )
    flags.integer(
        CHECK,
        0,
        "designs that are trained with weights of their own at the end, to tell how well the "
        "scores rank them; 0 for none",
    )


def take_usual(flags: FlagSet) -> None:
    """Gives a mixture, and recurrent cells, their usual numbers where nobody has named others."""
    weights = flags.chosen()["weights"]
    usual: dict[str, Any] = {}
    if weights == MIXTURE:
        usual |= _OF_A_MIXTURE
    if weights != OWN and flags.values["layout"].value == LANGUAGE:
        usual |= OF_WORDS | (OF_WORDS_MIXED if weights == MIXTURE else {})
    for name, value in usual.items():
        if not flags.values[name].present:
            flags.values[name].value = value
    if "supernet_least_rate" in usual and not flags.values["supernet_least_rate"].present:
        flags.values["supernet_least_rate"].value = flags.values["supernet_rate"].value
    if weights == MIXTURE:
        # An epoch gives a design, and one worker has the mixture.
        schedule = flags.values["epsilon_schedule"]
        schedule.value = schedule.parser.parse(f"0.0:{flags.chosen()['supernet_epochs']}")
        flags.values["blocks_per_iteration"].value = 1


def supernet(values: dict[str, Any], layout: Layout) -> SupernetSettings | None:
    """The supernet of a search.

    Args:
        values: of the flags, by name.
        layout: of its networks.

    Returns:
        Its settings; None where each child has weights of its own.

    Raises:
        UserError: if the space or other flags do not go with it.
    """
    if values["weights"] == OWN:
        return None
    if layout.of_words:
        refuse_of_images(values)
    if values["weights"] == MIXTURE:
        return _settings(values, (), mixture(values, layout))
    space = space_named(values["space"])
    if reason := space.unshared(layout):
        raise UserError(f"{reason}; --weights=shared does not go with it.")
    refuse_one_program(values, space.unplanned(layout))
    if values["evaluator"] != TRAIN:
        raise UserError(
            f"--weights=shared scores with weights that were trained; it does not go with "
            f"--evaluator={values['evaluator']}."
        )
    if values["match"] is not None:
        raise UserError(
            "--match gives each child filters of its own, and --weights=shared gives all the same."
        )
    if values["paths"] == FAIR and not space.edges:
        raise UserError(
            f"--paths=fair needs edges that are decided independently of one another, which the "
            f"space {space.name} does not have; allowed there: {UNIFORM}, {BY_AGENT}."
        )
    split = tuple(filter(None, values["split"].split(",")))
    if bool(split) != bool(values["split_epochs"]):
        raise UserError("--split and --split_epochs go together: name edges, and epochs.")
    automatic = split == (AUTO,)
    levels = values["split_levels"]
    if automatic and levels > len(space.edges):
        raise UserError(
            f"--split=auto splits an edge at each of --split_levels={levels}; the space "
            f"{space.name} has {len(space.edges)} edges."
        )
    if not automatic and levels not in (1, max(1, len(split))):
        raise UserError(
            f"--split_levels={levels} needs --split=auto, or {levels} edges in --split; given "
            f"{len(split)}."
        )
    for edge in () if automatic else split:
        if edge not in space.edges:
            allowed = ", ".join(space.edges) or f"none, since {space.name} has no such edges"
            raise UserError(f"--split names the edge {edge!r}; allowed: {allowed}.")
    if len(set(split)) < len(split):
        raise UserError(f"--split={values['split']} names an edge twice.")
    if values["control"] and not split:
        raise UserError("--control is the control of --split; there is none.")
    if values["paths"] == BY_AGENT and not AGENTS[values["agent"]].settings.remembers_itself:
        others = [name for name, entry in AGENTS.items() if entry.settings.remembers_itself]
        raise UserError(
            f"--paths=agent needs an agent whose state alone says what it has learned; "
            f"{values['agent']} keeps episodes besides. Allowed: {', '.join(others)}."
        )
    if values["agent_updates"] and values["paths"] != BY_AGENT:
        raise UserError("--agent_updates needs --paths=agent.")
    return _settings(values, split)


def _settings(
    values: dict[str, Any], split: tuple[str, ...], mixed: MixtureSettings | None = None
) -> SupernetSettings:
    return SupernetSettings(
        epochs=values["supernet_epochs"],
        batch_size=values["supernet_batch_size"],
        optimiser=values["supernet_optimiser"],
        learning_rate=values["supernet_rate"],
        least_rate=values["supernet_least_rate"],
        first_period=values["supernet_first_period"],
        momentum=values["supernet_momentum"],
        weight_decay=values["supernet_weight_decay"],
        gradient_norm=values["supernet_gradient_norm"],
        paths=values["paths"],
        statistics=values["score_statistics"],
        recalibration_batches=values["recalibration_batches"],
        agent_updates=values["agent_updates"],
        agent_batch=values["agent_batch"],
        split=split,
        split_epochs=values["split_epochs"],
        split_levels=values["split_levels"],
        split_batches=values["split_batches"],
        control=values["control"],
        mixture=mixed,
        norm_scale=values["norm_scale"],
        augmentation=values["augmentation"],
    )

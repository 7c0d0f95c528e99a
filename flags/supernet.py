"""The flags of weights that all designs of a search share."""

from __future__ import annotations

from typing import Any

from blockqnn.agents.registry import AGENTS
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import TRAIN
from blockqnn.flags import split
from blockqnn.flags.contradictions import refuse_one_program
from blockqnn.flags.mixture import MIXTURE, mixture
from blockqnn.flags.parsing import FlagSet, Owner
from blockqnn.flags.supernet_of_words import OF_WORDS, OF_WORDS_MIXED, refuse_of_images
from blockqnn.mixture_settings import MixtureSettings
from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.spaces.registry import space_named
from blockqnn.supernet_settings import (
    ADAM,
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
    split.define_each(flags, (SHARED, MIXTURE))
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
        schedule.value = schedule.parser.parse(f"0.0:{split.epochs_of_mixture(flags.chosen())}")
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
    space = space_named(values["space"])
    if values["weights"] == MIXTURE:
        mixed = mixture(values, layout)
        return _settings(values, split.edges_of(values, space, space.split_choices()), mixed)
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
    edges = split.edges_of(values, space, space.edges)
    if values["paths"] == BY_AGENT and not AGENTS[values["agent"]].settings.remembers_itself:
        others = [name for name, entry in AGENTS.items() if entry.settings.remembers_itself]
        raise UserError(
            f"--paths=agent needs an agent whose state alone says what it has learned; "
            f"{values['agent']} keeps episodes besides. Allowed: {', '.join(others)}."
        )
    if values["agent_updates"] and values["paths"] != BY_AGENT:
        raise UserError("--agent_updates needs --paths=agent.")
    return _settings(values, edges)


def _settings(
    values: dict[str, Any], edges: tuple[str, ...], mixed: MixtureSettings | None = None
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
        split=edges,
        split_epochs=values["split_epochs"],
        split_levels=values["split_levels"],
        split_batches=values["split_batches"],
        control=values["control"],
        mixture=mixed,
        norm_scale=values["norm_scale"],
        augmentation=values["augmentation"],
    )

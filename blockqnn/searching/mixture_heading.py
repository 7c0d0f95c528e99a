"""What a search by gradient says of its mixture before it begins."""

from __future__ import annotations

import dataclasses
import math

from blockqnn.listing import counted, in_units
from blockqnn.mixture_settings import (
    ALTERNATING,
    DIFFERENCE,
    FIRST,
    JOINT,
    PERTURBATION,
    SECOND,
    MixtureSettings,
)
from blockqnn.networks.mixed_plan import edges_of
from blockqnn.networks.plan import Plan
from blockqnn.networks.plan_counts import shared_parameters
from blockqnn.networks.spaces.registry import space_named
from blockqnn.settings import UNCHANGED, SearchSettings
from blockqnn.supernet_settings import ADAM, MOMENTUM, SupernetSettings

_ORDERS = {
    FIRST: "first order: alpha learns on one half of the training images, weights on the other",
    SECOND: "second order: alpha learns on one half of the training images where weights will be "
    "after a step on the other",
    ALTERNATING: "alpha and weights learn in turn on all training images (a control)",
    JOINT: "alpha and weights learn at once on all training images (a control)",
}


_ON_WORDS = {
    FIRST: "first order: alpha learns on the validation text, weights on the training text",
    SECOND: "second order: alpha learns on the validation text where weights will be after a step "
    "on the training text",
    ALTERNATING: "alpha and weights learn in turn on the training text (a control)",
    JOINT: "alpha and weights learn at once on the training text (a control)",
}


def descent_words(own: SupernetSettings) -> str:
    """The optimiser of a supernet and its rate, in words."""
    name = "descent" if own.optimiser == MOMENTUM and not own.momentum else own.optimiser
    if own.least_rate == own.learning_rate:
        return f"{name} at {own.learning_rate:g}"
    return f"{name} from {own.learning_rate:g}"


def mixture_words(settings: SearchSettings, own: SupernetSettings, mixture: MixtureSettings) -> str:
    """The lines of a heading.

    Args:
        settings: of the search.
        own: its supernet.
        mixture: of that.

    Returns:
        Lines on the training, the numbers that are trained and the memory that they take.
    """
    space = space_named(settings.space, settings.max_layers)
    layout = dataclasses.replace(settings.layout, unscaled=True)
    plan = space.mixture_plan(layout, mixture.partial_channels)
    rows = space.mixture_rows(mixture.partial_channels)
    numbers, of_rows = shared_parameters(plan), sum(len(row.choices) for row in rows)
    arrays = 3 if own.optimiser == ADAM else 2
    of_words = layout.of_words
    order = (_ON_WORDS if of_words else _ORDERS)[mixture.bilevel]
    if mixture.bilevel == SECOND and mixture.hessian == DIFFERENCE:
        order += ", by a finite difference"
    lines = [
        f"mixture, {counted(own.epochs, 'epoch')} in batches of {own.batch_size}, "
        f"{descent_words(own)}"
        + ("" if own.least_rate == own.learning_rate else f" to {own.least_rate:g}")
        + ("" if own.augmentation == UNCHANGED else f", images {own.augmentation} and mirrored"),
        order,
        f"{in_units(numbers)} parameters and {of_rows} of alpha, "
        f"{in_units(4 * arrays * numbers)}B with the optimiser's state{'.' if of_words else ';'}",
        *([] if of_words else [_maps(plan, own, mixture)]),
    ]
    if mixture.partial_channels > 1:
        lines.append(f"One in {mixture.partial_channels} channels goes through the operations.")
    if mixture.selection == PERTURBATION:
        lines.append(
            "Then a choice after the other by what it costs to remove, each followed by "
            f"{counted(mixture.perturbation_epochs, 'epoch')}."
        )
    lines.append(f"The test {'text is never read' if of_words else 'split is never looked at'}.")
    return "\n".join(lines)


def _maps(plan: Plan, own: SupernetSettings, mixture: MixtureSettings) -> str:
    """What the maps of a batch take, in words."""
    all_kept, again = (
        f"{in_units(kept_bytes(plan, own.batch_size, rematerialise))}B"
        for rematerialise in (False, True)
    )
    if mixture.rematerialise:
        return f"maps of a batch about {again}, {all_kept} without --rematerialise."
    return f"maps of a batch about {all_kept}, in one program {again} with --rematerialise."


def kept_bytes(plan: Plan, batch_size: int, rematerialise: bool) -> int:
    """What is kept of a step on its way forward for the way back, in float32.

    Args:
        plan: of the mixture.
        batch_size: images in the step.
        rematerialise: whether what an edge does is computed once more.

    Returns:
        Bytes of the output of each layer, and of what each batch norm reads; of an edge whose
        inside is computed again, of its output alone, and the inside of the largest edge once.
    """
    numbers = [math.prod(layer.shape) * (2 if layer.normalises else 1) for layer in plan]
    edges = [sum(numbers[i] for i in inside) for inside in edges_of(plan).values()]
    kept = sum(numbers) - sum(edges) + max(edges) if rematerialise else sum(numbers)
    return 4 * batch_size * kept

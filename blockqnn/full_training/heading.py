"""What `train` says before its first step: which images, which network, what will be done."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from blockqnn.data.datasets import contents
from blockqnn.evaluation.contract import TRAIN
from blockqnn.full_training.parts import Parts, by_size, holds_out
from blockqnn.full_training.preparing import Prepared
from blockqnn.full_training.searched import same_as_searched
from blockqnn.full_training.settings import (
    CELL,
    CELL_AND_STEP,
    CONSTANT,
    COSINE,
    COSINE_BY_EPOCH,
    EPOCH,
    EXPONENTIAL,
    HELD_OUT,
    JOINS,
    RESTARTS,
    RMSPROP,
    STEP,
    STEPS,
    TEST,
    VALIDATION,
    FullRecipe,
    TrainSettings,
)
from blockqnn.full_training.splits import tfds_source_reads
from blockqnn.heading import heading
from blockqnn.inspection.block_reference import BEST, BEST_EARLY, is_run
from blockqnn.listing import counted, in_units, number
from blockqnn.networks.norm_settings import USUAL_NORMS
from blockqnn.networks.plan_counts import parameters
from blockqnn.networks.spaces.registry import stacked
from blockqnn.workers.machine import can_use_gpus, described, unused_gpus
from blockqnn.workers.placement import has_tpu, visible_gpus

if TYPE_CHECKING:
    import jax

_COSINE_WORDS = {
    COSINE: " along half a cosine",
    COSINE_BY_EPOCH: " along half a cosine by epochs",
    RESTARTS: " along cosines with restarts",
}
_DROPPED_WORDS = {
    JOINS: " into joins",
    CELL_AND_STEP: " by cell and step",
    STEP: " of operations by step",
    EPOCH: " of operations by epoch",
    CELL: " by cell",
    CONSTANT: " of operations from the first step on",
}
_NAMES_SHOWN = 8
_WIDTH = 100


def training_heading(settings: TrainSettings, prepared: Sequence[Prepared]) -> str:
    """The lines that are printed before anything that takes long.

    Args:
        settings: what the verb is asked for.
        prepared: the blocks.

    Returns:
        A sentence that names data, split, size, network and device, and facts below it.
    """
    one = prepared[0]
    blocks = one.reference.title if len(prepared) == 1 else f"{len(prepared)} blocks"
    blocks += _chosen(settings.reference, one)
    size = by_size(one.info.seen)
    first = (
        f"Trains {blocks} on {settings.data.source.dataset}: "
        f"{counted(one.info.examples, 'image')} of {size} in {one.info.classes} classes, "
        f"{_judged(one)}; on {described()}."
    )
    several = len(prepared) > 1
    below = heading(
        {
            "Data": _data(settings, one),
            "Classes": class_list(one.info.class_names),
            "Recipe": _recipe(settings),
            "Network": None if several else network(one),
            "Directory": None if several else str(one.directory),
        }
    )
    return "\n".join([first, below, *filter(None, [one.reference.note, unused_gpus()])])


def block_line(one: Prepared, place: int, total: int) -> str:
    """A line before the training of one of several blocks."""
    return f"\nBlock {place} of {total}: {one.reference.title}, {network(one)}. In {one.directory}"


def network(one: Prepared) -> str:
    """A network's size and layout in words, and how its block did in the search."""
    stages = ",".join(map(str, one.layout.filters))
    beside = f", {parameters(one.head):,} more in the auxiliary head" if one.head else ""
    return (
        f"{one.cost.parameters:,} parameters{beside}, {in_units(one.cost.flops)} FLOPs: "
        f"{one.layout.kind} layout, filters {stages}, {stacked(one.layout)}{_in_search(one)}"
    )


def parts_line(settings: TrainSettings, one: Prepared, parts: Parts) -> str:
    """Which images are trained on, and which ones judge, once they have been read.

    Args:
        settings: what the verb is asked for.
        one: the block.
        parts: the images.

    Returns:
        Lines for the terminal.
    """
    trained = counted(len(parts.train), "image")
    if parts.judged is None:
        return f"Read: {trained} to train on; nothing is measured at the end."
    judging = counted(len(parts.judged), "image")
    if one.judge == TEST:
        return f"Read: {trained} to train on, {judging} of the test split."
    if one.judge == VALIDATION:
        return (
            f"Read: {trained} to train on, {judging} of the data's own validation split. There is "
            f"no test split, so these judge at the end{_seen(settings, one)}."
        )
    return (
        f"Read: {trained} to train on, {judging} held out. There is no test split, so one image "
        f"in six of each class is held out and judges at the end{_seen(settings, one)}."
    )


def class_list(names: Sequence[str]) -> str:
    """The names of classes, the first ones if they are many; nothing where there are none."""
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return textwrap.shorten(shown, _WIDTH, placeholder=" ...") + (
        f" and {more} more" if more > 0 else ""
    )


def has_accelerator() -> bool:
    """Whether JAX will find a GPU or a TPU here, as far as one can tell without importing it."""
    return (bool(visible_gpus()) and can_use_gpus()) or has_tpu(os.environ)


def device_words(devices: Sequence[jax.Device]) -> str:
    """Devices that compute in words, as in `2 x NVIDIA H100`.

    Args:
        devices: all of them.

    Returns:
        Words for the heading of a verb.
    """
    if devices[0].platform == "cpu":
        parts = f", {len(devices)} devices that share each batch"
        return described() + (parts if len(devices) > 1 else "")
    return f"{len(devices)} x {devices[0].device_kind}"


def _chosen(reference: str, one: Prepared) -> str:
    """By what a block or some were chosen that nobody has named."""
    best = reference.endswith(f"#{BEST}") or is_run(reference)
    if best and one.reference.run is not None and one.reference.run.final_ranking:
        return " (best in the finals)"
    return " (best by reward)" if best or reference.endswith(f"#{BEST_EARLY}") else ""


def _judged(one: Prepared) -> str:
    return {
        TEST: "with a test split",
        VALIDATION: "with a validation split that judges",
        HELD_OUT: "1 in 6 held out",
    }.get(one.judge, "all of them trained on" if not one.info.test_split else "no test")


def _data(settings: TrainSettings, one: Prepared) -> str:
    words = [settings.data_origin] if settings.data_origin else []
    if not tfds_source_reads(settings.data.source.dataset):
        # What was passed over, and what looks odd.
        _, *more = contents(settings.data.source).in_words().splitlines()
        words = ["\n".join(filter(None, ["; ".join(words), *more]))]
    if settings.data.hold_out and holds_out(settings.data, one.info, one.judge):
        words.append("one in six held out is measured after each epoch")
    return "; ".join(words)


def _recipe(settings: TrainSettings) -> str:
    recipe = settings.recipe
    rate = f"learning rate {recipe.learning_rate:g}"
    if recipe.schedule == STEPS and recipe.milestones:
        at = " and ".join(map(str, recipe.milestones))
        which = "epoch" if len(recipe.milestones) == 1 else "epochs"
        rate += f", times {recipe.learning_rate_decay:g} after {which} {at}"
    elif recipe.schedule == EXPONENTIAL:
        every = (
            "each epoch" if recipe.decay_epochs == 1 else f"every {recipe.decay_epochs:g} epochs"
        )
        rate += f", times {recipe.learning_rate_decay:g} {every}"
    elif recipe.schedule != STEPS:
        rate += _COSINE_WORDS[recipe.schedule]
    mirrored = "mirrored at random" if recipe.flip else "not mirrored"
    named = f"{settings.preset}; " if settings.preset else ""
    more = "".join(f", {words}" for words in beside(recipe))
    return (
        f"{counted(recipe.epochs, 'epoch')}, batches of {recipe.batch_size}, {rate}; crops padded "
        f"by {recipe.crop_padding}, {mirrored}{more} ({named}each is a flag)"
    )


def beside(recipe: FullRecipe) -> list[str]:
    """What a recipe has beside the paper's, which belongs together where it was published.

    Args:
        recipe: how a network is trained.

    Returns:
        Phrases; none of what is off.
    """
    by = _DROPPED_WORDS[recipe.drop_path_by]
    wanted: list[tuple[float, str]] = [
        (recipe.cutout, f"cutout of {recipe.cutout} pixels"),
        (recipe.drop_path, f"drop-path {recipe.drop_path:g}{by}"),
        (recipe.auxiliary_weight, f"auxiliary head of weight {recipe.auxiliary_weight:g}"),
        (recipe.dropout, f"dropout {recipe.dropout:g}"),
        (recipe.label_smoothing, f"label smoothing {recipe.label_smoothing:g}"),
        (recipe.clip_norm, f"gradients clipped at {recipe.clip_norm:g}"),
        (recipe.ema_decay, f"average of weights {recipe.ema_decay:g}"),
        (recipe.optimiser == RMSPROP, f"RMSProp with epsilon {recipe.rms_epsilon:g}"),
        (
            recipe.norms != USUAL_NORMS,
            f"batch norm of {recipe.norm_momentum:g} and {recipe.norm_epsilon:g}",
        ),
    ]
    return [words for value, words in wanted if value]


def _in_search(one: Prepared) -> str:
    trial = one.reference.trial
    if trial is None or trial.accuracy is None:
        return ""
    made_up = ", made up," if one.reference.dry else ""
    run = one.reference.run
    places = run.final_places if run is not None else {}
    finals = ""
    if trial.number in places:
        rank, accuracy = places[trial.number]
        finals = f"; rank {rank} in the finals, {number(accuracy)} %"
    return (
        f"; its reward in the search{made_up} was {number(trial.reward)}, its accuracy "
        f"{number(trial.accuracy)} %{finals}"
    )


def _seen(settings: TrainSettings, one: Prepared) -> str:
    """Whether the search of the block has been judged by the same images."""
    searched = settings.searched
    if searched is None or searched.evaluator != TRAIN or not same_as_searched(settings):
        return ""
    source = settings.data.source
    used_own = searched.source.own_validation
    if used_own != (one.judge == VALIDATION) or (
        not used_own and searched.source.split_seed != source.split_seed
    ):
        return "; the search of the block was judged by other images of these data"
    return (
        "; they are the same that the search judged by, so the choice of the block has seen them, "
        "but nothing was trained on them"
    )

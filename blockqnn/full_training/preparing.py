"""Everything about a training that can be wrong, found out before anything is written."""

from __future__ import annotations

import dataclasses
import pathlib

from blockqnn.children.checkpoint_metadata import Metadata
from blockqnn.data.images import VALIDATION_SHARE
from blockqnn.errors import UserError
from blockqnn.full_training.settings import AUTO, FullRecipe, LayoutChoice, TrainSettings
from blockqnn.full_training.splits import FullInfo, describe_full
from blockqnn.inspection.block_reference import BlockReference, is_run, resolve
from blockqnn.networks.cost import Cost, cost
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import Design
from blockqnn.networks.spaces.registry import design_of, write
from blockqnn.runs.run_record import read_run

_DEFAULT = Layout(repeats=2)
_SHARE_OF_DEVICE = 4
"""With `auto`, images are kept on a device if they take at most one part in so many of it."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """One block that can be trained.

    Attributes:
        reference: the block as it was named.
        block: its canonical form.
        layout: of the network.
        cost: of the network.
        info: of the data set.
        directory: where the training is written.
    """

    reference: BlockReference
    block: Design
    layout: Layout
    cost: Cost
    info: FullInfo
    directory: pathlib.Path


def prepare(settings: TrainSettings) -> list[Prepared]:
    """Finds the blocks that are to be trained, and checks what needs no device.

    Args:
        settings: what the verb is asked for.

    Returns:
        The blocks, in the order of their training.

    Raises:
        UserError: if a block, the data set or a number cannot be used.
        CodeError: if a code breaks a rule.
        LayoutError: if the network does not fit the images.
    """
    references = blocks(settings)
    info = describe_full(settings.data)
    _check_numbers(settings, info)
    prepared = []
    for reference in references:
        block = design_of(reference.code)
        layout = network_layout(settings.layout, reference, info)
        directory = settings.out_dir or pathlib.Path("runs") / f"train-{settings.name}"
        if settings.top:
            directory = directory / block.hash[:8]
        elif settings.out_dir is None:
            directory = directory.with_name(f"{directory.name}-{block.hash[:8]}")
        prepared.append(Prepared(reference, block, layout, cost(block, layout), info, directory))
    return prepared


def blocks(settings: TrainSettings) -> list[BlockReference]:
    """The blocks that a reference names.

    Args:
        settings: its `reference`, `top` and `max_layers` are used.

    Returns:
        One block, or the best of a run, best first.

    Raises:
        UserError: if there are none.
        CodeError: if a code breaks a rule.
    """
    reference = settings.reference
    if not is_run(reference):
        if settings.top:
            raise UserError(f"--top is for the directory of a run, given {reference!r}.")
        return [resolve(reference, settings.max_layers)]
    run = read_run(pathlib.Path(reference))
    best = run.best(settings.top or 1)
    if not best:
        raise UserError(f"The run in {run.path} has no trained block yet.")
    return [BlockReference(f"{run.path}#{t.number}", t.code, run.layout, t, run.dry) for t in best]


def network_layout(choice: LayoutChoice, reference: BlockReference, info: FullInfo) -> Layout:
    """The layout of a network: as chosen, else as in the block's run, else the default.

    Args:
        choice: what was chosen.
        reference: the block.
        info: of the data set.

    Returns:
        The layout.

    Raises:
        LayoutError: if it does not fit the images.
    """
    known = reference.standing_in(_DEFAULT)
    height, width, channels = info.seen
    return Layout(
        kind=known.kind if choice.kind == AUTO else choice.kind,
        filters=choice.filters or known.filters,
        repeats=choice.repeats or known.repeats,
        height=height,
        width=width,
        channels=channels,
        classes=info.classes,
    )


def training_examples(settings: TrainSettings, info: FullInfo) -> int:
    """How many images are trained on; off by one a class where images are held out."""
    if not settings.data.hold_out:
        return info.examples
    rest = info.examples - round(info.examples / VALIDATION_SHARE)
    return min(rest, settings.data.source.train_examples or rest)


def keeps_on_device(wanted: str, image_bytes: int, device_bytes: int) -> bool:
    """Whether all training images are kept on every device.

    Args:
        wanted: `yes`, `no` or `auto`.
        image_bytes: of all training images.
        device_bytes: of a device; 0 where it is not known.

    Returns:
        Whether they are.
    """
    if wanted == AUTO:
        return not device_bytes or image_bytes <= device_bytes // _SHARE_OF_DEVICE
    return wanted == "yes"


def described(
    prepared: Prepared,
    settings: TrainSettings,
    normalisation: tuple[list[float], list[float]],
    steps_per_epoch: int,
) -> Metadata:
    """A training before its first step, as its checkpoints will describe it.

    Args:
        prepared: the block.
        settings: what the verb is asked for.
        normalisation: mean and deviation of each channel.
        steps_per_epoch: steps of an epoch.

    Returns:
        The description.
    """
    data = dataclasses.asdict(settings.data)
    # Where a machine keeps the data set does not belong to what is trained.
    data["source"].pop("data_dir")
    return Metadata(
        code=write(prepared.reference.code),
        hash=prepared.block.hash,
        title=prepared.reference.title,
        layout=_as_json(dataclasses.asdict(prepared.layout)),
        recipe=_as_json(dataclasses.asdict(settings.recipe)),
        data=data,
        mean=normalisation[0],
        deviation=normalisation[1],
        class_names=list(prepared.info.class_names),
        seed=settings.seed,
        step=0,
        steps_per_epoch=steps_per_epoch,
        history=[],
        epoch_seconds=0.0,
        flags=dict(settings.flag_values),
    )


def _as_json(facts: dict[str, object]) -> dict[str, object]:
    """Tuples as lists, as JSON gives them back."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in facts.items()}


def _check_numbers(settings: TrainSettings, info: FullInfo) -> None:
    recipe, examples = settings.recipe, training_examples(settings, info)
    if recipe.batch_size > examples:
        raise UserError(
            f"--batch_size is {recipe.batch_size}, but there are {examples:,} training images of "
            f"{settings.data.source.dataset}; allowed: at most that."
        )
    _refuse_odd_milestones(recipe)


def _refuse_odd_milestones(recipe: FullRecipe) -> None:
    if list(recipe.milestones) != sorted(set(recipe.milestones)):
        given = ",".join(map(str, recipe.milestones))
        raise UserError(f"--milestones is {given}; allowed: epochs in ascending order.")

"""Everything about a training that can be wrong, found out before anything is written."""

from __future__ import annotations

import dataclasses
import math
import pathlib

from blockqnn.children.checkpoint import checkpoints
from blockqnn.children.checkpoint_metadata import Metadata, read_metadata
from blockqnn.errors import UserError
from blockqnn.full_training.network_layout import check_paths, network_layout
from blockqnn.full_training.parts import holds_out, judge_of, training_examples
from blockqnn.full_training.searched import data_digest, described_data, refuse_changed
from blockqnn.full_training.settings import AUTO, COSINES, TEST, FullRecipe, TrainSettings
from blockqnn.full_training.splits import FullInfo
from blockqnn.inspection.block_reference import BlockReference, is_run, resolve
from blockqnn.networks.cost import Cost, cost
from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import Plan
from blockqnn.networks.plan_counts import parameters
from blockqnn.networks.spaces.contract import Code, Design
from blockqnn.networks.spaces.registry import (
    MOST_LAYERS,
    auxiliary_head,
    design_of,
    design_plan,
    designs_ever,
    parse,
    write,
)
from blockqnn.runs.run_record import read_run
from blockqnn.runs.spending import none_trained

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
        judge: what it is judged on, as `parts.judge_of` returns it.
        digest: of the data, as `data.datasets.digest` has it.
        head: layers of an auxiliary classifier, which is trained with the network and no part
            of it; empty for none.
    """

    reference: BlockReference
    block: Design
    layout: Layout
    cost: Cost
    info: FullInfo
    directory: pathlib.Path
    judge: str = TEST
    digest: str = ""
    head: Plan = ()

    @property
    def trained_cost(self) -> Cost:
        """Of the network and its auxiliary classifier."""
        return dataclasses.replace(
            self.cost,
            parameters=self.cost.parameters + parameters(self.head),
            activations=self.cost.activations + sum(math.prod(each.shape) for each in self.head),
        )


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
    info = described_data(settings)
    digest = data_digest(settings.data.source)
    refuse_changed(settings)
    prepared = []
    for reference in references:
        layout = network_layout(settings.layout, reference, info)
        directory = place_of_code(settings.out_dir, settings.name, reference.code, settings.top > 0)
        begun = begun_with(directory)
        block = design_begun(reference.code, begun)
        judge = judge_of(settings.data, info, begun)
        head = auxiliary_head(block, layout) if settings.recipe.auxiliary_weight else ()
        spent = cost(block, layout)
        check_paths(settings.recipe, design_plan(block, layout), layout)
        one = Prepared(reference, block, layout, spent, info, directory, judge, digest, head)
        _check_numbers(settings, one)
        prepared.append(one)
    return prepared


def place_of(out_dir: pathlib.Path | None, name: str, block: str, several: bool) -> pathlib.Path:
    """The directory of a training.

    Args:
        out_dir: that was named; None for one by the names of data and block.
        name: of the preset or the data.
        block: hash of the block.
        several: whether each block has a folder of its own there.

    Returns:
        The directory, which need not exist.
    """
    directory = out_dir or pathlib.Path("runs") / f"train-{name}"
    if several:
        return directory / block[:8]
    return directory if out_dir else directory.with_name(f"{directory.name}-{block[:8]}")


def place_of_code(
    out_dir: pathlib.Path | None, name: str, code: Code, several: bool
) -> pathlib.Path:
    """The directory of a code's training, perhaps one that an earlier version began.

    Args:
        out_dir: as for `place_of`.
        name: likewise.
        code: that is trained.
        several: as for `place_of`.

    Returns:
        The directory, which need not exist.
    """
    today, *former = [
        place_of(out_dir, name, design.hash, several) for design in designs_ever(code)
    ]
    begun = (place for place in former if checkpoints(place))
    return today if checkpoints(today) else next(begun, today)


def design_begun(code: Code, begun: Metadata | None) -> Design:
    """What is trained: a code as its training knows it, where an earlier version began that.

    Args:
        code: that is to be trained.
        begun: what the directory's newest checkpoint says; None where there is none.

    Returns:
        The design.
    """
    today = design_of(code)
    if begun is None or design_of(parse(begun.code, MOST_LAYERS)).hash != today.hash:
        return today
    return begun.design


def begun_with(directory: pathlib.Path) -> Metadata | None:
    """What the newest checkpoint of a training that can be read says; None where there is none."""
    for path in reversed(checkpoints(directory)):
        try:
            return read_metadata(path)
        except UserError:
            continue
    return None


def blocks(settings: TrainSettings) -> list[BlockReference]:
    """The blocks that a reference names.

    Args:
        settings: its `reference`, `top` and `max_layers` are used.

    Returns:
        One block, or the best of a run, best first: those of its finals, then the others by
        reward.

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
        raise UserError(f"The run in {run.path} {none_trained(run.trials)}.")
    note = run.stale_finals
    return [
        BlockReference(
            f"{run.path}#{t.number}", t.code, t.layout(run.layout), t, run.dry, run, note
        )
        for t in best
    ]


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
    data["source"] = _as_json(data["source"])
    data["judged_on"] = prepared.judge
    return Metadata(
        code=write(prepared.reference.code),
        hash=prepared.block.hash,
        title=prepared.reference.title,
        layout=_as_json(prepared.layout.as_json()),
        recipe=_as_json(settings.recipe.as_json()),
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
        data_digest=prepared.digest,
    )


def _as_json(facts: dict[str, object]) -> dict[str, object]:
    """Tuples as lists, as JSON gives them back."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in facts.items()}


def _check_numbers(settings: TrainSettings, one: Prepared) -> None:
    recipe, data, info = settings.recipe, settings.data, one.info
    examples = training_examples(data, info, one.judge)
    if recipe.batch_size > examples:
        raise UserError(
            f"--batch_size is {recipe.batch_size}, but there are {examples:,} training images of "
            f"{data.source.dataset}; allowed: at most that."
        )
    if not holds_out(data, info, one.judge):
        # Without images that are held out these choose nothing.
        if data.source.train_examples:
            raise UserError("--train_examples needs --hold_out.")
        if "split_seed" in settings.named:
            raise UserError(
                "--split_seed chooses the images that are held out, and here none are; "
                "--hold_out holds some out."
            )
    _refuse_odd_rates(recipe)


def _refuse_odd_rates(recipe: FullRecipe) -> None:
    if list(recipe.milestones) != sorted(set(recipe.milestones)):
        given = ",".join(map(str, recipe.milestones))
        raise UserError(f"--milestones is {given}; allowed: epochs in ascending order.")
    if recipe.schedule in COSINES and recipe.least_learning_rate > recipe.learning_rate:
        raise UserError(
            f"--least_learning_rate is {recipe.least_learning_rate:g}; allowed: at most the "
            f"--learning_rate, {recipe.learning_rate:g}."
        )

"""One block from its first step, or its newest checkpoint, to its test."""

from __future__ import annotations

import dataclasses
import enum
import sys
from typing import Any, TextIO

import jax
import numpy as np

from blockqnn.children.checkpoint import FOLDER
from blockqnn.children.checkpoint_metadata import Metadata
from blockqnn.errors import UserError
from blockqnn.full_training import directory
from blockqnn.full_training.feeding import DeviceFeed, Feed, StreamFeed, normalisation
from blockqnn.full_training.keeper import Keeper, newest_good, state_of
from blockqnn.full_training.measuring import Measured, measure
from blockqnn.full_training.memory import device_bytes
from blockqnn.full_training.parts import Parts, part_digest
from blockqnn.full_training.preparing import Prepared, described, keeps_on_device
from blockqnn.full_training.program import Program, State
from blockqnn.full_training.progress import TrainingProgress
from blockqnn.full_training.settings import VALIDATION, TrainSettings
from blockqnn.full_training.splits import Part, in_memory
from blockqnn.full_training.trainer import DivergedError, StopRequest, Trainer
from blockqnn.listing import counted
from blockqnn.networks.plan_counts import parameters
from blockqnn.networks.spaces.registry import design_plan


class TrainingEnd(enum.Enum):
    """How a training ended."""

    FINISHED = "finished"
    STOPPED = "stopped"
    DIVERGED = "diverged"


def check_checkpoint(one: Prepared, settings: TrainSettings) -> None:
    """Refuses a directory that holds another training.

    Args:
        one: the block and its directory.
        settings: how it is to be trained.

    Raises:
        UserError: if the training there is another one, or none of its checkpoints is good.
    """
    found = newest_good(one.directory, lambda _: None)
    if found is not None:
        before = found.metadata
        wanted = described(one, settings, (before.mean, before.deviation), before.steps_per_epoch)
        directory.refuse_other_training(one.directory, before, wanted)
    elif (result := directory.read_result(one.directory)) is not None:
        raise UserError(
            f"{one.directory} holds the result of a training of {result.get('code')}, but none of "
            "its checkpoints; name another --out_dir."
        )


def train_one(
    one: Prepared,
    settings: TrainSettings,
    parts: Parts,
    devices: list[jax.Device],
    stop: StopRequest,
    stream: TextIO,
) -> TrainingEnd:
    """Trains a block, or goes on with it.

    Args:
        one: the block.
        settings: how to train it.
        parts: the images.
        devices: that share each batch.
        stop: whether to stop early.
        stream: for progress.

    Returns:
        How it ended; a result is in its directory if it finished.

    Raises:
        UserError: if the images cannot be read, or a checkpoint cannot be written.
    """
    resumed = newest_good(one.directory, _warn)
    start = resumed.metadata if resumed else _beginning(one, settings, parts)
    judged = part_digest(parts.judged) if parts.judged is not None else ""
    if resumed and start.judged_digest and start.judged_digest != judged:
        print(
            "blockqnn: warning: the images that judge this training have changed since it was "
            "begun.",
            file=sys.stderr,
        )
    with directory.opened(one.directory, FOLDER):
        directory.replace_text(one.directory / directory.FLAG_FILE, _flag_file(one, settings))
        keeper = Keeper(one.directory, settings.saving.keep)
        keeper.clean()
        program = _program(one, settings, start, devices)
        state = state_of(program, resumed) if resumed else program.start()
        if resumed:
            print(f"Continuing after {_place(start)}.", file=stream)
        print("Compiling the network ...", file=stream, flush=True)
        return _carry_on(one, settings, program, state, start, keeper, parts, stop, stream)


def _carry_on(
    one: Prepared,
    settings: TrainSettings,
    program: Program,
    state: State,
    start: Metadata,
    keeper: Keeper,
    parts: Parts,
    stop: StopRequest,
    stream: TextIO,
) -> TrainingEnd:
    recipe, readers = settings.recipe, settings.machine.readers
    validation = parts.validation
    feed, kept = _feed(settings, program, parts.train, one)
    if kept and validation is not None:
        validation = in_memory(validation)

    def measured(state: State, part: Part) -> Measured:
        """Loss and errors of a part, as `measure` has them."""
        return measure(
            lambda images: program.logits(state, images),
            part,
            one.info.classes,
            recipe.batch_size,
            readers,
        )

    validate = None if validation is None else lambda state: measured(state, validation)
    trainer = Trainer(
        program, feed, validate, keeper, settings.saving, start, recipe.epochs, recipe.batch_size
    )
    figures = directory.Figures(one.directory, start.history)
    progress = TrainingProgress(stream, recipe.epochs, start.steps_per_epoch)
    history = list(start.history)
    try:
        for epoch in trainer.run(state, stop, progress.step):
            history.append(dataclasses.asdict(epoch))
            figures.add(history[-1])
            progress.epoch(epoch)
    except DivergedError as error:
        print(
            f"blockqnn: {error} The last checkpoint in {one.directory} is from before; a lower "
            "--learning_rate or some --warmup_epochs may help.",
            file=sys.stderr,
        )
        return TrainingEnd.DIVERGED
    finally:
        progress.close()
    if trainer.stopped:
        print(
            f"Stopped, for {stop.reason}; saved in {one.directory}. The same command continues.",
            file=stream,
        )
        return TrainingEnd.STOPPED
    last = newest_good(one.directory, _warn)
    assert last is not None
    state = state_of(program, last)
    result = _result(one, start, history)
    if validation is not None:
        result[VALIDATION] = measured(state, validation).facts()
    if parts.judged is not None:
        result[one.judge] = measured(state, parts.judged).facts()
    directory.write_result(one.directory, result)
    return TrainingEnd.FINISHED


def _beginning(one: Prepared, settings: TrainSettings, parts: Parts) -> Metadata:
    mean, deviation = normalisation(parts.train, settings.machine.readers)
    steps = len(parts.train) // settings.recipe.batch_size
    start = described(one, settings, (mean.tolist(), deviation.tolist()), steps)
    judged = "" if parts.judged is None else part_digest(parts.judged)
    return dataclasses.replace(start, judged_digest=judged)


def _program(
    one: Prepared, settings: TrainSettings, start: Metadata, devices: list[jax.Device]
) -> Program:
    return Program(
        design_plan(one.block, one.layout),
        settings.recipe,
        (np.array(start.mean), np.array(start.deviation)),
        start.steps_per_epoch,
        settings.seed,
        devices,
        one.head,
    )


def _flag_file(one: Prepared, settings: TrainSettings) -> str:
    """The flags with which this block alone goes on in this directory."""
    others = ("--out_dir=", "--top=")
    lines = [line for line in settings.flag_file.splitlines() if not line.startswith(others)]
    return "\n".join([*lines, f"--out_dir={one.directory}"]) + "\n"


def _feed(
    settings: TrainSettings, program: Program, train: Part, one: Prepared
) -> tuple[Feed, bool]:
    """What feeds the program, and whether that keeps all images on the devices."""
    size = int(np.prod(train.split.shape)) * len(train)
    memory = device_bytes(program.devices)
    batch_size, seed = settings.recipe.batch_size, settings.seed
    if keeps_on_device(settings.machine.data_on_device, size, memory):
        return DeviceFeed(program, train, batch_size, seed), True
    return StreamFeed(program, train, batch_size, seed, settings.machine.readers), False


def _result(one: Prepared, start: Metadata, history: list[dict[str, Any]]) -> dict[str, Any]:
    last = history[-1]
    return {
        "title": one.reference.title,
        "code": start.code,
        "hash": start.hash,
        "parameters": one.cost.parameters,
        **({"auxiliary_parameters": parameters(one.head)} if one.head else {}),
        "flops": one.cost.flops,
        "depth": one.cost.depth,
        "seed": start.seed,
        "judged_on": one.judge,
        "has_test_split": bool(one.info.test_split),
        "epochs": last["epoch"],
        "loss": last["loss"],
        "accuracy": last["accuracy"],
        "seconds": sum(epoch["seconds"] for epoch in history),
    }


def _place(start: Metadata) -> str:
    epoch, step = divmod(start.step, start.steps_per_epoch)
    within = f" and {counted(step, 'step')}" if step else ""
    return f"epoch {epoch}{within}"


def _warn(text: str) -> None:
    print(f"blockqnn: warning: {text} It is passed over.", file=sys.stderr)

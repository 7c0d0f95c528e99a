"""The verb `train`: blocks trained to the end, one after another, and tested once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

from blockqnn.errors import INTERRUPTED, UserError
from blockqnn.full_training.directory import read_result, refuse_unwritable
from blockqnn.full_training.heading import (
    block_line,
    device_words,
    parts_line,
    training_heading,
)
from blockqnn.full_training.parts import Parts, open_parts, training_examples
from blockqnn.full_training.preparing import Prepared, keeps_on_device, prepare
from blockqnn.full_training.settings import (
    HELD_OUT,
    RMSPROP,
    TEST,
    VALIDATION,
    FullRecipe,
    TrainSettings,
)
from blockqnn.listing import counted, in_units, number, table
from blockqnn.networks import lowerings
from blockqnn.workers.allocation import keep_memory
from blockqnn.workers.placement import available_cores

if TYPE_CHECKING:
    import jax

    from blockqnn.full_training.trainer import StopRequest

_JUDGES = (TEST, HELD_OUT, VALIDATION)
"""Parts that a block may have been measured on, what judges first."""

_MANY = 5_000
"""Images whose reading may take more than a moment."""

_FLOAT = 4
FAILED = 1
"""Exit status of a training whose loss became infinite."""


def train(settings: TrainSettings, stream: TextIO) -> int:
    """Trains blocks to the end, or goes on with it, and prints how they do in the test.

    Args:
        settings: which blocks, and how.
        stream: for progress and results.

    Returns:
        The exit status: 0, 1 if a loss became infinite, 130 if it stopped early.

    Raises:
        UserError: if something cannot be used; nothing has been written then.
        CodeError: if a code breaks a rule.
        LayoutError: if a network does not fit the images.
        LoweringError: if this machine's own table of lowerings is damaged.
    """
    prepared = prepare(settings)
    for one in prepared:
        refuse_unwritable(one.directory, _bytes_on_disk(one, settings))
    unfinished = [one for one in prepared if read_result(one.directory) is None]
    print(training_heading(settings, prepared), file=stream, flush=True)
    if unfinished:
        keep_memory()  # Before JAX is imported.
    # JAX is slow to import, and a wrong word on the command line is found without it.
    from blockqnn.full_training.one_training import check_checkpoint
    from blockqnn.full_training.trainer import StopRequest

    devices = _devices(settings, unfinished)
    if devices[0].platform == "cpu":
        lowerings.in_use()  # One that is damaged is said before anything is written.
    for one in prepared:
        check_checkpoint(one, settings)
    parts: dict[str, Parts] = {}
    if unfinished:
        if devices[0].platform != "cpu" or len(devices) > 1:
            print(f"Computes on {device_words(devices)}.", file=stream, flush=True)
        if unfinished[0].info.examples > _MANY:
            print("Reading the images ...", file=stream, flush=True)
        # Read before anything is written: a data set that is damaged leaves no trace.
        for one in unfinished:
            if one.judge not in parts:
                parts[one.judge] = open_parts(settings.data, one.info, one.judge)
        print(parts_line(settings, unfinished[0], parts[unfinished[0].judge]), file=stream)
        from blockqnn.children.compilation import begin_cache

        begin_cache(settings.machine.compilation_cache)
    stop: StopRequest = StopRequest(settings.saving.max_seconds)
    with stop.listening():
        return _train_each(settings, prepared, parts, devices, stop, stream)


def _train_each(
    settings: TrainSettings,
    prepared: list[Prepared],
    parts: Mapping[str, Parts],
    devices: list[jax.Device],
    stop: StopRequest,
    stream: TextIO,
) -> int:
    """Trains the blocks one after another; returns the exit status."""
    from blockqnn.full_training.one_training import TrainingEnd, train_one

    status = 0
    results: list[dict[str, Any]] = []
    for place, one in enumerate(prepared, start=1):
        if len(prepared) > 1:
            print(block_line(one, place, len(prepared)), file=stream, flush=True)
        if read_result(one.directory) is None:
            end = train_one(one, settings, parts[one.judge], devices, stop, stream)
            if end is TrainingEnd.STOPPED:
                return INTERRUPTED
            if end is TrainingEnd.DIVERGED:
                status = FAILED
                continue
        result = read_result(one.directory)
        assert result is not None
        results.append(result | {"directory": str(one.directory)})
        print(in_words(results[-1]), file=stream)
    if len(prepared) > 1 and results:
        print(f"\n{summary(results)}", file=stream)
    return status


def in_words(result: dict[str, Any]) -> str:
    """What a training found.

    Args:
        result: the object in its `result.json`, with its `directory`.

    Returns:
        Lines for the terminal.
    """
    lines = [
        f"Trained for {counted(result['epochs'], 'epoch')} in {result['seconds']:.0f} seconds: "
        f"{result['parameters']:,} parameters, training loss {result['loss']:.4f}."
    ]
    judge = result.get("judged_on", TEST)
    for part, of in ((VALIDATION, "Validation"), (TEST, "Test"), (HELD_OUT, "Held-out")):
        if figures := result.get(part):
            lines.append(f"{of} error on {figures['examples']:,} images: {_error(figures)}.")
    if judge not in result:
        lines.append(
            "The test split was not looked at."
            if result.get("has_test_split", True)
            else "Nothing was held out, so its error on new images is not known."
        )
    lines.append(f"Its weights: {result['directory']}")
    return "\n".join(lines)


def summary(results: list[dict[str, Any]]) -> str:
    """The trainings of several blocks, in a table.

    Args:
        results: the objects in their `result.json`, with their `directory`.

    Returns:
        Lines for the terminal.
    """
    rows = []
    for result in results:
        figures: dict[str, Any] = next((result[of] for of in _JUDGES if of in result), {})
        rows.append(
            [
                number(figures.get("error")),
                number(figures.get("top5_error")),
                in_units(result["parameters"]),
                in_units(result["flops"]),
                f"{result['seconds']:.0f}",
                result["title"],
                result["directory"],
            ]
        )
    measured = next((of for of in _JUDGES if of in results[0]), VALIDATION)
    header = [
        f"{measured.replace('_', '-')} error %",
        "top-5 %",
        "parameters",
        "FLOPs",
        "seconds",
        "block",
    ]
    return table([*header, "directory"], rows)


def _error(figures: dict[str, Any]) -> str:
    top5 = figures["top5_error"]
    return f"{figures['error']:.2f} %" + (f", top-5 {top5:.2f} %" if top5 is not None else "")


def _devices(settings: TrainSettings, unfinished: list[Prepared]) -> list[jax.Device]:
    """The devices that will train, which have room for every block."""
    from blockqnn.children.devices import divide_processor, local_devices

    wanted, recipe, cores = settings.machine.devices, settings.recipe, len(available_cores())
    parts = processor_parts(recipe, cores)
    divide_processor(min(wanted, cores) or parts)
    found = local_devices()
    if wanted > len(found):
        raise UserError(f"--devices is {wanted}, but there are {len(found)} here.")
    if not wanted and found[0].platform == "cpu":
        wanted = processor_parts(recipe, min(cores, len(found)))
    devices = found[: wanted or len(found)]
    if settings.recipe.batch_size % len(devices):
        raise UserError(
            f"--batch_size {settings.recipe.batch_size} cannot be shared by {len(devices)} "
            "devices; allowed: a multiple of their number, or another --devices."
        )
    try:
        _check_memory(settings, unfinished, devices)
    except UserError:
        if settings.machine.devices or devices[0].platform != "cpu" or len(devices) == 1:
            raise
        # Nobody has asked for parts, each of which has the weights and perhaps the images.
        devices = devices[:1]
        _check_memory(settings, unfinished, devices)
    return devices


def _check_memory(
    settings: TrainSettings, unfinished: list[Prepared], devices: list[jax.Device]
) -> None:
    from blockqnn.full_training.memory import check_memory, device_bytes, training_bytes

    for one in unfinished:
        images = stored_bytes(one, settings)
        kept = keeps_on_device(settings.machine.data_on_device, images, device_bytes(devices))
        needed = training_bytes(
            one.trained_cost, settings.recipe, len(devices), images if kept else 0
        )
        try:
            check_memory(needed, settings.machine.memory_gigabytes, devices)
        except UserError as error:
            raise UserError(f"{one.reference.title}: {error}") from error


def processor_parts(recipe: FullRecipe, cores: int) -> int:
    """Into how many devices a processor is divided where nobody has said so.

    Args:
        recipe: how the network is trained.
        cores: that this process may use.

    Returns:
        The most that cores are there for, that share a batch evenly, and that have enough images
        each; one where the outcome would depend on it.
    """
    from blockqnn.children.devices import parts_of_batch

    return parts_of_batch(recipe.batch_size, cores) if recipe.sync_batch_norm else 1


def stored_bytes(one: Prepared, settings: TrainSettings) -> int:
    """Bytes of all training images as they are stored."""
    height, width, channels = one.info.stored
    examples = training_examples(settings.data, one.info, one.judge)
    return examples * height * width * channels


def _bytes_on_disk(one: Prepared, settings: TrainSettings) -> int:
    """Of all checkpoints that are kept, and of the next one before the oldest is deleted."""
    recipe = settings.recipe
    copies = 2 + bool(recipe.ema_decay) + (recipe.optimiser == RMSPROP)
    return (settings.saving.keep + 1) * copies * _FLOAT * one.trained_cost.parameters

"""The verb `train`: blocks trained to the end, one after another, and tested once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

from blockqnn.errors import INTERRUPTED, UserError
from blockqnn.full_training.directory import read_result, refuse_unwritable
from blockqnn.full_training.preparing import Prepared, keeps_on_device, prepare, training_examples
from blockqnn.full_training.settings import TrainSettings
from blockqnn.listing import counted, in_units, number, table
from blockqnn.workers.allocation import keep_memory

if TYPE_CHECKING:
    import jax

    from blockqnn.full_training.trainer import StopRequest

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
    """
    prepared = prepare(settings)
    results: list[dict[str, Any]] = []
    for one in prepared:
        refuse_unwritable(one.directory)
    unfinished = [one for one in prepared if read_result(one.directory) is None]
    if unfinished:
        keep_memory()  # Before JAX is imported.
    # JAX is slow to import, and a wrong word on the command line is found without it.
    from blockqnn.full_training.one_training import TrainingEnd, check_checkpoint, train_one
    from blockqnn.full_training.trainer import StopRequest

    devices = _devices(settings, unfinished)
    for one in prepared:
        check_checkpoint(one, settings)
    stop: StopRequest = StopRequest(settings.saving.max_seconds)
    status = 0
    with stop.listening():
        for place, one in enumerate(prepared, start=1):
            heading = _heading(one, place, len(prepared))
            end = train_one(one, settings, devices, stop, stream, heading)
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
    for part in ("validation", "test"):
        if figures := result.get(part):
            lines.append(
                f"{part.capitalize()} error on {figures['examples']:,} images: {_error(figures)}."
            )
    if result.get("test") is None:
        lines.append("The test split was not looked at.")
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
        figures = result.get("test") or result.get("validation") or {}
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
    measured = "test" if results[0].get("test") else "validation"
    header = [f"{measured} error %", "top-5 %", "parameters", "FLOPs", "seconds", "block"]
    return table([*header, "directory"], rows)


def _error(figures: dict[str, Any]) -> str:
    top5 = figures["top5_error"]
    return f"{figures['error']:.2f} %" + (f", top-5 {top5:.2f} %" if top5 is not None else "")


def _heading(one: Prepared, place: int, total: int) -> str:
    stages = ",".join(map(str, one.layout.filters))
    which = f"Block {place} of {total}: " if total > 1 else ""
    return (
        f"{which}{one.reference.title}, {one.cost.parameters:,} parameters, "
        f"{in_units(one.cost.flops)} FLOPs: {one.layout.kind} layout, filters {stages}, "
        f"{counted(one.layout.repeats, 'block')} a stage. "
        f"In {one.directory}"
    )


def _devices(settings: TrainSettings, unfinished: list[Prepared]) -> list[jax.Device]:
    """The devices that will train, which have room for every block."""
    from blockqnn.children.compilation import begin_cache
    from blockqnn.children.devices import local_devices
    from blockqnn.full_training.memory import check_memory, device_bytes, training_bytes

    found = local_devices()
    wanted = settings.machine.devices
    if wanted > len(found):
        raise UserError(f"--devices is {wanted}, but there are {len(found)} here.")
    devices = found[: wanted or (1 if found[0].platform == "cpu" else len(found))]
    if settings.recipe.batch_size % len(devices):
        raise UserError(
            f"--batch_size {settings.recipe.batch_size} cannot be shared by {len(devices)} "
            "devices; allowed: a multiple of their number, or another --devices."
        )
    for one in unfinished:
        images = stored_bytes(one, settings)
        kept = keeps_on_device(settings.machine.data_on_device, images, device_bytes(devices[0]))
        needed = training_bytes(one.cost, settings.recipe, len(devices), images if kept else 0)
        try:
            check_memory(needed, settings.machine.memory_gigabytes, devices[0])
        except UserError as error:
            raise UserError(f"{one.reference.title}: {error}") from error
    begin_cache(settings.machine.compilation_cache)
    return devices


def stored_bytes(one: Prepared, settings: TrainSettings) -> int:
    """Bytes of all training images as they are stored."""
    height, width, channels = one.info.stored
    return training_examples(settings, one.info) * height * width * channels

"""Searches on data of the user's own: their directory, and what is chosen for them."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from blockqnn.data import datasets
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import OF_IMAGES
from blockqnn.flags import data
from blockqnn.flags.choosing import Choice, DataFacts, MachineFacts, choose
from blockqnn.flags.flag_text import as_text
from blockqnn.flags.parsing import FlagSet
from blockqnn.listing import counted
from blockqnn.runs.rounds import OFF
from blockqnn.runs.store import FILE_NAME, Store
from blockqnn.settings import DataSettings
from blockqnn.workers.machine import placing_environment
from blockqnn.workers.placement import available_cores, has_tpu, visible_gpus

PRESET = "own"
PRESET_NOTE = "The data are not those of the default preset, so the preset is {0} (--preset={0})."
_ANY_SIDE = 8
_RUNS = pathlib.Path("runs")
_SIZE = re.compile(r":\d+x\d+$")
_SHOWN = (
    ("resize", "layout", "filters", "repeats", "max_layers"),
    ("epochs", "batch_size", "schedule", "learning_rate", "decay_epochs"),
    ("train_examples", "validation_examples"),
    ("max_flops", "max_activation_bytes"),
    ("agent", "blocks_per_iteration", "max_blocks", "max_hours", "finals"),
)
"""What is printed of a choice, line by line."""


def run_directory_of(preset: str, dataset: str, usual: str, presets: Sequence[str]) -> pathlib.Path:
    """The directory of a run that the user has not named one for.

    Args:
        preset: its name.
        dataset: that is searched on.
        usual: the data set of the preset.
        presets: names of all presets, whose directories are for their own data.

    Returns:
        `runs/PRESET`, or one that is named after the data where they are other data than the
        preset's.
    """
    if preset != PRESET and dataset == usual:
        return _RUNS / preset
    name = data_name(dataset)
    if preset != PRESET:
        return _RUNS / f"{preset}-{name}"
    return _RUNS / (f"{PRESET}-{name}" if name in presets else name)


def data_name(dataset: str) -> str:
    """A name for data that a directory can have.

    Args:
        dataset: as `--dataset` takes it.

    Returns:
        The last part of a path, or the name of the data set, of letters, digits, `.`, `_` and
        `-`.
    """
    kind, separator, rest = dataset.partition(":")
    if separator and kind == "folder":
        path = _SIZE.sub("", rest)
        name = pathlib.Path(path).expanduser().resolve().name
    elif separator and kind == "npz":
        name = pathlib.Path(rest).expanduser().resolve().stem
    else:
        name = dataset
    # A hash sign would begin the name of a trial, as in RUN#17.
    safe = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFC", name)).strip(".-")
    return safe[:80] or "images"


def recorded_flags(run_dir: pathlib.Path) -> dict[str, str]:
    """The flags of a run, by name.

    Args:
        run_dir: where it may be.

    Returns:
        The flags; none where there is no run, or none that can be read.
    """
    if not (run_dir / FILE_NAME).is_file():
        return {}
    try:
        store = Store.open_read_only(run_dir / FILE_NAME)
        try:
            return dict(store.facts().get("flags", {}))
        finally:
            store.close()
    except (UserError, TypeError, ValueError):
        # Whoever opens the run to go on says what is wrong with it.
        return {}


def choose_flags(flags: FlagSet, named: Iterable[str]) -> str:
    """Sets the flags that the user has not named.

    Args:
        flags: of `search`, with the values of the preset.
        named: those that the user has named.

    Returns:
        What was chosen and for what, some lines.

    Raises:
        UserError: if the data cannot be used.
        LayoutError: if a layout that was named does not fit the images.
    """
    values = flags.chosen()
    facts = data_facts(data.data_settings(values), values["evaluator"] in OF_IMAGES)
    machine = machine_facts(values["workers"], values["cores_per_worker"])
    choice = choose(facts, machine, {name: values[name] for name in named})
    values = dict(choice.values)
    if choice.image_size != (facts.height, facts.width) or not facts.one_size:
        values["resize"] = _resize_text(choice.image_size)
    for name, value in values.items():
        flags.values[name].value = value
        # As if the user had: what is not named is taken from the search space.
        flags.values[name].present = 1
    return in_words(facts, machine, dataclasses.replace(choice, values=values))


def in_words(facts: DataFacts, machine: MachineFacts, choice: Choice) -> str:
    """What was chosen and for what.

    Args:
        facts: of the data.
        machine: that searches.
        choice: what was chosen.

    Returns:
        Some lines.
    """
    sizes = "" if facts.one_size else "about "
    shape = f"{sizes}{facts.height}x{facts.width}x{facts.channels}"
    lines = [
        f"Chosen for {counted(facts.images, 'image')} of {shape} in {facts.classes:,} classes on "
        f"{machine.in_words()} (each is a flag; one that you name wins):"
    ]
    for names in _SHOWN:
        chosen = [name for name in names if name in choice.values]
        if chosen:
            lines.append("  " + " ".join(f"--{n}={_text(choice.values[n])}" for n in chosen))
    if choice.seconds is not None:
        minutes = max(1, round(choice.seconds / 60))
        finals = ", finals included" if choice.values.get("finals", OFF) != OFF else ""
        lines.append(f"Expected to take about {counted(minutes, 'minute')}{finals}.")
    return "\n".join(lines)


def _resize_text(size: tuple[int, int]) -> str:
    height, width = size
    return str(height) if height == width else f"{height}x{width}"


def _text(value: Any) -> str:
    return f"{value:_}" if isinstance(value, int) and value >= 10**6 else as_text(value)


def data_facts(settings: DataSettings, images_needed: bool) -> DataFacts:
    """What is known of the images before they are read.

    Args:
        settings: which data set.
        images_needed: whether they will be read.

    Returns:
        The facts.

    Raises:
        UserError: if there is no such data set.
    """
    # A size for all, so that images of several sizes are no reason to refuse.
    resized = settings.resize or (_ANY_SIDE, _ANY_SIDE)
    found = datasets.contents(dataclasses.replace(settings, resize=resized), images_needed)
    size, one_size = settings.resize, True
    if size is None:
        sizes = datasets.image_sizes(settings, images_needed)
        size, one_size = sizes.one or sizes.median, sizes.one is not None
    return DataFacts(
        height=size[0],
        width=size[1],
        channels=found.info.shape[2],
        classes=found.info.classes,
        images=found.train,
        one_size=one_size,
        # A size that is part of a name was asked for too.
        scalable=settings.resize is None and not _SIZE.search(settings.dataset),
    )


def machine_facts(workers: int, cores_per_worker: int) -> MachineFacts:
    """What is known of this machine, as its workers will have it.

    Args:
        workers: that were asked for; 0 for as many as there is room for.
        cores_per_worker: likewise.

    Returns:
        The facts.
    """
    environment = placing_environment()
    gpus = visible_gpus(environment)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if gpus:
        return MachineFacts(workers or len(gpus), memory, "GPU")
    if has_tpu(environment):
        return MachineFacts(workers or 1, memory, "TPU")
    cores = len(available_cores())
    return MachineFacts(workers or max(1, cores // max(1, cores_per_worker)), memory)

"""The flags of `train` where the block is a recurrent cell: a language model is trained."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from blockqnn.data.datasets import describe
from blockqnn.errors import UserError
from blockqnn.flags import child_network, child_training, language, parsing, preset_files
from blockqnn.flags import data as data_flags
from blockqnn.full_training import directory
from blockqnn.full_training.preparing import place_of
from blockqnn.full_training.words_settings import WordsTrainSettings
from blockqnn.inspection.block_reference import BlockReference, is_run, resolve
from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.spaces.contract import MAX_LAYERS, CodeError
from blockqnn.networks.spaces.registry import design_of, space_of
from blockqnn.runs.run_record import read_run

PRESETS = preset_files.PRESETS / "words"
_DEFAULT = "train_text"
_KEPT = preset_files.Kept(directory.FLAG_FILE, directory.METRICS, "out_dir")
_OF_RUN = (
    *("dataset", "text_by", "vocabulary", "unknown_word"),
    *("filters", "repeats", "node_rules", "untied"),
)
"""Flags of a search that its cell is trained with unless others are named."""


def reads_words(words: Sequence[str]) -> bool:
    """Whether the block that `train` is given is a recurrent cell.

    Args:
        words: of the command line.

    Returns:
        Whether it is; not where it cannot be read, which others will say.
    """
    block = next((word for word in words if not word.startswith("-")), None)
    if block is None:
        return False
    try:
        if is_run(block):
            return read_run(pathlib.Path(block)).layout.of_words
        return LANGUAGE in space_of(resolve(block, MAX_LAYERS).code).layouts
    except (UserError, CodeError):
        return False


def define() -> parsing.FlagSet:
    """The flags of `train` for recurrent cells, at their defaults."""
    flags = parsing.FlagSet(
        "train",
        "CELL",
        "Trains a language model of a recurrent cell to the end and measures it on the test text; "
        "the same command continues. CELL is what show takes; of a RUN_DIR the best is trained.",
    )
    names = ", ".join(preset_files.preset_names(PRESETS))
    flags.group("Training")
    flags.text("preset", _DEFAULT, f"flags to begin with, which all others override: {names}")
    flags.path("flagfile", "", "file of flags, one a line, that override the preset's")
    flags.path("out_dir", "", "directory of the training; empty for runs/train-PRESET-CELL")
    flags.integer("seed", 0, "seed of the weights, of dropout and of where epochs begin")
    flags.switch("test", True, "measure the test text once, at the end")
    flags.number(
        "max_seconds",
        0.0,
        "stop after so many seconds, with exit status 130; 0 for no limit",
        least=0,
    )
    flags.path(
        "compilation_cache",
        "",
        "directory that keeps compiled programs, or off; empty for one in the user's cache",
    )
    flags.group("Network")
    child_network.define_layout(flags, Layout(LANGUAGE, (200,), 1, 1, 1, 1, 1))
    flags.integer("max_layers", MAX_LAYERS, "most nodes of a cell", 1)
    language.define_model(flags)
    flags.group("Data")
    data_flags.define_source(flags, "text")
    data_flags.define_parts(flags)
    data_flags.define_text(flags)
    child_training.define(flags)
    return flags


def parse(arguments: Sequence[str]) -> WordsTrainSettings:
    """Turns the command line into settings.

    Args:
        arguments: what follows `train`.

    Returns:
        What to train, and how.

    Raises:
        UserError: if the command line or the text cannot be used.
    """
    words = define().parse(define().expanded(arguments))
    if len(words) != 1:
        raise UserError(f"train takes one CELL or RUN_DIR, given {' '.join(words) or 'nothing'!r}.")
    found, of_run, origin = _block(words[0])
    given = preset_files.read(define, PRESETS, arguments, _KEPT, of_run)
    given.flags.refuse_without_effect("training", given.usual)
    values = given.flags.chosen()
    data = data_flags.data_settings(values)
    info = describe(data)
    if not info.of_words:
        raise UserError(
            f"--dataset={data.dataset} has images, and a recurrent cell reads words; allowed: text "
            "or text:PATH."
        )
    layout = child_network.layout(values | {"layout": LANGUAGE}, info.shape, info.classes)
    space_of(found.code).plan(design_of(found.code), layout)
    name = given.preset.removeprefix("train_")
    out_dir = pathlib.Path(values["out_dir"]) if values["out_dir"] else None
    return WordsTrainSettings(
        title=found.title,
        code=found.code,
        layout=layout,
        data=data,
        recipe=child_training.recipe(values | {"layout": LANGUAGE}),
        seed=values["seed"],
        out_dir=place_of(out_dir, name, design_of(found.code).hash, False),
        test=values["test"],
        max_seconds=values["max_seconds"],
        compilation_cache=values["compilation_cache"],
        flag_file=given.flags.flag_file(),
        origin="" if "dataset" in given.named else origin,
    )


def _block(reference: str) -> tuple[BlockReference, list[str], str]:
    """The cell, the flags of its run, and who has said which data."""
    if is_run(reference):
        reference = f"{reference}#best"
    found = resolve(reference, MAX_LAYERS)
    if found.run is None:
        return found, [], ""
    said: dict[str, Any] = found.run.flags
    flags = [f"--{name}={said[name]}" for name in _OF_RUN if name in said]
    if found.trial is not None and found.trial.filters:
        flags = [flag for flag in flags if not flag.startswith("--filters=")]
        flags.append(f"--filters={found.trial.filters_text}")
    return dataclasses.replace(found), flags, f"those of {found.run.path}"

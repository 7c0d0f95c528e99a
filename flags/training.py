"""The flags of `train`, whose defaults are the paper's for CIFAR."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from blockqnn.flags import (
    child_network,
    flag_text,
    full_recipe,
    parsing,
    preset_files,
    training_start,
    training_words,
)
from blockqnn.flags import data as data_flags
from blockqnn.flags.verb import Verb
from blockqnn.full_training import directory
from blockqnn.full_training.settings import (
    AUTO,
    NO,
    YES,
    FullData,
    LayoutChoice,
    Machine,
    Saving,
    TrainSettings,
)
from blockqnn.full_training.words_settings import WordsTrainSettings
from blockqnn.networks.layout import OF_CELLS
from blockqnn.networks.spaces.contract import MAX_LAYERS
from blockqnn.networks.spaces.registry import layouts

_KEPT = preset_files.Kept(directory.FLAG_FILE, directory.METRICS, "out_dir")

_OPERATIONAL = (
    "preset",
    "flagfile",
    "out_dir",
    "top",
    "data_dir",
    "devices",
    "data_on_device",
    "readers",
    "memory_gigabytes",
    "compilation_cache",
    "checkpoint_epochs",
    "keep_checkpoints",
    "max_seconds",
)
"""Flags that do not change what is trained; the others must stay in a training."""


def define() -> parsing.FlagSet:
    """The flags of `train`, at their defaults."""
    flags = parsing.FlagSet(
        "train",
        "BLOCK",
        "Trains a block to the end and measures it on the test split; the same command continues. "
        "BLOCK is what show takes; of a RUN_DIR alone the best is trained, or its --top best. A "
        "recurrent cell has flags of its own: train lstm --help.",
    )
    _define_training(flags)
    _define_network_and_data(flags)
    full_recipe.define(flags)
    return flags


def _define_training(flags: parsing.FlagSet) -> None:
    machine, saving = Machine(), Saving()
    names = ", ".join(preset_files.preset_names(preset_files.TRAINING_PRESETS))
    flags.group("Training")
    flags.text(
        "preset",
        preset_files.DEFAULT_TRAINING_PRESET,
        "flags to begin with, which all others override; unless one is named, that for the data, "
        f"or train_own, which suits itself to them: {names}",
    )
    flags.path("flagfile", "", "file of flags, one a line, that override the preset's")
    flags.path(
        "out_dir",
        "",
        "directory of the training, or with --top of one for each block; empty for "
        "runs/train-PRESET-BLOCK",
    )
    flags.integer(
        "top",
        0,
        "train so many best blocks of a RUN_DIR, one after another: those of its finals, then the "
        "others by reward",
    )
    flags.integer(
        "seed", 0, "seed of the weights, of the order of images and of every random choice"
    )
    flags.integer("checkpoint_epochs", saving.every_epochs, "epochs between two checkpoints", 1)
    flags.integer("keep_checkpoints", saving.keep, "newest checkpoints that are kept", 2)
    flags.number(
        "max_seconds",
        saving.max_seconds,
        "stop with a checkpoint after so many seconds, with exit status 130; 0 for no limit",
        least=0,
    )
    flags.group("Machine")
    flags.integer(
        "devices",
        machine.devices,
        "devices that share each batch; 0 for all GPUs or TPU cores, or for parts of the CPU, one "
        "a core, as long as they share a batch evenly and have 32 images or more each",
    )
    flags.choice(
        "data_on_device",
        machine.data_on_device,
        (AUTO, YES, NO),
        "keep all training images on the devices if they take at most a quarter of one, always, "
        "or stream them",
    )
    flags.integer("readers", machine.readers, "threads that read and decode images", 1)
    flags.number(
        "memory_gigabytes",
        machine.memory_gigabytes,
        "gigabytes that a device may need, as estimated before training; 0 for what it has",
        least=0,
    )
    flags.path(
        "compilation_cache",
        machine.compilation_cache,
        "directory that keeps compiled programs, or off; empty for one in the user's cache; "
        "JAX_COMPILATION_CACHE_DIR wins",
    )


def _define_network_and_data(flags: parsing.FlagSet) -> None:
    choice, data = LayoutChoice(), FullData()
    flags.group("Network")
    flags.choice(
        "layout",
        choice.kind,
        (AUTO, *layouts()),
        "what stands around the blocks; auto for the layout of the block's run, or cifar",
    )
    flags.special(
        "filters",
        choice.filters,
        "channels of the convolutions of each stage; empty for those of the run, or 32,64,128",
        lambda text: flag_text.parse_filters(text) if text else (),
        flag_text.FILTERS_ALLOWED,
    )
    flags.integer("repeats", choice.repeats, "blocks in a stage (N); 0 for those of the run, or 2")
    flags.integer("max_layers", MAX_LAYERS, "most layers of a block, Terminal not counted", 1)
    child_network.define_cells(flags, (AUTO, *OF_CELLS), "as in the run, or ")
    flags.group("Data")
    data_flags.define_source(
        flags, data.source.dataset, "unless named, what the block's run searched on"
    )
    flags.switch(
        "hold_out",
        data.hold_out,
        "hold one in six training images out and measure them after each epoch; where the data "
        "have no test split, one in six is held out for the end in any case",
    )
    flags.integer(
        "train_examples", 0, "most images to train on, where some are held out; 0 for all"
    )
    flags.integer("split_seed", 0, "seed of the choice of the images that are held out")
    flags.switch(
        "test",
        data.test,
        "measure the test split once, at the end, or what is held out where there is none; "
        "--notest trains on all images then",
    )
    flags.text(
        "test_split",
        data.test_split,
        "name of the test split in a TFDS data set; empty for test, or validation where "
        "there is no test",
    )
    flags.integer(
        "image_size",
        data.image_size,
        "side of the window that the network sees, cut at random in training; 0 for all",
    )


def parse(arguments: Sequence[str]) -> TrainSettings | WordsTrainSettings:
    """Turns the command line of `train` into settings.

    Args:
        arguments: what follows `train`.

    Returns:
        What to train, and how.

    Raises:
        UserError: if the command line cannot be used.
    """
    if training_words.reads_words(arguments):
        return training_words.parse(arguments)
    begin = training_start.start(define, arguments)

    def read(more: Sequence[str]) -> preset_files.Given:
        words = [*arguments, *begin.after]
        before = [*begin.before, *more]
        return preset_files.read(define, preset_files.TRAINING_PRESETS, words, _KEPT, before)

    given = read(())
    if begin.preset == training_start.OWN and not begin.goes_on:
        given = read(training_start.suited(begin, _data(given.flags.chosen())))
    given.flags.refuse_without_effect("training", given.usual)
    values = given.flags.chosen()
    return TrainSettings(
        reference=given.words[0],
        top=values["top"],
        max_layers=values["max_layers"],
        layout=_layout(values),
        data=_data(values),
        recipe=full_recipe.recipe(values),
        seed=values["seed"],
        machine=Machine(
            devices=values["devices"],
            data_on_device=values["data_on_device"],
            readers=values["readers"],
            memory_gigabytes=values["memory_gigabytes"],
            compilation_cache=values["compilation_cache"],
        ),
        saving=Saving(
            every_epochs=values["checkpoint_epochs"],
            keep=values["keep_checkpoints"],
            max_seconds=values["max_seconds"],
        ),
        out_dir=pathlib.Path(values["out_dir"]) if values["out_dir"] else None,
        name=begin.name,
        flag_values={
            name: flag_text.as_text(value)
            for name, value in values.items()
            if name not in _OPERATIONAL
        },
        flag_file=given.flags.flag_file(),
        named=frozenset(name for name, value in values.items() if value != given.usual[name]),
        data_origin=begin.origin,
        searched=begin.searched,
        preset=given.preset,
    )


def _layout(values: dict[str, Any]) -> LayoutChoice:
    rules = values["cell_rules"]
    return LayoutChoice(
        kind=values["layout"],
        filters=values["filters"],
        repeats=values["repeats"],
        cells=values["cells"],
        rules="" if rules == child_network.OWN_RULES else rules,
    )


def _data(values: dict[str, Any]) -> FullData:
    return FullData(
        source=data_flags.data_settings(values),
        hold_out=values["hold_out"],
        test=values["test"],
        test_split=values["test_split"],
        image_size=values["image_size"],
    )


def _run(settings: TrainSettings | WordsTrainSettings) -> int:
    if isinstance(settings, WordsTrainSettings):
        from blockqnn.full_training.words_command import train_words

        return train_words(settings, sys.stdout)
    from blockqnn.full_training.command import train

    return train(settings, sys.stdout)


class _TrainVerb(Verb[TrainSettings | WordsTrainSettings]):
    """The verb whose flags are those of recurrent cells where the block is one."""

    def help(self, arguments: Sequence[str]) -> str:
        """See `Verb.help`."""
        if training_words.reads_words(arguments):
            return preset_files.help_of(training_words.define, training_words.PRESETS, arguments)
        return super().help(arguments)


TRAIN = _TrainVerb("train", define, parse, _run, preset_files.TRAINING_PRESETS)

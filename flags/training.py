"""The flags of `train`, whose defaults are the paper's for CIFAR."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

from blockqnn.errors import UserError
from blockqnn.full_training.settings import (
    AUTO,
    NO,
    SCHEDULES,
    YES,
    FullData,
    FullRecipe,
    LayoutChoice,
    Machine,
    Saving,
    TrainSettings,
)
from blockqnn.settings import DataSettings
from flags import parsing
from networks.codes import MAX_LAYERS
from networks.layout import KINDS

DEFAULT_PRESET = "train_digits"

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
        "BLOCK is as for show; of a RUN_DIR alone the best is trained, or its --top best.",
    )
    _define_training(flags)
    _define_network_and_data(flags)
    _define_recipe(flags)
    return flags


def _define_training(flags: parsing.FlagSet) -> None:
    machine, saving = Machine(), Saving()
    names = ", ".join(parsing.preset_names(parsing.TRAINING_PRESETS))
    flags.group("Training")
    flags.text("preset", DEFAULT_PRESET, f"flags to begin with, which all others override: {names}")
    flags.text("flagfile", "", "file of flags, one a line, that override the preset's")
    flags.text(
        "out_dir",
        "",
        "directory of the training, or with --top of one for each block; empty for "
        "runs/train-PRESET-BLOCK",
    )
    flags.integer("top", 0, "train so many best blocks of a RUN_DIR, one after another")
    flags.integer("seed", 0, "of the weights, the order of images and every random choice")
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
        "devices that share each batch; 0 for all GPUs or TPU cores, or one CPU",
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
        "what a device may need, as estimated before training; 0 for what it has",
        least=0,
    )
    flags.text(
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
        (AUTO, *KINDS),
        "what stands around the blocks; auto for the layout of the block's run, or cifar",
    )
    flags.special(
        "filters",
        choice.filters,
        "channels of the convolutions of each stage; empty for those of the run, or 32,64,128",
        lambda text: parsing.parse_filters(text) if text else (),
        parsing.FILTERS_ALLOWED,
    )
    flags.integer("repeats", choice.repeats, "blocks in a stage (N); 0 for those of the run, or 2")
    flags.integer("max_layers", MAX_LAYERS, "most layers of a block, Terminal not counted", 1)
    flags.group("Data")
    flags.text(
        "dataset",
        data.source.dataset,
        "digits, synthetic:HxWxC:CLASSES[:EXAMPLES], npz:PATH, folder:PATH, or a TFDS data set",
    )
    flags.text("data_dir", "", "where TFDS keeps data sets; empty for its default")
    flags.switch(
        "hold_out",
        data.hold_out,
        "hold one in six training images out and measure them after each epoch",
    )
    flags.integer("train_examples", 0, "most images to train on, with --hold_out; 0 for all")
    flags.integer("split_seed", 0, "of the choice of the images that are held out")
    flags.switch("test", data.test, "measure the test split once, at the end")
    flags.text(
        "test_split",
        data.test_split,
        "its name in a TFDS data set; empty for test, or validation where there is no test",
    )
    flags.integer(
        "resize",
        data.resize,
        "scale the shorter side of a TFDS image to so many pixels and keep the central square; "
        "0 for images as they are, which must have one size",
    )
    flags.integer(
        "image_size",
        data.image_size,
        "side of the window that the network sees, cut at random in training; 0 for all",
    )


def _define_recipe(flags: parsing.FlagSet) -> None:
    recipe = FullRecipe()
    flags.group("Recipe")
    flags.integer("epochs", recipe.epochs, "passes over the training part", 1)
    flags.integer("batch_size", recipe.batch_size, "images in a step, on all devices together", 1)
    flags.number("learning_rate", recipe.learning_rate, "SGD's, at its highest", above=0)
    flags.choice(
        "schedule", recipe.schedule, SCHEDULES, "reduce it at milestones, or along half a cosine"
    )
    flags.special(
        "milestones",
        recipe.milestones,
        "epochs after which the learning rate is reduced, with --schedule=steps",
        parse_milestones,
        "epochs with commas between them, as in 150,225, or nothing",
    )
    flags.number(
        "learning_rate_decay",
        recipe.learning_rate_decay,
        "factor on it at each milestone",
        above=0,
        most=1,
    )
    flags.integer("warmup_epochs", recipe.warmup_epochs, "over which it grows linearly at first")
    flags.number(
        "momentum",
        recipe.momentum,
        "of SGD, share of the last direction that is kept",
        least=0,
        most=0.999999,
    )
    flags.switch("nesterov", recipe.nesterov, "use Nesterov's momentum")
    flags.number(
        "weight_decay",
        recipe.weight_decay,
        "times the weights, added to their gradients",
        least=0,
    )
    flags.switch("decay_norm", recipe.decay_norm, "let scales and biases decay, not kernels alone")
    flags.number(
        "label_smoothing",
        recipe.label_smoothing,
        "share of the label that is spread over all classes",
        least=0,
        most=0.999999,
    )
    flags.integer(
        "crop_padding",
        recipe.crop_padding,
        "zeros around an image before a random crop, in pixels on each side",
    )
    flags.switch("flip", recipe.flip, "mirror images at random")
    flags.integer("cutout", recipe.cutout, "side of a square blanked in each image; 0 for none")
    flags.number(
        "drop_path",
        recipe.drop_path,
        "probability, in the last step, that a path into an Add or Concat is dropped; grows "
        "linearly from 0",
        least=0,
        most=0.95,
    )
    flags.number(
        "ema_decay",
        recipe.ema_decay,
        "of the moving average of weights that is evaluated and kept; 0 for none",
        least=0,
        most=0.999999,
    )
    flags.switch("bfloat16", recipe.bfloat16, "compute in bfloat16; weights stay float32")
    flags.switch(
        "sync_batch_norm",
        recipe.sync_batch_norm,
        "normalise by statistics of the whole batch, or each device's of its own part, which makes "
        "the result depend on the number of devices",
    )


def parse(arguments: Sequence[str]) -> TrainSettings:
    """Turns the command line of `train` into settings.

    Args:
        arguments: what follows `train`.

    Returns:
        What to train, and how.

    Raises:
        UserError: if the command line cannot be used.
    """
    expanded = define().expanded(arguments)
    probe = define()
    words = probe.parse(expanded)
    if len(words) != 1:
        given = " ".join(words) or "nothing"
        raise UserError(
            f"train takes one BLOCK or RUN_DIR, given {given!r}. See: python -m blockqnn train "
            "--help"
        )
    preset: str = probe.chosen()["preset"]
    flags = define()
    path = parsing.preset_path(preset, parsing.TRAINING_PRESETS)
    flags.parse([f"--flagfile={path}", *expanded])
    values = flags.chosen()
    return TrainSettings(
        reference=words[0],
        top=values["top"],
        max_layers=values["max_layers"],
        layout=LayoutChoice(values["layout"], values["filters"], values["repeats"]),
        data=_data(values),
        recipe=_recipe(values),
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
        name=preset.removeprefix("train_"),
        flag_values={
            name: parsing.as_text(value)
            for name, value in values.items()
            if name not in _OPERATIONAL
        },
        flag_file=flags.flag_file(),
    )


def parse_milestones(text: str) -> tuple[int, ...]:
    """Reads `--milestones`: ascending epochs with commas between them, or nothing."""
    milestones = tuple(int(part) for part in text.split(",")) if text else ()
    if list(milestones) != sorted(set(milestones)) or any(m < 1 for m in milestones):
        raise ValueError
    return milestones


def _data(values: dict[str, Any]) -> FullData:
    return FullData(
        source=DataSettings(
            dataset=values["dataset"],
            data_dir=values["data_dir"],
            train_examples=values["train_examples"],
            split_seed=values["split_seed"],
        ),
        hold_out=values["hold_out"],
        test=values["test"],
        test_split=values["test_split"],
        resize=values["resize"],
        image_size=values["image_size"],
    )


def _recipe(values: dict[str, Any]) -> FullRecipe:
    return FullRecipe(
        epochs=values["epochs"],
        batch_size=values["batch_size"],
        learning_rate=values["learning_rate"],
        schedule=values["schedule"],
        milestones=values["milestones"],
        learning_rate_decay=values["learning_rate_decay"],
        warmup_epochs=values["warmup_epochs"],
        momentum=values["momentum"],
        nesterov=values["nesterov"],
        weight_decay=values["weight_decay"],
        decay_norm=values["decay_norm"],
        label_smoothing=values["label_smoothing"],
        crop_padding=values["crop_padding"],
        flip=values["flip"],
        cutout=values["cutout"],
        drop_path=values["drop_path"],
        ema_decay=values["ema_decay"],
        bfloat16=values["bfloat16"],
        sync_batch_norm=values["sync_batch_norm"],
    )

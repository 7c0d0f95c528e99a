"""Small full trainings: settings, parts and programs for tests."""

import dataclasses
import functools
import io
import json
import pathlib

import jax
import numpy as np

from blockqnn.children.checkpoint import load_checkpoint
from blockqnn.data.images import Images
from blockqnn.full_training.command import train
from blockqnn.full_training.directory import read_result
from blockqnn.full_training.program import Program
from blockqnn.full_training.settings import (
    FullData,
    FullRecipe,
    LayoutChoice,
    Machine,
    Saving,
    TrainSettings,
)
from blockqnn.full_training.splits import ArraySplit, Part
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import check, parse, write
from blockqnn.networks.spaces.nsc.stacking import make_plan
from blockqnn.settings import DataSettings

CONV3 = check([(1, 1, 3, 0, 0)])
JOINED = parse("[(1,1,3,0,0),(2,5,0,0,1)]")
LAYOUT = Layout(filters=(4,), repeats=1, height=8, width=8, channels=1, classes=3)
RECIPE = FullRecipe(
    epochs=2, batch_size=8, learning_rate=0.05, milestones=(1,), crop_padding=1, flip=False
)
DATASET = "synthetic:8x8x1:3:48"
NORMALISATION = np.array([127.0]), np.array([60.0])


def images(count=48, shape=(8, 8, 1), classes=3, seed=0):
    """Random labelled images."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (count, *shape), np.uint8)
    return Images(pixels, random.integers(0, classes, count).astype(np.int32))


def part(count=48, **of):
    """All of a split of random images."""
    return Part(ArraySplit(images(count, **of)), np.arange(count))


@functools.cache  # Compiling is what these tests spend their time on.
def program(devices=1, code=CONV3, layout=LAYOUT, steps=6, seed=0, **recipe):
    """A network in training on so many devices."""
    return Program(
        make_plan(canonical_form(code), layout),
        dataclasses.replace(RECIPE, **recipe),
        NORMALISATION,
        steps,
        seed,
        jax.local_devices()[:devices],
    )


def settings(out_dir, code=CONV3, dataset=DATASET, data=None, saving=None, machine=None, **recipe):
    """What `train` is asked for: a tiny network on made-up images."""
    return TrainSettings(
        reference=write(code),
        top=0,
        max_layers=23,
        layout=LayoutChoice("cifar", (4,), 1),
        data=data or FullData(DataSettings(dataset)),
        recipe=dataclasses.replace(RECIPE, **recipe),
        seed=0,
        machine=machine or Machine(compilation_cache="off"),
        saving=saving or Saving(every_epochs=1),
        out_dir=pathlib.Path(out_dir),
        name="test",
        flag_values={"epochs": str(recipe.get("epochs", RECIPE.epochs))},
        flag_file="--epochs=2\n",
    )


def trained(chosen):
    """Trains; returns the exit status and what was printed."""
    stream = io.StringIO()
    return train(chosen, stream), stream.getvalue()


def figures(directory):
    """The epochs in a training's `metrics.jsonl`, without seconds."""
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def equal(one, other):
    """Whether two trees have the same arrays to the last bit."""
    leaves, others = jax.tree.leaves(one), jax.tree.leaves(other)
    assert jax.tree.structure(one) == jax.tree.structure(other)
    return all(np.array_equal(a, b) for a, b in zip(leaves, others, strict=True))


def weights(directory):
    """The parameters and statistics of a training's newest checkpoint."""
    found = load_checkpoint(directory)
    return [found.parameters, found.statistics]


def same(directory, other):
    """Whether two trainings have the same losses, weights and results."""
    one, two = (read_result(d) for d in (directory, other))
    assert {**one, "seconds": 0} == {**two, "seconds": 0}
    return figures(directory) == figures(other) and equal(weights(directory), weights(other))

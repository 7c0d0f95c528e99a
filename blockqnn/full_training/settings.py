"""What a full training is made of, as frozen dataclasses. `flags` fills them."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from blockqnn.networks.norm_settings import (
    BATCH_NORM_EPSILON,
    BATCH_NORM_MOMENTUM,
    NormSettings,
)
from blockqnn.settings import DataSettings

TEST, VALIDATION, HELD_OUT, NOTHING = "test", "validation", "held_out", "nothing"
"""What a finished training is judged on; see `full_training.parts`."""

STEPS, COSINE, COSINE_BY_EPOCH = "steps", "cosine", "cosine_by_epoch"
RESTARTS, EXPONENTIAL = "restarts", "exponential"
SCHEDULES = (STEPS, COSINE, COSINE_BY_EPOCH, RESTARTS, EXPONENTIAL)
COSINES = (COSINE, COSINE_BY_EPOCH, RESTARTS)
"""Schedules that have a least learning rate."""
SGD, RMSPROP = "sgd", "rmsprop"
JOINS, CELL_AND_STEP, STEP, EPOCH = "joins", "cell_and_step", "step", "epoch"
CELL, CONSTANT = "cell", "constant"
DROPPED_BY = (JOINS, CELL_AND_STEP, STEP, EPOCH, CELL, CONSTANT)
"""Of what the probability of a dropped path depends; `joins` are paths of another kind."""
AUTO, YES, NO = "auto", "yes", "no"


@dataclasses.dataclass(frozen=True)
class FullData:
    """Which images a network is trained and tested on.

    Attributes:
        source: name and place of the data set, and how its images are read; its
            `train_examples` and `split_seed` are used where images are held out.
        hold_out: whether one image in six of the training split is a validation part.
        test: whether the test split is measured, once, at the end.
        test_split: its name among those of a TFDS data set; empty for `test`, or
            `validation` where there is no `test`.
        image_size: side of what the network sees, cut from the image; 0 for all of it.
    """

    source: DataSettings = dataclasses.field(default_factory=DataSettings)
    hold_out: bool = False
    test: bool = True
    test_split: str = ""
    image_size: int = 0


@dataclasses.dataclass(frozen=True)
class FullRecipe:
    """How a network is trained to the end; the defaults are the paper's for CIFAR.

    Attributes:
        epochs: passes over the training part.
        batch_size: images in a step, on all devices together.
        learning_rate: of SGD with momentum, at its highest.
        schedule: `steps` for factors at milestones, `cosine` for half a cosine from step to
            step, `cosine_by_epoch` for one from epoch to epoch, `restarts` for several of these,
            or `exponential` for a factor every few epochs.
        milestones: epochs after which the learning rate is reduced, with `steps`.
        learning_rate_decay: factor on it at each milestone, or with `exponential`.
        warmup_epochs: over which it grows linearly from 0 before the schedule.
        momentum: of SGD.
        nesterov: whether the momentum is Nesterov's.
        weight_decay: times the weights, added to their gradients.
        decay_norm: whether scales and biases decay too, and not kernels alone.
        clip_norm: largest norm of all gradients together, to which larger ones are scaled;
            0 for no bound. Blocks without batch norm on some path need one.
        label_smoothing: share of the label that is spread over all classes.
        crop_padding: pixels of zeros around an image before a random crop of its size.
        flip: whether images are mirrored at random.
        cutout: side of the square that is blanked in each image, in pixels; 0 for none.
        drop_path: probability that a path is dropped in the last step, to which it grows
            linearly from 0 unless `drop_path_by` says otherwise; see
            `blockqnn.networks.drop_path`.
        ema_decay: of the moving average of the weights that is evaluated; 0 for none.
        bfloat16: compute in bfloat16; weights and statistics stay float32.
        sync_batch_norm: whether batch norm's statistics are those of the whole batch,
            or each device's of its own part.
        drop_path_by: `joins` for paths into joins; the others for operations of cells, whose
            probability depends on the cell and the step, one of them, the epoch, or neither.
        auxiliary_weight: of the loss of an auxiliary head beside that of the network; 0 for
            no head.
        dropout: probability that the classifier does not see a feature.
        optimiser: `sgd`, or `rmsprop` for gradients over the root of their mean square.
        rms_decay: of that mean square.
        rms_epsilon: that is added to it under the root.
        least_learning_rate: with which a cosine ends.
        decay_epochs: between two factors of `exponential`.
        first_period: epochs before the first of the `restarts`.
        period_factor: by which each period is longer than the one before.
        norm_momentum: share of batch norm's running statistics that a step keeps.
        norm_epsilon: that batch norm adds to variances.
    """

    epochs: int = 300
    batch_size: int = 128
    learning_rate: float = 0.1
    schedule: str = STEPS
    milestones: tuple[int, ...] = (150, 225)
    learning_rate_decay: float = 0.1
    warmup_epochs: int = 0
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 5e-4
    decay_norm: bool = True
    clip_norm: float = 0.0
    label_smoothing: float = 0.0
    crop_padding: int = 4
    flip: bool = True
    cutout: int = 0
    drop_path: float = 0.0
    ema_decay: float = 0.0
    bfloat16: bool = False
    sync_batch_norm: bool = True
    drop_path_by: str = JOINS
    auxiliary_weight: float = 0.0
    dropout: float = 0.0
    optimiser: str = SGD
    rms_decay: float = 0.9
    rms_epsilon: float = 1.0
    least_learning_rate: float = 0.0
    decay_epochs: float = 1.0
    first_period: int = 10
    period_factor: int = 2
    norm_momentum: float = BATCH_NORM_MOMENTUM
    norm_epsilon: float = BATCH_NORM_EPSILON

    @property
    def norms(self) -> NormSettings:
        """How batch norms are trained."""
        return NormSettings(self.norm_momentum, self.norm_epsilon)

    def as_json(self) -> dict[str, Any]:
        """The recipe for a record.

        What recipes have not always had is left out where it is as usual, so that records of
        trainings stay what they were.
        """
        usual, fields = dataclasses.asdict(FullRecipe()), dataclasses.asdict(self)
        return {k: v for k, v in fields.items() if k not in _LATER or v != usual[k]}


_LATER = (
    *("drop_path_by", "auxiliary_weight", "dropout", "optimiser", "rms_decay", "rms_epsilon"),
    *("least_learning_rate", "decay_epochs", "first_period", "period_factor"),
    *("norm_momentum", "norm_epsilon"),
)


@dataclasses.dataclass(frozen=True)
class Machine:
    """How a full training uses its machine, which does not change what is trained.

    Attributes:
        devices: that share each batch; 0 for all accelerators, or for parts of the processor,
            see `blockqnn.full_training.command.processor_parts`.
        data_on_device: `yes` to keep all training images on the devices, `no` to
            stream them, `auto` for the first where they fit.
        readers: threads that read and decode images where they are streamed.
        memory_gigabytes: that a device may need; 0 for what it has.
        compilation_cache: directory of compiled programs, `off` for none, or empty for
            one per user.
    """

    devices: int = 0
    data_on_device: str = AUTO
    readers: int = 4
    memory_gigabytes: float = 0.0
    compilation_cache: str = ""


@dataclasses.dataclass(frozen=True)
class Saving:
    """When a training is saved, and for how long it may go on.

    Attributes:
        every_epochs: epochs between two checkpoints.
        keep: newest checkpoints that are kept; at least 2, for the case that one is damaged.
        max_seconds: after which it stops with a checkpoint; 0 for no limit.
    """

    every_epochs: int = 5
    keep: int = 2
    max_seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class SearchedData:
    """What a search saw, whose blocks are trained.

    Attributes:
        run: directory of the search.
        source: its data; the seed of the split is that of the images it held out.
        evaluator: how it came to its accuracies.
        digest: of the data, as `blockqnn.data.datasets.digest` has it; empty where
            the run is of a version that kept none.
    """

    run: pathlib.Path
    source: DataSettings
    evaluator: str
    digest: str = ""


@dataclasses.dataclass(frozen=True)
class LayoutChoice:
    """The layout of the network, so far as it does not follow from the images.

    Attributes:
        kind: `cifar` or `imagenet`; `auto` for that of the block's run, or `cifar`.
        filters: of each stage; empty for those of the run, or 32, 64, 128.
        repeats: blocks in a stage; 0 for those of the run, or 2.
        cells: how many in all, where cells are stacked; 0 for as in the run, or as `repeats`
            says where that is given.
        rules: how cells are stacked; empty for as in the run, or the space's own.
    """

    kind: str = AUTO
    filters: tuple[int, ...] = ()
    repeats: int = 0
    cells: int = 0
    rules: str = ""


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """What the verb `train` is asked for.

    Attributes:
        reference: the block, or the directory of a run.
        top: best blocks of a run to train, one after another; 0 where a single one is named.
        max_layers: most layers of a code, Terminal not counted.
        layout: of the network.
        data: the images.
        recipe: how to train.
        seed: of the weights, of the order of images and of every random choice in a step.
        machine: how to use it.
        saving: when to write checkpoints.
        out_dir: where to write; with `top`, the parent of one directory a block.
            None for `runs/train-NAME-BLOCK`.
        name: of the preset, for that directory.
        flag_values: the flags that say what the training is, by name; another value
            of one of them is another training.
        flag_file: the text to keep beside the checkpoints.
        named: flags that somebody has named, and no preset and no record.
        data_origin: who has said which data, in words; empty where a flag has.
        searched: the data of the block's run; None where no run is named.
        preset: its whole name.
    """

    reference: str
    top: int
    max_layers: int
    layout: LayoutChoice
    data: FullData
    recipe: FullRecipe
    seed: int
    machine: Machine
    saving: Saving
    out_dir: pathlib.Path | None
    name: str
    flag_values: dict[str, str]
    flag_file: str
    named: frozenset[str] = frozenset()
    data_origin: str = ""
    searched: SearchedData | None = None
    preset: str = ""

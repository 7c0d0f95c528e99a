"""The flags of `search`. Their defaults are the paper's."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

from blockqnn.data.datasets import describe
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import DRY, TABLE, TRAIN
from blockqnn.flags import child_network, parsing
from blockqnn.flags.agents import agent_config, define_agents
from blockqnn.networks.cost import Limits
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import MAX_LAYERS
from blockqnn.networks.spaces.registry import DEFAULT, SPACES, space_named
from blockqnn.settings import (
    DataSettings,
    RaySettings,
    Recipe,
    RewardSettings,
    RunSettings,
    SearchSettings,
    TableSettings,
    WorkerSettings,
)
from blockqnn.workers.contract import INLINE, LOCAL, RAY

_OPERATIONAL = (
    "preset",
    "flagfile",
    "run_dir",
    "executor",
    "workers",
    "cores_per_worker",
    "devices_per_worker",
    "compilation_cache",
    "child_timeout_seconds",
    "child_retries",
    "children_per_worker",
    "ray_address",
    "cpus_per_child",
    "gpus_per_child",
    "tpus_per_child",
    "dry_seconds",
    "dry_spread",
    "data_dir",
    "execution",
    "tensorboard",
)
"""Flags that do not change what the search is; the others must stay in a run."""


def define() -> parsing.FlagSet:
    """The flags of `search`, at their defaults."""
    flags = parsing.FlagSet(
        "search", "", "Designs blocks for a data set; the same command continues a run."
    )
    recipe, limits = Recipe(), Limits()
    flags.group("Run")
    flags.text(
        "preset",
        parsing.DEFAULT_PRESET,
        f"flags to begin with, which all others override: {', '.join(parsing.preset_names())}",
    )
    flags.text("flagfile", "", "file of flags, one a line, that override the preset's")
    flags.text("run_dir", "", "directory of the run; empty for runs/PRESET")
    flags.integer("seed", 0, "fixes every random choice")
    flags.choice(
        "evaluator",
        TRAIN,
        (TRAIN, TABLE, DRY),
        "train the children, look their accuracies up, or make them up at once",
    )
    flags.text("table", "", "CSV file of accuracies with a column code or arch_str")
    flags.text("search_column", "", "of the table: accuracies that the search sees, in percent")
    flags.choice(
        "executor",
        LOCAL,
        (LOCAL, RAY, INLINE),
        "in worker processes on this machine, on a Ray cluster, or in this process, without "
        "timeout, for debugging",
    )
    flags.integer(
        "workers",
        0,
        "worker processes; 0 for one a GPU, one for a TPU, or else one for each cores_per_worker "
        "cores, but at most blocks_per_iteration; on Ray as many as the cluster has room for, "
        "and more when machines join",
    )
    flags.switch(
        "async",
        False,
        "a free worker gets a new suggestion at once, and epsilon counts finished trials; else "
        "an iteration is suggested as a whole, and ends when its last child has",
    )
    flags.integer(
        "cores_per_worker",
        1,
        "cores that a worker is bound to where the CPU trains; 0 for no binding",
    )
    flags.integer(
        "devices_per_worker",
        0,
        "devices on which a worker trains different children at the same time; 0 for all of a "
        "TPU and for one elsewhere",
    )
    flags.text(
        "compilation_cache",
        "",
        "directory that keeps compiled programs for other runs, or off; empty for one in the "
        "user's cache; JAX_COMPILATION_CACHE_DIR wins",
    )
    flags.number("child_timeout_seconds", 3600.0, "after which a child is given up", above=0)
    flags.switch("tensorboard", False, "write events for TensorBoard to RUN_DIR/tensorboard")
    flags.integer(
        "child_retries",
        3,
        "how often a child is tried again elsewhere if its worker died, hung or ran out of memory; "
        "an error that the child itself reports is final",
    )
    flags.integer("children_per_worker", 0, "after which a worker process is renewed; 0 for never")
    flags.number(
        "dry_seconds", 0.0, "median of what a made-up child takes, to try workers", least=0
    )
    flags.number("dry_spread", 0.0, "standard deviation of their logarithm", least=0, most=10)

    flags.group("Ray cluster (--executor=ray)")
    flags.text(
        "ray_address",
        "auto",
        "HOST:PORT of the cluster's head, auto for the cluster that this machine is part of, "
        "local to start one on this machine for this run",
    )
    flags.number(
        "cpus_per_child",
        0.0,
        "CPUs that Ray sets aside for a worker, or a part of one; 0 for cores_per_worker, at "
        "least one",
        least=0,
    )
    flags.number(
        "gpus_per_child",
        0.0,
        "GPUs of a worker, or a part of one, as 0.5, with its share of the memory; 0 for one "
        "where there are any; workers on this machine share GPUs so too",
        least=0,
    )
    flags.number(
        "tpus_per_child",
        0.0,
        "TPU chips of a worker; 0 for all of a machine where there are any",
        least=0,
    )

    flags.group("Agent")
    define_agents(flags)

    flags.group("Blocks and child networks")
    flags.choice(
        "space", DEFAULT, tuple(SPACES), " or ".join(space.title for space in SPACES.values())
    )
    flags.integer("max_layers", MAX_LAYERS, "most layers of a block, Terminal not counted", 1)
    child_network.define_layout(flags, Layout())
    flags.integer(
        "max_parameters", limits.max_parameters, "most trained numbers of a child; 0 for no limit"
    )
    flags.integer(
        "max_flops",
        limits.max_flops,
        "most FLOPs (2 x multiply-accumulate) of a child, one image, forward; 0 for no limit",
    )
    flags.integer(
        "max_activation_bytes",
        limits.max_activation_bytes,
        "most bytes of all layers' outputs for a training batch; 0 for no limit",
    )

    flags.group("Data")
    flags.text(
        "dataset",
        "cifar100",
        "digits, synthetic:HxWxC:CLASSES[:EXAMPLES], npz:PATH (arrays train_images and "
        "train_labels), folder:PATH[:HEIGHTxWIDTH] (a folder of images for each class, scaled to "
        "one size if a size is named), or a TFDS data set",
    )
    flags.text("data_dir", "", "where TFDS keeps data sets; empty for its default")
    flags.integer("train_examples", 0, "most images to train on; 0 for all")
    flags.integer(
        "validation_examples", 0, "most images, of the sixth held out, to judge by; 0 for all"
    )
    flags.integer("split_seed", 0, "of the choice of the validation images")

    flags.group("Training of a child")
    flags.integer("epochs", recipe.epochs, "passes over the training part", 1)
    flags.integer("batch_size", recipe.batch_size, "images in a step", 1)
    flags.number("learning_rate", recipe.learning_rate, "Adam's, at the start", above=0)
    flags.number(
        "learning_rate_decay",
        recipe.learning_rate_decay,
        "factor on the learning rate after every decay_epochs",
        above=0,
        most=1,
    )
    flags.integer("decay_epochs", recipe.decay_epochs, "epochs between two reductions", 1)
    flags.number("beta1", recipe.beta1, "Adam's decay of the first moment", least=0, most=0.999999)
    flags.number("beta2", recipe.beta2, "Adam's decay of the second moment", least=0, most=0.999999)
    flags.number("adam_epsilon", recipe.adam_epsilon, "added to Adam's denominator", above=0)
    flags.integer("restarts", recipe.restarts, "restarts while the first epoch ends below guessing")
    flags.number(
        "restart_factor",
        recipe.restart_factor,
        "factor on the learning rate at a restart",
        above=0,
        most=1,
    )
    flags.switch("bfloat16", recipe.bfloat16, "compute in bfloat16; weights stay float32")
    flags.choice(
        "execution",
        recipe.execution,
        ("auto", "layers", "whole"),
        "children compiled layer by layer (CPU) or whole (GPU and TPU)",
    )

    flags.group("Reward")
    flags.number("mu", RewardSettings.mu, "percent for each e-fold of the block's FLOPs")
    flags.number("rho", RewardSettings.rho, "percent for each e-fold of the block's density")
    return flags


def parse(arguments: Sequence[str]) -> tuple[SearchSettings, RunSettings]:
    """Turns a command line into settings.

    Args:
        arguments: what follows `search`.

    Returns:
        What to search, and how to carry it out.

    Raises:
        UserError: if the command line or the data set cannot be used.
        LayoutError: if the layout does not fit the images.
    """
    expanded = define().expanded(arguments)
    probe = define()
    _refuse_positional(probe.parse(expanded))
    preset: str = probe.chosen()["preset"]
    flags = define()
    flags.parse([f"--flagfile={parsing.preset_path(preset)}", *expanded])
    values = flags.chosen()
    if not values["run_dir"]:
        flags.values["run_dir"].value = values["run_dir"] = str(pathlib.Path("runs") / preset)
    run = RunSettings(
        run_dir=pathlib.Path(values["run_dir"]),
        executor=values["executor"],
        workers=values["workers"],
        cores_per_worker=values["cores_per_worker"],
        worker=WorkerSettings(
            devices=values["devices_per_worker"],
            compilation_cache=values["compilation_cache"],
            dry_seconds=values["dry_seconds"],
            dry_spread=values["dry_spread"],
        ),
        child_timeout_seconds=values["child_timeout_seconds"],
        child_retries=values["child_retries"],
        children_per_worker=values["children_per_worker"],
        ray=RaySettings(
            address=values["ray_address"],
            cpus=values["cpus_per_child"],
            gpus=values["gpus_per_child"],
            tpus=values["tpus_per_child"],
        ),
        flag_values={
            name: parsing.as_text(value)
            for name, value in values.items()
            if name not in _OPERATIONAL
        },
        flag_file=flags.flag_file(),
        tensorboard=values["tensorboard"],
    )
    return _search_settings(values), run


def _refuse_positional(words: list[str]) -> None:
    if words:
        raise UserError(
            f"search takes flags alone, given {words[0]!r}. See: python -m blockqnn search --help"
        )


def _search_settings(values: dict[str, Any]) -> SearchSettings:
    data = DataSettings(
        dataset=values["dataset"],
        data_dir=values["data_dir"],
        train_examples=values["train_examples"],
        split_seed=values["split_seed"],
        validation_examples=values["validation_examples"],
    )
    info = describe(data, images_needed=values["evaluator"] == TRAIN)
    layout = child_network.layout(values, info.shape, info.classes)
    _refuse_contradictions(values, layout)
    return SearchSettings(
        agent=agent_config(values),
        schedule=values["epsilon_schedule"],
        blocks_per_iteration=values["blocks_per_iteration"],
        space=values["space"],
        max_layers=values["max_layers"],
        seed=values["seed"],
        layout=layout,
        limits=Limits(
            max_parameters=values["max_parameters"],
            max_flops=values["max_flops"],
            max_activation_bytes=values["max_activation_bytes"],
        ),
        data=data,
        recipe=Recipe(
            epochs=values["epochs"],
            batch_size=values["batch_size"],
            learning_rate=values["learning_rate"],
            learning_rate_decay=values["learning_rate_decay"],
            decay_epochs=values["decay_epochs"],
            beta1=values["beta1"],
            beta2=values["beta2"],
            adam_epsilon=values["adam_epsilon"],
            restarts=values["restarts"],
            restart_factor=values["restart_factor"],
            bfloat16=values["bfloat16"],
            execution=values["execution"],
        ),
        reward=RewardSettings(mu=values["mu"], rho=values["rho"]),
        evaluator=values["evaluator"],
        table=TableSettings(values["table"], values["search_column"]),
        asynchronous=values["async"],
    )


def _refuse_contradictions(values: dict[str, Any], layout: Layout) -> None:
    space = space_named(values["space"])
    if layout.kind not in space.layouts:
        raise UserError(
            f"--space={space.name} does not go with --layout={layout.kind}; allowed: "
            f"{' or '.join(space.layouts)}."
        )
    if values["evaluator"] == TABLE and not (values["table"] and values["search_column"]):
        raise UserError("--evaluator=table needs --table and --search_column.")

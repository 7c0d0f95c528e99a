"""The flags of `search`. Their defaults are the paper's."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from blockqnn.data.datasets import describe
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import TABLE, TRAIN
from blockqnn.flags import (
    child_network,
    child_training,
    data,
    evaluators,
    execution,
    parsing,
    preset_files,
)
from blockqnn.flags.agents import agent_config, define_agents
from blockqnn.flags.verb import Verb
from blockqnn.invocation import command
from blockqnn.networks.cost import Limits
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import MAX_LAYERS
from blockqnn.networks.spaces.registry import DEFAULT, SPACES, space_named
from blockqnn.runs import run_directory, store
from blockqnn.settings import RunSettings, SearchSettings

_KEPT = preset_files.Kept(run_directory.FLAG_FILE, store.FILE_NAME, "run_dir")
_COMMON = (
    "preset",
    "run_dir",
    "seed",
    "dataset",
    "agent",
    "epsilon_schedule",
    "blocks_per_iteration",
    "filters",
    "epochs",
    "evaluator",
    "workers",
)


def define() -> parsing.FlagSet:
    """The flags of `search`, at their defaults."""
    flags = parsing.FlagSet(
        "search", "", "Designs blocks for a data set; the same command continues a run."
    )
    flags.common("Common", _COMMON)
    _define_run(flags)
    _define_data(flags)
    _define_child_network(flags)
    child_training.define(flags)
    define_agents(flags)
    evaluators.define_each(flags)
    execution.define_each(flags)
    return flags


def _define_run(flags: parsing.FlagSet) -> None:
    flags.group("Run")
    flags.text(
        "preset",
        preset_files.DEFAULT_PRESET,
        f"flags to begin with, which all others override: {', '.join(preset_files.preset_names())}",
    )
    flags.path("flagfile", "", "file of flags, one a line, that override the preset's")
    flags.path("run_dir", "", "directory of the run; empty for runs/PRESET")
    flags.integer("seed", 0, "number that fixes every random choice")
    evaluators.define(flags)
    flags.switch(
        "async",
        False,
        "a free worker gets a new suggestion at once, and epsilon counts finished trials; else "
        "an iteration is suggested as a whole, and ends when its last child has",
    )
    execution.define(flags)


def _define_data(flags: parsing.FlagSet) -> None:
    flags.group("Data")
    data.define_source(flags, "cifar100")
    data.define_parts(flags)


def _define_child_network(flags: parsing.FlagSet) -> None:
    limits = Limits()
    flags.group("Child network")
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


def parse(
    arguments: Sequence[str], recorded: Sequence[str] = ()
) -> tuple[SearchSettings, RunSettings]:
    """Turns a command line into settings.

    Args:
        arguments: what follows `search`.
        recorded: flags of a run that exists, which the arguments override.

    Returns:
        What to search, and how to carry it out.

    Raises:
        UserError: if the command line or the data set cannot be used.
        LayoutError: if the layout does not fit the images.
    """
    given = preset_files.read(define, preset_files.PRESETS, arguments, _KEPT, recorded)
    if given.words:
        raise UserError(
            f"search takes flags alone, given {given.words[0]!r}. "
            f"See: {command('search', '--help')}"
        )
    flags = given.flags
    flags.refuse_without_effect("search", given.usual)
    if not flags.values["layout"].present:
        # Nobody has named one: the space takes its own.
        flags.values["layout"].value = next(iter(space_named(flags.chosen()["space"]).layouts))
    values = flags.chosen()
    if not values["run_dir"]:
        values["run_dir"] = str(pathlib.Path("runs") / given.preset)
        flags.values["run_dir"].value = values["run_dir"]
    return _search_settings(values), execution.run_settings(values, flags.flag_file())


def _search_settings(values: dict[str, Any]) -> SearchSettings:
    images = data.data_settings(values)
    info = describe(images, images_needed=values["evaluator"] == TRAIN)
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
        data=images,
        recipe=child_training.recipe(values),
        reward=child_training.reward(values),
        evaluator=values["evaluator"],
        table=evaluators.table(values),
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


def _run(settings: tuple[SearchSettings, RunSettings]) -> int:
    from blockqnn.searching.command import run_search

    return run_search(*settings, sys.stdout)


SEARCH = Verb("search", define, parse, _run, preset_files.PRESETS)

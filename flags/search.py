"""The flags of `search`. Their defaults are the paper's."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from blockqnn.agents.growing import Growth
from blockqnn.data.datasets import describe
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import OF_IMAGES, SHARED
from blockqnn.flags import (
    child_network,
    child_training,
    data,
    evaluators,
    execution,
    finals_recipe,
    first_blocks,
    flag_text,
    language,
    mixture,
    own,
    parsing,
    preset_files,
    supernet,
)
from blockqnn.flags.agents import agent_config, define_agents
from blockqnn.flags.contradictions import refuse_contradictions, refuse_other_data
from blockqnn.flags.searching import carry_out
from blockqnn.flags.verb import Verb
from blockqnn.invocation import command
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import MAX_LAYERS
from blockqnn.networks.spaces.registry import DEFAULT, SPACES, space_named
from blockqnn.runs import run_directory, store
from blockqnn.runs.rounds import OFF
from blockqnn.settings import STEPS, Budget, RunSettings, SearchSettings

_OF_A_RUN = ("agent", "finals", finals_recipe.FLAG, "schedule", "learning_rate", "decay_epochs")
"""Flags of a run that a preset which has changed since does not change."""

_BEFORE = {"finals": OFF, finals_recipe.FLAG: finals_recipe.SEARCH, "schedule": STEPS}
"""What those of them were that presets had no others of, for runs that are older than the flags."""

_KEPT = preset_files.Kept(run_directory.FLAG_FILE, store.FILE_NAME, "run_dir")
_COMMON = (
    "preset",
    "run_dir",
    "seed",
    "dataset",
    "agent",
    "max_blocks",
    "max_hours",
    "epsilon_schedule",
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
    supernet.define_each(flags)
    mixture.define_each(flags)
    execution.define_each(flags)
    return flags


def _define_run(flags: parsing.FlagSet) -> None:
    flags.group("Run")
    flags.text(
        "preset",
        preset_files.DEFAULT_PRESET,
        f"flags to begin with, which all others override: {', '.join(preset_files.preset_names())};"
        " own chooses them from the data and the machine, and is the default where --dataset names "
        "other data than those of the default preset",
    )
    flags.path("flagfile", "", "file of flags, one a line, that override the preset's")
    flags.path(
        "run_dir",
        "",
        "directory of the run; empty for runs/PRESET, and where the data are not the preset's, for "
        "one that is named after them",
    )
    flags.integer("seed", 0, "number that fixes every random choice")
    evaluators.define(flags)
    supernet.define(flags)
    flags.switch(
        "async",
        False,
        "a free worker gets a new suggestion at once, and epsilon counts finished trials; else "
        "an iteration is suggested as a whole, and ends when its last child has",
    )
    first_blocks.define(flags)
    execution.define(flags)
    finals_recipe.define(flags)


def _define_data(flags: parsing.FlagSet) -> None:
    flags.group("Data")
    data.define_source(flags, "cifar100")
    data.define_parts(flags)
    data.define_text(flags)


def _define_child_network(flags: parsing.FlagSet) -> None:
    flags.group("Child network")
    flags.special(
        "space",
        DEFAULT,
        f"{' | '.join(SPACES)}: {' or '.join(space.title for space in SPACES.values())}",
        flag_text.named_space,
        " or ".join(SPACES),
    )
    flags.integer("max_layers", MAX_LAYERS, "most layers of a block, Terminal not counted", 1)
    child_network.define_layout(flags, Layout())
    child_network.define_match(flags)
    child_network.define_limits(flags)
    child_network.define_cells(flags)
    child_network.define_whole(flags)
    language.define_model(flags)
    growing = tuple(space.name for space in SPACES.values() if space.layers)
    flags.group("Networks that grow", parsing.Owner("space", growing))
    flags.special(
        "depth_growth",
        None,
        "layers of the first networks, by how many they grow, and after how many blocks each time, "
        "as in 6:2:1600; they grow to --max_layers. Empty for networks of --max_layers from the "
        "start",
        Growth.read,
        "three numbers from 1 on, as in 6:2:1600",
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
    notes = []
    if not recorded and _is_about_other_data(arguments):
        preset = language.preset_for(arguments) or own.PRESET
        notes.append(own.PRESET_NOTE.format(preset))
        arguments = [f"--preset={preset}", *arguments]
    given = _read(arguments, recorded)
    run_dir = _run_directory(given)
    if not given.continues:
        given, note = _begun_or_new(given, run_dir, arguments)
        notes += [note] if note else []
    flags = given.flags
    evaluators.take_space(flags, given.named)
    if not flags.values["layout"].present:
        # Nobody has named one: the space takes its own.
        flags.values["layout"].value = next(iter(space_named(flags.chosen()["space"]).layouts))
    language.take_usual(flags)
    supernet.take_usual(flags)
    flags.refuse_without_effect("search", given.usual)
    flags.values["run_dir"].value = str(run_dir)
    first = first_blocks.first_blocks(flags.chosen())
    flags.values[first_blocks.FLAG].value = first_blocks.as_text(first)
    values = flags.chosen()
    own_finals = finals_recipe.finals_recipe(values, given.usual)
    run = execution.run_settings(values, flags.flag_file(), own_finals)
    search = dataclasses.replace(_search_settings(values), first_blocks=first)
    return search, dataclasses.replace(run, check=values[supernet.CHECK], notes=tuple(notes))


def _read(arguments: Sequence[str], recorded: Sequence[str]) -> preset_files.Given:
    given = preset_files.read(define, preset_files.PRESETS, arguments, _KEPT, recorded)
    if given.words:
        raise UserError(
            f"search takes flags alone, given {given.words[0]!r}. "
            f"See: {command('search', '--help')}"
        )
    return given


def _is_about_other_data(arguments: Sequence[str]) -> bool:
    """Whether a new search names no preset and other data than the default preset's."""
    given = preset_files.read(define, preset_files.PRESETS, arguments, _KEPT)
    if given.continues or "preset" in given.named or "dataset" not in given.named:
        return False
    return bool(given.flags.chosen()["dataset"] != given.usual["dataset"])


def _run_directory(given: preset_files.Given) -> pathlib.Path:
    values = given.flags.chosen()
    if values["run_dir"]:
        return pathlib.Path(values["run_dir"])
    return own.run_directory_of(
        given.preset, values["dataset"], given.usual["dataset"], preset_files.preset_names()
    )


def _begun_or_new(
    given: preset_files.Given, run_dir: pathlib.Path, arguments: Sequence[str]
) -> tuple[preset_files.Given, str]:
    """The flags of a run that has begun where they were chosen for it, or what is chosen now.

    Args:
        given: the command line, read.
        run_dir: of the run.
        arguments: the command line.

    Returns:
        The command line with these flags, and what is to be said of them.
    """
    before = own.recorded_flags(run_dir)
    if given.preset != own.PRESET:
        # Presets have had other agents and schedules, and none had finals; a run keeps its own.
        own_flags = {**_BEFORE, **before} if before else {}
        recorded = [
            f"--{name}={own_flags[name]}"
            for name in _OF_A_RUN
            if name in own_flags and name not in given.named
        ]
        return (_read(arguments, recorded) if recorded else given), ""
    if before:
        kept = [f"--{name}={value}" for name, value in before.items() if name in define().values]
        return _read(arguments, kept), f"Settings are those that {run_dir} was begun with."
    return given, own.choose_flags(given.flags, given.named)


def _search_settings(values: dict[str, Any]) -> SearchSettings:
    images = data.data_settings(values)
    read = values["evaluator"] in OF_IMAGES
    info = describe(images, images_needed=read)
    if read:
        for each in (values, finals_recipe.with_recipe(values)):
            refuse_other_data(each, info.of_words)
    layout = child_network.layout(values, info.shape, info.classes)
    refuse_contradictions(values, layout)
    shared = supernet.supernet(values, layout)
    return SearchSettings(
        agent=agent_config(values),
        schedule=values["epsilon_schedule"],
        blocks_per_iteration=values["blocks_per_iteration"],
        space=values["space"],
        max_layers=values["max_layers"],
        seed=values["seed"],
        layout=layout,
        limits=child_network.limits(values),
        data=images,
        recipe=child_training.recipe(values),
        reward=child_training.reward(values),
        evaluator=SHARED if shared else values["evaluator"],
        table=evaluators.table(values),
        asynchronous=values["async"],
        budget=Budget(values["max_blocks"], values["max_hours"]),
        match=values["match"],
        proxy=evaluators.proxy(values),
        supernet=shared,
        growth=values["depth_growth"],
    )


SEARCH = Verb("search", define, parse, carry_out, preset_files.PRESETS)

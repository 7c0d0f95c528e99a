"""The flags of `finals`: which blocks of a run are trained for longer, and how."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from blockqnn.errors import UserError
from blockqnn.finals.planning import refuse_untrainable
from blockqnn.flags import finals_recipe, parsing, search
from blockqnn.flags.flag_text import RefusedError
from blockqnn.flags.recorded_run import parse_recorded
from blockqnn.flags.verb import Verb
from blockqnn.invocation import command
from blockqnn.runs.rounds import OFF, ROUNDS_ALLOWED, Round, canonical, check_rounds, parse_rounds
from blockqnn.runs.run_record import RunRecord, read_run

if TYPE_CHECKING:
    from blockqnn.finals.command import FinalsSettings

_WORKERS = (
    *("executor", "workers", "cores_per_worker", "spare_cores"),
    *("devices_per_worker", "gpus_per_child"),
    *("child_timeout_seconds", "child_retries", "children_per_worker", "compilation_cache"),
    *("ray_address", "cpus_per_child", "tpus_per_child"),
)
_IMAGES = ("train_examples", "dataset", "data_dir")
_USUAL_BLOCKS, _TIMES = 20, 3


def define_finals() -> parsing.FlagSet:
    """The flags of `finals`, at their defaults."""
    flags = parsing.FlagSet(
        "finals",
        "RUN_DIR",
        "Trains the best blocks of a run for longer, in rounds of which each keeps the best of the "
        "one before, and makes the winner RUN_DIR#best; the same command continues.",
    )
    flags.group("Rounds")
    flags.special(
        "rounds",
        OFF,
        "BLOCKS:EPOCHS[:SEEDS] for each round, with commas between them: 40:3,12:9,4:27 trains "
        "the 40 blocks of highest reward for 3 epochs, the best 12 of them for 9, and the best 4 "
        f"of those for 27; {OFF} for those that the run has, or else two rounds of 3 and 9 times "
        "the search's epochs",
        canonical,
        ROUNDS_ALLOWED,
    )
    flags.integer(
        "top", 0, f"blocks of one round, instead of rounds; 0 for {_USUAL_BLOCKS} with --epochs"
    )
    flags.integer(
        "epochs",
        0,
        f"epochs of one round, instead of rounds; 0 for {_TIMES} times the search's with --top",
    )
    flags.integer(
        "seeds",
        0,
        "trainings of each block, from different weights, in rounds that name no number; 0 for "
        "one, and for two in the last of usual rounds",
    )
    flags.switch(
        "again",
        False,
        "drop finals that have ended, or that had other rounds or another recipe, and begin anew",
    )
    flags.group("Recipe, where the training that comes after has another one than the search")
    _as_for_search(flags, finals_recipe.NAMES)
    flags.group("Images")
    _as_for_search(flags, _IMAGES)
    flags.group("Workers")
    _as_for_search(flags, _WORKERS)
    flags.group("Output")
    flags.choice("format", "table", ("table", "json"), "output for people, or one JSON object")
    return flags


def _as_for_search(flags: parsing.FlagSet, names: Sequence[str]) -> None:
    """Adds flags of `search` that are taken from the run where they are not named."""
    known = search.define().values
    for name in names:
        flags.text(name, "", f"as for search: {known[name].help}; empty for the run's")


def parse_finals(arguments: Sequence[str]) -> FinalsSettings:
    """Turns the command line of `finals` into settings.

    Args:
        arguments: what follows `finals`.

    Returns:
        What to train.

    Raises:
        UserError: if the command line, the run or its data set cannot be used.
        LayoutError: if the run's layout cannot be built.
    """
    from blockqnn.finals.command import FinalsSettings

    flags = define_finals()
    (word,) = flags.words(arguments, "one RUN_DIR")
    value = flags.chosen()
    run = read_run(pathlib.Path(word))
    refuse_untrainable(run)
    # An empty name is a path like any other, so that only what was typed counts.
    more = [f"--{name}={value[name]}" for name in (*_IMAGES, *_WORKERS) if value[name]]
    recipe = _recipe(value, run)
    more = [f"--run_dir={run.path}", *recipe, *more]
    settings, training = parse_recorded(run.path, run.flags, more)
    return FinalsSettings(
        search=settings,
        training=dataclasses.replace(training, notes=()),
        rounds=_rounds(value, run, settings.recipe.epochs),
        seeds=value["seeds"],
        again=value["again"],
        as_json=value["format"] == "json",
        own_examples=bool(value["train_examples"]),
        recipe=recipe,
    )


def _recipe(value: dict[str, Any], run: RunRecord) -> tuple[str, ...]:
    """The recipe that was named, or that of the run's finals, or the one they were to have.

    Each in the flags by which it differs from the search's.
    """
    named = [f"{name}={value[name]}" for name in finals_recipe.NAMES if value[name]]
    if named or run.finals is None:
        text = ",".join(named) or run.flags.get(finals_recipe.FLAG, finals_recipe.SEARCH)
        try:
            return finals_recipe.as_words(finals_recipe.canonical(text), run.flags)
        except RefusedError as error:
            raise UserError(f"Flag {error}. See: {command('finals', '--help')}") from error
    names = tuple(f"--{name}=" for name in finals_recipe.NAMES)
    return tuple(word for word in run.finals.plan.recipe if word.startswith(names))


def _rounds(value: dict[str, Any], run: RunRecord, epochs: int) -> tuple[Round, ...] | None:
    """The rounds that were named; None for those of the run, or usual ones."""
    seeds = value["seeds"] or 1
    named = parse_rounds(value["rounds"], seeds)
    if named:
        for name in ("top", "epochs"):
            if value[name]:
                raise UserError(
                    f"--rounds and --{name} both say how many blocks are trained for how long; "
                    "give one of them."
                )
        check_rounds(named, "--rounds")
        return named
    if value["top"] or value["epochs"]:
        return (Round(value["top"] or _USUAL_BLOCKS, value["epochs"] or _TIMES * epochs, seeds),)
    return None


def _run(settings: FinalsSettings) -> int:
    from blockqnn.finals.command import finals

    return finals(settings, sys.stdout)


FINALS = Verb("finals", define_finals, parse_finals, _run)

"""The flags of the verbs that look at the reward of a run: `calibrate` and `rescore`."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from blockqnn.calibration.reward_fit import LEAST_BLOCKS
from blockqnn.errors import UserError
from blockqnn.flags import parsing
from blockqnn.flags.recorded_run import parse_recorded
from blockqnn.flags.verb import Verb
from blockqnn.invocation import command
from blockqnn.runs.run_record import read_run, refuse_function

if TYPE_CHECKING:
    from blockqnn.calibration.command import CalibrateSettings
    from blockqnn.calibration.rescore_command import RescoreSettings

_OWN = "run"
_MOST = 1e6
_TIMES = 10
_COEFFICIENT_ALLOWED = f"a number from -{_MOST:g} to {_MOST:g}, or {_OWN} for the run's own"


def define_rescore() -> parsing.FlagSet:
    """The flags of `rescore`, at their defaults."""
    flags = parsing.FlagSet(
        "rescore",
        "RUN_DIR",
        "Ranks a run's trained blocks under other coefficients of the reward, without training.",
    )
    flags.group("Reward")
    for name, of in (("mu", "FLOPs"), ("rho", "density")):
        flags.special(
            name,
            _OWN,
            f"percent that each e-fold of the block's {of} costs, or {_OWN} for the run's own",
            _parse_coefficient,
            _COEFFICIENT_ALLOWED,
        )
    flags.group("Output")
    flags.choice("format", "table", ("table", "json"), "output for people, or one JSON object")
    flags.integer("top", 10, "best blocks to list; 0 for all")
    return flags


def parse_rescore(arguments: Sequence[str]) -> RescoreSettings:
    """Turns the command line of `rescore` into settings.

    Args:
        arguments: what follows `rescore`.

    Returns:
        What to rank.

    Raises:
        UserError: if the command line cannot be used.
    """
    from blockqnn.calibration.rescore_command import RescoreSettings

    flags = define_rescore()
    run_dir = _run_dir(flags, flags.parse(arguments))
    value = flags.chosen()
    mu, rho = (None if value[name] == _OWN else value[name] for name in ("mu", "rho"))
    return RescoreSettings(run_dir, mu, rho, value["top"], value["format"] == "json")


def define_calibrate() -> parsing.FlagSet:
    """The flags of `calibrate`, at their defaults."""
    flags = parsing.FlagSet(
        "calibrate",
        "RUN_DIR",
        "Trains some of a run's blocks for longer, tells how well early stopping ranked them, and "
        "fits the reward; the same command continues.",
    )
    flags.group("Longer training")
    flags.integer("blocks", 20, "blocks to train, from the whole range of rewards", LEAST_BLOCKS)
    flags.integer("epochs", 0, "epochs of the longer training; 0 for ten times the run's")
    flags.integer(
        "seed",
        1,
        "seed of the choice of blocks and, added to the run's, of their initial weights; 0 for the "
        "weights of the search",
    )
    flags.path(
        "calibration_dir", "", "directory of the longer trainings; empty for RUN_DIR-calibration"
    )
    flags.text("executor", "", "where the blocks are trained, as for search; empty for the run's")
    flags.text("workers", "", "worker processes, as for search; empty for the run's")
    flags.text(
        "dataset", "", "the run's data where they are now, as for search; empty for the run's place"
    )
    flags.path("table", "", "the run's table where it is now; empty for the run's place")
    flags.path("data_dir", "", "where TFDS keeps data sets; empty for the run's")
    flags.group("Output")
    flags.path(
        "out",
        "",
        "file for the scatter plot of the paper's figure 6: .svg, .png or .pdf; empty for none",
    )
    flags.choice("format", "table", ("table", "json"), "output for people, or one JSON object")
    return flags


def parse_calibrate(arguments: Sequence[str]) -> CalibrateSettings:
    """Turns the command line of `calibrate` into settings.

    Args:
        arguments: what follows `calibrate`.

    Returns:
        What to find out.

    Raises:
        UserError: if the command line, the run or its data set cannot be used.
        LayoutError: if the run's layout cannot be built.
    """
    from blockqnn.calibration.command import CalibrateSettings

    flags = define_calibrate()
    run_dir = _run_dir(flags, flags.parse(arguments))
    value = flags.chosen()
    found = read_run(run_dir)
    refuse_function(found)
    recorded = found.flags
    beside = run_dir if run_dir.name not in ("", "..") else run_dir.resolve()
    place = value["calibration_dir"] or f"{beside}-calibration"
    own = ("executor", "workers", "dataset", "table", "data_dir")
    more = [f"--run_dir={place}", *(f"--{name}={value[name]}" for name in own if value[name])]
    settings, run = parse_recorded(run_dir, recorded, more)
    recipe = settings.recipe
    epochs = value["epochs"] or _TIMES * recipe.epochs
    if epochs <= recipe.epochs:
        raise UserError(
            f"--epochs is {epochs}; the run trained for {recipe.epochs} epochs, and longer is more."
        )
    longer = recipe.drawn_out(epochs)
    changed = {
        "epochs": epochs,
        "decay_epochs": longer.decay_epochs,
        "calibration_seed": value["seed"],
    }
    flag_values = recorded | {name: str(number) for name, number in changed.items()}
    # The run may be extended meanwhile.
    flag_values.pop("epsilon_schedule", None)
    return CalibrateSettings(
        run_dir=run_dir,
        search=dataclasses.replace(settings.with_own_weights(), recipe=longer),
        training=dataclasses.replace(
            run,
            flag_values=flag_values,
            child_timeout_seconds=run.child_timeout_seconds * epochs / recipe.epochs,
        ),
        blocks=value["blocks"],
        seed=value["seed"],
        out=pathlib.Path(value["out"]) if value["out"] else None,
        as_json=value["format"] == "json",
    )


def _parse_coefficient(text: str) -> float | str:
    if text == _OWN:
        return text
    value = float(text)
    if not abs(value) <= _MOST:
        raise ValueError
    return value


def _run_dir(flags: parsing.FlagSet, words: list[str]) -> pathlib.Path:
    if len(words) != 1:
        given = " ".join(words) or "nothing"
        raise UserError(
            f"{flags.verb} takes one RUN_DIR, given {given!r}. See: {command(flags.verb, '--help')}"
        )
    return pathlib.Path(words[0])


def _run_calibrate(settings: CalibrateSettings) -> int:
    from blockqnn.calibration.command import calibrate

    return calibrate(settings, sys.stdout)


CALIBRATE = Verb("calibrate", define_calibrate, parse_calibrate, _run_calibrate)


def _run_rescore(settings: RescoreSettings) -> int:
    from blockqnn.calibration.rescore_command import rescore

    return rescore(settings, sys.stdout)


RESCORE = Verb("rescore", define_rescore, parse_rescore, _run_rescore, lists=True)

"""The flags of the verbs that look at the reward of a run: `calibrate` and `rescore`."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from blockqnn.errors import UserError
from blockqnn.rescore_command import RescoreSettings
from flags import parsing

_OWN = "run"
_MOST = 1e6
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
            f"percent for each e-fold of the block's {of}, or {_OWN} for the run's own",
            _parse_coefficient,
            _COEFFICIENT_ALLOWED,
        )
    flags.group("Output")
    flags.choice("format", "table", ("table", "json"), "for people, or one JSON object")
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
    flags = define_rescore()
    run_dir = _run_dir(flags, flags.parse(arguments))
    value = flags.chosen()
    mu, rho = (None if value[name] == _OWN else value[name] for name in ("mu", "rho"))
    return RescoreSettings(run_dir, mu, rho, value["top"], value["format"] == "json")


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
            f"{flags.verb} takes one RUN_DIR, given {given!r}. "
            f"See: python -m blockqnn {flags.verb} --help"
        )
    return pathlib.Path(words[0])

"""The finals that follow a search: their rounds, and their recipe if it is not the search's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from absl import flags as absl_flags

from blockqnn.errors import UserError
from blockqnn.flags import child_training
from blockqnn.flags.flag_text import RefusedError, as_text
from blockqnn.flags.parsing import FlagSet
from blockqnn.runs.rounds import OFF, ROUNDS_ALLOWED
from blockqnn.runs.rounds import canonical as canonical_rounds
from blockqnn.runs.run_directory import flag_then
from blockqnn.settings import FinalsRecipe

FLAG = "finals_recipe"
SEARCH = "search"
"""What stands for the search's recipe."""

NAMES = (
    *("optimiser", "learning_rate", "schedule", "learning_rate_decay", "decay_epochs"),
    *("momentum", "weight_decay", "batch_size", "augmentation"),
)
"""Flags of a child's training that finals may have of their own."""

_ALLOWED = (
    f"{SEARCH}, or flags of a child's training as NAME=VALUE with commas between them, as in "
    f"optimiser=momentum,learning_rate=0.1; their names: {', '.join(NAMES)}"
)


def define(flags: FlagSet) -> None:
    """Adds the flags of `search`: which finals follow it, and how they train."""
    flags.special(
        "finals",
        OFF,
        "what follows the search: BLOCKS:EPOCHS[:SEEDS] for each round, with commas between them, "
        "as in 40:3,12:9,4:27, in which the best blocks are trained for longer; the winner is "
        f"RUN_DIR#best; {OFF} for none",
        canonical_rounds,
        ROUNDS_ALLOWED,
    )
    flags.special(
        FLAG,
        SEARCH,
        "how finals train, where that is not as the search does: NAME=VALUE with commas between "
        "them, of --" + ", --".join(NAMES) + "; what a recipe near to that of the training which "
        f'comes after gains is in docs/results.md, "A better block"; {SEARCH} for the search\'s',
        canonical,
        _ALLOWED,
    )


def canonical(text: str) -> str:
    """A recipe as it is written: in the order of `NAMES`, each value as flags write it.

    Args:
        text: as a user wrote it; nothing is the search's recipe, too.

    Returns:
        The text.

    Raises:
        ValueError: if it is no list of names and values, or has a value that the flag refuses.
    """
    if text.strip() in ("", SEARCH):
        return SEARCH
    pairs = [part.strip().partition("=") for part in text.split(",")]
    named = {name.removeprefix("--"): value for name, _, value in pairs}
    if not all(equals for _, equals, _ in pairs):
        raise ValueError(text)
    if unknown := sorted(named.keys() - set(NAMES)):
        raise RefusedError(f"{unknown[0]!r} is none of {', '.join(NAMES)}")
    if len(named) < len(pairs):
        raise RefusedError("a name stands in it twice")
    known = _of_training({}).values
    for name, value in named.items():
        try:
            known[name].parse(value)
        except absl_flags.IllegalFlagValueError as error:
            raise RefusedError(str(error).removeprefix("flag ")) from error
    return ",".join(f"{n}={as_text(known[n].value)}" for n in NAMES if n in named)


def as_words(text: str, of_search: Mapping[str, str]) -> tuple[str, ...]:
    """The flags by which a recipe differs from that of a search, as a command line has them.

    Args:
        text: the recipe in its canonical form.
        of_search: values of the search's flags as text, by name.

    Returns:
        The flags; none for the search's recipe, however it is written.
    """
    parts = [] if text == SEARCH else text.split(",")
    pairs = [part.partition("=") for part in parts]
    return tuple(
        f"--{name}={value}"
        for name, _, value in pairs
        if flag_then(of_search, name, _DEFAULTS[name]) != value
    )


def finals_recipe(values: dict[str, Any], usual: dict[str, Any]) -> FinalsRecipe | None:
    """How finals train where it is not as the search does.

    Args:
        values: of the flags of `search`, by name.
        usual: likewise, as they were before the user named any.

    Returns:
        The recipe; None for the search's.

    Raises:
        UserError: if one of its flags belongs to another optimiser or schedule, or the user wants
            a recipe for finals that there are not.
    """
    if values[FLAG] == SEARCH:
        return None
    if values["finals"] == OFF and values[FLAG] != usual.get(FLAG):
        raise UserError(
            f"--{FLAG} says how finals train, and this search has none; name --finals=ROUNDS as "
            "well, or leave it out."
        )
    changed = with_recipe(values)
    flags = _of_training(changed)
    flags.refuse_without_effect(FLAG.replace("_", " "), values)
    words = as_words(values[FLAG], {name: as_text(values[name]) for name in NAMES})
    return FinalsRecipe(words, child_training.recipe(changed)) if words else None


def with_recipe(values: dict[str, Any]) -> dict[str, Any]:
    """The flags of a search as they are for its finals.

    Args:
        values: of the flags of `search`, by name.

    Returns:
        The same but for the recipe.
    """
    flags = _of_training(values)
    flags.parse(as_words(values[FLAG], {}))
    return values | flags.chosen()


def _of_training(values: Mapping[str, Any]) -> FlagSet:
    """The flags of a child's training, at values of a search."""
    flags = FlagSet("search", "", "")
    child_training.define(flags)
    # To it belong flags of language models.
    flags.text("layout", "", "")
    for name in flags.values:
        if name in values:
            flags.values[name].value = values[name]
    return flags


_DEFAULTS = {name: as_text(_of_training({}).values[name].value) for name in NAMES}

"""The finals that follow a search: their rounds, and their recipe if it is not the search's."""

from __future__ import annotations

from typing import Any

from blockqnn.errors import UserError
from blockqnn.flags import child_training
from blockqnn.flags.flag_text import as_text
from blockqnn.flags.parsing import FlagSet
from blockqnn.runs.rounds import OFF, ROUNDS_ALLOWED
from blockqnn.runs.rounds import canonical as canonical_rounds
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
        "them, of --" + ", --".join(NAMES) + "; best that of the training which comes after "
        f'(docs/results.md, "A better block"); {SEARCH} for the search\'s recipe',
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
        ValueError: if it names no flag of a training or has a value that the flag refuses.
    """
    if text.strip() in ("", SEARCH):
        return SEARCH
    pairs = [part.strip().partition("=") for part in text.split(",")]
    named = {name.removeprefix("--"): value for name, _, value in pairs}
    if len(named) != len(pairs) or not named.keys() <= set(NAMES):
        raise ValueError(text)
    known = _of_training({})
    try:
        known.parse([f"--{name}={value}" for name, value in named.items()])
    except UserError as error:
        raise ValueError(text) from error
    return ",".join(f"{n}={as_text(known.values[n].value)}" for n in NAMES if n in named)


def as_words(text: str) -> tuple[str, ...]:
    """The flags of a recipe in its canonical form, as a command line has them."""
    return () if text == SEARCH else tuple(f"--{part}" for part in text.split(","))


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
    words = as_words(values[FLAG])
    if not words:
        return None
    if values["finals"] == OFF and values[FLAG] != usual.get(FLAG):
        raise UserError(
            f"--{FLAG} says how finals train, and this search has none; name --finals=ROUNDS as "
            "well, or leave it out."
        )
    flags = _of_training(values)
    flags.parse(words)
    flags.refuse_without_effect(f"{FLAG.replace('_', ' ')}", values)
    return FinalsRecipe(words, child_training.recipe(values | flags.chosen()))


def _of_training(values: dict[str, Any]) -> FlagSet:
    """The flags of a child's training, at values of a search."""
    flags = FlagSet("search", "", "")
    child_training.define(flags)
    # To it belong flags of language models.
    flags.text("layout", "", "")
    for name in flags.values:
        if name in values:
            flags.values[name].value = values[name]
    return flags

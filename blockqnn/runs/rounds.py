"""The rounds of finals: how many blocks are trained for how long, as text and as values."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from blockqnn.errors import UserError
from blockqnn.listing import counted

OFF = "off"
"""What stands for no finals."""

ROUNDS_ALLOWED = (
    "BLOCKS:EPOCHS or BLOCKS:EPOCHS:SEEDS for each round, with commas between them, as in "
    "40:3,12:9,4:27:3"
)
_MOST = 10**9


@dataclasses.dataclass(frozen=True)
class Round:
    """One round.

    Attributes:
        blocks: that are trained in it, the best of those before.
        epochs: of each training.
        seeds: trainings of each block, from different initial weights.
    """

    blocks: int
    epochs: int
    seeds: int = 1

    def in_words(self) -> str:
        """What is trained, in a phrase."""
        seeds = f", {self.seeds} trainings each" if self.seeds > 1 else ""
        return f"{counted(self.blocks, 'block')} for {counted(self.epochs, 'epoch')}{seeds}"


@dataclasses.dataclass(frozen=True)
class FinalsProgress:
    """How far the finals of a run are.

    Attributes:
        round: that is under way, from 1.
        rounds: of the finals.
        epochs: of each training of the round.
        ended: trainings of the round that have ended.
        trainings: of the round.
        search: state of the search, `stopped` or `finished`.
    """

    round: int
    rounds: int
    epochs: int
    ended: int
    trainings: int
    search: str


def parse_rounds(text: str, seeds: int = 1) -> tuple[Round, ...]:
    """Reads rounds.

    Args:
        text: see `ROUNDS_ALLOWED`; `off` or nothing for none.
        seeds: of a round that names no number.

    Returns:
        The rounds, which may contradict one another; see `check_rounds`.

    Raises:
        ValueError: if it is none of these.
    """
    if text.strip() in ("", OFF):
        return ()
    rounds = []
    for part in text.split(","):
        numbers = [int(number) for number in part.split(":")]
        if not 2 <= len(numbers) <= 3 or not all(0 < number <= _MOST for number in numbers):
            raise ValueError(part)
        blocks, epochs, *named = numbers
        rounds.append(Round(blocks, epochs, *(named or [seeds])))
    return tuple(rounds)


def canonical(text: str) -> str:
    """The one way of writing rounds that leave numbers of seeds open, by which a run knows them.

    Args:
        text: as `parse_rounds` takes it.

    Returns:
        The same rounds.

    Raises:
        ValueError: if there are none such.
    """
    if not parse_rounds(text):
        return OFF
    return ",".join(":".join(str(int(n)) for n in part.split(":")) for part in text.split(","))


def write_rounds(rounds: Sequence[Round]) -> str:
    """Rounds as text that `parse_rounds` reads.

    Args:
        rounds: any.

    Returns:
        The text; `off` for none.
    """
    return ",".join(f"{r.blocks}:{r.epochs}:{r.seeds}" for r in rounds) or OFF


def short_rounds(rounds: Sequence[Round]) -> str:
    """Rounds as one would type them, without seeds where there is one."""
    parts = (f"{r.blocks}:{r.epochs}" + (f":{r.seeds}" if r.seeds > 1 else "") for r in rounds)
    return ",".join(parts) or OFF


def in_words(rounds: Sequence[Round]) -> str:
    """What is trained in each round, in a line."""
    return "; then the best ".join(each.in_words() for each in rounds)


def check_rounds(rounds: Sequence[Round], flag: str) -> None:
    """Refuses rounds that do not narrow.

    Args:
        rounds: in order.
        flag: that named them, for the message.

    Raises:
        UserError: if a round has more blocks or fewer epochs than the one before.
    """
    for place, (before, after) in enumerate(itertools.pairwise(rounds), start=2):
        for noun, old, new, wrong, word in (
            ("blocks", before.blocks, after.blocks, after.blocks > before.blocks, "more"),
            ("epochs", before.epochs, after.epochs, after.epochs < before.epochs, "fewer"),
        ):
            if wrong:
                raise UserError(
                    f"{flag} has {old:,} {noun} in round {place - 1} and {new:,}, which are "
                    f"{word}, in round {place}; allowed: rounds with no more blocks and no fewer "
                    "epochs than the one before."
                )


def progress_from_json(fields: Mapping[str, Any]) -> FinalsProgress:
    """What a status file says of finals.

    Args:
        fields: the attributes of a `FinalsProgress`, by name.

    Returns:
        The progress.

    Raises:
        TypeError, KeyError, ValueError: if it is none.
    """
    numbers = {name: int(fields[name]) for name in fields if name != "search"}
    return FinalsProgress(**numbers, search=str(fields["search"]))

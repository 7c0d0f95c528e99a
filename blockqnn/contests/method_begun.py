"""Whether a search goes on with what its directory holds from an earlier contest there."""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from blockqnn.contests.method_play import BUDGET, ENDED
from blockqnn.contests.methods import Player
from blockqnn.errors import UserError
from blockqnn.runs.finals import FINALS
from blockqnn.runs.rounds import Round, parse_rounds, short_rounds
from blockqnn.runs.run_directory import check_same_search, flag_then, known_by_content
from blockqnn.runs.store import FILE_NAME, Store
from blockqnn.settings import RunSettings


def check_begun(
    player: Player,
    run: RunSettings,
    budget: int,
    rounds: tuple[Round, ...],
    out_dir: pathlib.Path,
) -> None:
    """Refuses a search that is another one than its directory holds.

    An agent whose settings depend on the budget searches otherwise by another one; the others go
    on to a larger one. Finals, whose seconds count, would be played twice.

    Args:
        player: the method.
        run: how and where.
        budget: evaluations; 0 where there are seconds alone.
        rounds: of the finals that end it.
        out_dir: of the contest.

    Raises:
        UserError: if it is, or the directory cannot be read.
    """
    facts = _facts(run.run_dir)
    if "flags" not in facts:
        return
    known = known_by_content(facts)
    now = {name: value for name, value in run.flag_values.items() if name not in known}
    before = _budget(run.run_dir, facts)
    if player.contestant is not None and before is not None and before != budget:
        other = any(flag_then(facts["flags"], name, v) != v for name, v in now.items())
        reason = ""
        if player.contestant.is_sized and other:
            reason = f"and the settings of {player.title} follow from the largest budget"
        elif FINALS in facts and budget > before:
            reason = f"after which {player.title} has played finals"
        if reason:
            raise UserError(
                f"The contest in {out_dir} was begun with {_in_words(before)}, {reason}; given is "
                f"{_in_words(budget)}. Give the old budget, or another --out_dir."
            )
    played = parse_rounds(str(facts[FINALS]["rounds"])) if FINALS in facts else ()
    if played != rounds and (played or (run.run_dir / ENDED).exists()):
        raise UserError(
            f"The contest in {out_dir} was begun with --finals={short_rounds(played)}; given is "
            f"--finals={short_rounds(rounds)}. Give the old rounds, or another --out_dir."
        )
    check_same_search(facts["flags"], now, run.run_dir, "--out_dir")


def _facts(run_dir: pathlib.Path) -> dict[str, Any]:
    if not (run_dir / FILE_NAME).is_file():
        return {}
    with contextlib.closing(Store.open_read_only(run_dir / FILE_NAME)) as store:
        return store.facts()


def _budget(run_dir: pathlib.Path, facts: Mapping[str, Any]) -> int | None:
    """Evaluations that a search was begun for; None where nobody knows."""
    if BUDGET in facts:
        return int(facts[BUDGET])
    try:
        # Contests of earlier versions wrote that down at the end alone.
        return int(json.loads((run_dir / ENDED).read_text(encoding="utf-8"))["evaluations"])
    except FileNotFoundError:
        return None


def _in_words(budget: int) -> str:
    return f"--budgets={budget}" if budget else "--seconds alone"

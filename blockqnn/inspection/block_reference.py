"""What a user may write for a block: a name, a code, or a trial of a run."""

from __future__ import annotations

import dataclasses
import pathlib

from blockqnn.errors import UserError
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import fitting, is_code, parse, published
from blockqnn.runs.run_record import RunRecord, read_run
from blockqnn.runs.spending import none_trained
from blockqnn.trial import Trial

BEST, BEST_EARLY = "best", "best_early"
"""Names of trials: the winner of a run's finals, or else the block of highest reward; and always
the latter."""


@dataclasses.dataclass(frozen=True)
class BlockReference:
    """A block that a user named.

    Attributes:
        title: how to call it.
        code: the block, or the cell.
        layout: of its child network in the run that it comes from, or None.
        trial: that it comes from, or None.
        dry: whether its accuracies were made up.
        run: that it comes from, or None.
        note: what is to be said where it is used; empty for nothing.
        notice: what is to be said of the run's figures; empty for nothing.
    """

    title: str
    code: Code
    layout: Layout | None = None
    trial: Trial | None = None
    dry: bool = False
    run: RunRecord | None = None
    note: str = ""
    notice: str = ""

    def standing_in(self, default: Layout) -> Layout:
        """The layout of its child network.

        Args:
            default: where no run gives one.

        Returns:
            That of its run; or the default, of the kind that its space takes
            where a design of the space cannot stand in the default's.
        """
        return fitting(self.code, default) if self.layout is None else self.layout


def is_run(reference: str) -> bool:
    """Whether a reference names a whole run: a directory, and no published block."""
    if reference in published():
        return False
    try:
        return pathlib.Path(reference).is_dir()
    except (OSError, ValueError):  # A code can be too long for a path, or hold a null byte.
        return False


def resolve(reference: str, max_layers: int) -> BlockReference:
    """Finds the block that a user means.

    Args:
        reference: a published block's name, a code, `RUN_DIR#NUMBER`,
            `RUN_DIR#best`, `RUN_DIR#best_early`, or `RUN_DIR` for its best block.
        max_layers: most layers of a code, Terminal not counted.

    Returns:
        The block.

    Raises:
        UserError: if there is no such block.
        CodeError: if the code breaks a rule.
    """
    if reference in published():
        return BlockReference(reference, published()[reference])
    if is_code(reference):
        return BlockReference("code", parse(reference, max_layers))
    directory, separator, name = reference.rpartition("#")
    if not separator and is_run(reference):
        directory, separator, name = reference, "#", BEST
    if not separator:
        raise UserError(
            f"There is no block {reference!r}; allowed: {', '.join(published())}, a code like "
            "[(1,1,3,0,0),(2,7,0,0,0)], RUN_DIR#NUMBER, RUN_DIR#best, RUN_DIR#best_early, or "
            "RUN_DIR."
        )
    run = read_run(pathlib.Path(directory))
    trial = find_trial(run, name)
    note = run.stale_finals if name == BEST else ""
    return BlockReference(
        f"{directory}#{trial.number}",
        trial.code,
        trial.layout(run.layout),
        trial,
        run.dry,
        run,
        note,
        run.notice,
    )


def find_trial(run: RunRecord, name: str) -> Trial:
    """Finds a trial by its name.

    Args:
        run: that it is of.
        name: its number, `best` or `best_early`.

    Returns:
        The trial.

    Raises:
        UserError: if the run has no such trial.
    """
    if name in (BEST, BEST_EARLY):
        best = run.best(1) if name == BEST else run.by_reward
        if not best:
            raise UserError(f"The run in {run.path} {none_trained(run.trials)}.")
        return best[0]
    matches = [t for t in run.trials if name.isdecimal() and t.number == int(name[:18])]
    if not matches:
        numbers = f"1 to {run.trials[-1].number}" if run.trials else "none yet"
        raise UserError(
            f"The run in {run.path} has no trial {name!r}; allowed: {numbers}, {BEST}, or "
            f"{BEST_EARLY}."
        )
    return matches[0]

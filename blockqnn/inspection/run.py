"""A run as Python and notebooks see it; `blockqnn.open_run` opens one."""

from __future__ import annotations

import collections
import dataclasses
import html
import operator
import os
import pathlib
from typing import SupportsIndex

import pandas as pd

from blockqnn.errors import UserError
from blockqnn.inspection.block import Block, Blocks
from blockqnn.inspection.block_reference import BEST, find_trial
from blockqnn.inspection.explanation import action_text, next_actions, read_knowledge
from blockqnn.inspection.trials_frame import trials_frame
from blockqnn.listing import in_units, judged, judged_by, number, with_accuracy
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import write
from blockqnn.runs.run_record import RunRecord, read_run
from blockqnn.trial import Status, Trial

_SHOWN = 5
_ENDED = (Status.COMPLETED, Status.KNOWN, Status.INFEASIBLE, Status.FAILED)


class Run:
    """What a run had found when it was opened, or last refreshed.

    All that one has at hand belongs to one moment: a search that goes on
    changes nothing here until `refresh` is called.
    """

    def __init__(self, path: str | os.PathLike[str]):
        """Reads a run.

        Args:
            path: its directory.

        Raises:
            UserError: if there is no run, or it cannot be read.
        """
        self._path = pathlib.Path(path)
        self._frame: pd.DataFrame | None = None
        self._record = read_run(self._path)

    def refresh(self) -> Run:
        """Reads the run again.

        Returns:
            This run, with what has finished by now.

        Raises:
            UserError: if it cannot be read any more; what was read stays.
        """
        self._record, self._frame = read_run(self._path), None
        return self

    @property
    def path(self) -> pathlib.Path:
        """Its directory."""
        return self._path

    @property
    def record(self) -> RunRecord:
        """What was read, without pandas."""
        return self._record

    @property
    def trials(self) -> pd.DataFrame:
        """All trials that have finished, one a row; see `inspection.trials_frame`.

        The frame is yours: changing it changes nothing here.
        """
        if self._frame is None:
            self._frame = trials_frame(
                self._record.trials, self._record.dry, self._record.final_places
            )
        return self._frame.copy()

    @property
    def flags(self) -> dict[str, str]:
        """What the search is, as one would type it, by flag."""
        return dict(self._record.flags)

    @property
    def layout(self) -> Layout:
        """Of its child networks."""
        return self._record.layout

    @property
    def iterations(self) -> int:
        """How many the agent has learned from."""
        return self._record.iterations

    @property
    def dry(self) -> bool:
        """Whether its accuracies were made up."""
        return self._record.dry

    def best(self, count: int = _SHOWN) -> Blocks:
        """The best trained blocks: those of finals that have ended, then the others by reward.

        Args:
            count: how many at most.

        Returns:
            Blocks, best first; a tuple that a notebook displays as drawings.

        Raises:
            UserError: if the count is negative.
        """
        if count < 0:
            raise UserError(f"The number of blocks is {count}; allowed: at least 0.")
        return Blocks(map(self._block, self._record.best(count)))

    def block(self, which: SupportsIndex | str = BEST) -> Block:
        """One block.

        Args:
            which: the number of a trial; `best` for the winner of finals that have
                ended, or else the block of highest reward; `best_early` for the latter.

        Returns:
            The block.

        Raises:
            UserError: if there is no such trial.
        """
        name = which if isinstance(which, str) else str(operator.index(which))
        return self._block(find_trial(self._record, name))

    def explain(self, prefix: str = "") -> pd.DataFrame:
        """What the agent would do after the beginning of a code, and why.

        The agent's state is read now, perhaps later than the trials were.

        Args:
            prefix: the beginning of a code, such as `[(1,4,0,0,0)]`; nothing
                for the start.

        Returns:
            A row for each legal action, the highest value first: `action` as
            numbers, `meaning` in words, the `probability` with which the agent
            would take it, its `value`, on the scale on which a reward of
            100 % is 1, NaN where the agent has none, the number of `visits`
            that made it, and the number of `trials` in which the action
            followed. The frame's `attrs` have the words of the agent for them:
            `agent`, `value`, `visits` and `meaning`.

        Raises:
            UserError: if the agent has learned nothing yet.
            CodeError: if no code of the run begins with the prefix.
        """
        knowledge = read_knowledge(self._path)
        begun = knowledge.space.parse_prefix(prefix)
        rows = [(*found.prospect, found.trials) for found in next_actions(knowledge, begun)]
        frame = pd.DataFrame(
            {
                "action": [action_text(row[0]) for row in rows],
                "meaning": [knowledge.space.action_title(row[0]) for row in rows],
                "probability": [row[1] for row in rows],
                "value": pd.Series([row[3] for row in rows], dtype=float),
                "visits": [row[4] for row in rows],
                "trials": [row[5] for row in rows],
            }
        )
        frame.attrs = dataclasses.asdict(knowledge.agent.terms)
        return frame

    def __len__(self) -> int:
        return len(self._record.trials)

    def __repr__(self) -> str:
        lines = [f"Run {str(self._path)!r}: {self._summary()}"]
        best = self._record.best(1)
        if best:
            won = ", the winner of the finals" if self._record.final_ranking else ""
            lines.append(
                f"  best: trial {best[0].number}{won}, reward {number(best[0].reward)}"
                f"{with_accuracy(best[0])}, {write(best[0].code)}"
            )
        if self._record.stale_finals:
            lines.append(f"  {self._record.stale_finals}")
        if self._record.notice:
            lines.append(f"  {self._record.notice}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        header = [
            "rank",
            "trial",
            "reward",
            judged_by(self._record.trials),
            "parameters",
            "FLOPs",
            "code",
        ]
        rows = [
            [
                str(rank),
                str(trial.number),
                number(trial.reward),
                judged(trial),
                in_units(trial.parameters),
                in_units(trial.flops),
                write(trial.code),
            ]
            for rank, trial in enumerate(self._record.best(_SHOWN), start=1)
        ]
        parts = [f"<p><b>{html.escape(str(self._path))}</b>: {html.escape(self._summary())}</p>"]
        if self._record.notice:
            parts.append(f"<p><b>{html.escape(self._record.notice)}</b></p>")
        if rows:
            parts.append(
                f"<table>{_row('th', header)}{''.join(_row('td', r) for r in rows)}</table>"
            )
        return "".join(parts)

    def _block(self, trial: Trial) -> Block:
        return Block(trial, trial.layout(self.layout), self.dry, self._record.notice)

    def _summary(self) -> str:
        counts = collections.Counter(trial.status for trial in self._record.trials)
        words = ", ".join(f"{counts[status]} {status}" for status in _ENDED)
        return f"{len(self)} trials, {words}; the agent learned from {self.iterations} iterations"


def _row(cell: str, texts: list[str]) -> str:
    # The last column is long, and text.
    aligned = ["right"] * (len(texts) - 1) + ["left"]
    cells = (
        f'<{cell} style="text-align:{side}">{html.escape(text)}</{cell}>'
        for side, text in zip(aligned, texts, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"

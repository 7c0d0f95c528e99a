"""What a contest of methods is: who plays, up to what, judged by what."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Callable

from blockqnn.contests.methods import REFERENCE, Player
from blockqnn.evaluation.contract import TABLE
from blockqnn.runs.rounds import Round
from blockqnn.settings import RunSettings, SearchSettings

Prepare = Callable[[Player, int], tuple[SearchSettings, RunSettings]]
"""Settings of the search of a method by its seed."""


@dataclasses.dataclass(frozen=True)
class MethodSettings:
    """What to compare.

    Attributes:
        players: the methods.
        prepare: makes settings of their searches, whose directories are in `out_dir`.
        evaluator: of agents: their children are trained, looked up or made up.
        table: path of accuracies; empty for none.
        search_column: of the table, which agents see that look up.
        judge_column: of the table.
        judged_by_training: whether what was chosen is trained to the end.
        judge_seeds: trainings of each such design.
        judge_flags: of `train`.
        budgets: evaluations; empty where there are seconds alone.
        seconds: of one device; empty for none.
        sized_to: evaluations to which agents with children of their own are sized.
        evaluation_seconds: that looking up counts as; 0 where nobody has said.
        seeds: searches of each method.
        rounds: of finals at the end of each search.
        workers: processes that look up; 0 for one a core.
        out_dir: holds all searches, so that the same command continues.
        figure: file for the curves, or None.
        as_json: print one JSON object.
    """

    players: tuple[Player, ...]
    prepare: Prepare
    evaluator: str
    table: str
    search_column: str
    judge_column: str
    judged_by_training: bool
    judge_seeds: int
    judge_flags: tuple[str, ...]
    budgets: tuple[int, ...]
    seconds: tuple[float, ...]
    sized_to: int
    evaluation_seconds: float
    seeds: int
    rounds: tuple[Round, ...]
    workers: int
    out_dir: pathlib.Path
    figure: pathlib.Path | None
    as_json: bool

    @property
    def reference(self) -> str:
        """Title of the method that all others are tested against: random search, or the first."""
        titles = [player.title for player in self.players]
        return REFERENCE if REFERENCE in titles else titles[0]

    @property
    def evaluations(self) -> int:
        """The largest budget; 0 where there are seconds alone."""
        return max(self.budgets, default=0)

    @property
    def size(self) -> int:
        """Evaluations of an agent that looks up: for the largest of all budgets."""
        most = max(self.seconds, default=0.0)
        return max(*self.budgets, 1, math.ceil(most / (self.evaluation_seconds or 1.0)))

    def looks_up(self, player: Player) -> bool:
        """Whether a method evaluates by looking accuracies up."""
        return player.contestant is not None and self.evaluator == TABLE

"""How far a search is in its budget, and what its next iteration is to be."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from blockqnn.settings import SearchSettings
from blockqnn.trial import Status, Trial

SECONDS = "searched_seconds"
"""The fact in a store: for how long the run's processes have searched."""

UNDER_WAY = "under_way"
"""The fact in a store: the iteration that was begun last, so that it ends as it began."""

MOST_IN_VAIN = 1000
"""A search with a budget ends after so many suggestions in a row that gave nothing to train."""

_LEAST_ITERATIONS = 3
"""Of a small budget: more would leave workers without a block."""

_SECONDS_AN_HOUR = 3600.0


def takes_budget(trial: Trial) -> bool:
    """Whether a trial counts as a block: it was trained, be it in vain."""
    # What repeats a failed block has its number, and was not trained.
    return trial.status is Status.COMPLETED or (
        trial.status is Status.FAILED and trial.source is None
    )


@dataclasses.dataclass(frozen=True)
class Plan:
    """An iteration.

    Attributes:
        blocks: that it is to have.
        share: of the budget that is used up before it; None where the schedule
            is counted in iterations, and blocks that are known count too.
    """

    blocks: int
    share: float | None = None

    def as_fact(self, iteration: int) -> dict[str, Any]:
        """What a store keeps of it."""
        return {UNDER_WAY: {"iteration": iteration, **dataclasses.asdict(self)}}


class Pace:
    """Counts blocks and seconds against a budget."""

    def __init__(
        self,
        settings: SearchSettings,
        seconds: float,
        now: Callable[[], float] = time.monotonic,
    ):
        """Begins to count.

        Args:
            settings: of the search.
            seconds: that earlier processes searched.
            now: the time in seconds.
        """
        self._settings, self._budget = settings, settings.budget
        self._now, self._begun, self._before = now, now(), seconds
        self.blocks = 0
        self._in_vain = 0
        self._trained, self._trained_seconds = 0, 0.0

    def count(self, trial: Trial) -> None:
        """Counts a trial, those of earlier processes included."""
        if not takes_budget(trial):
            self._in_vain += 1
            return
        self.blocks += 1
        self._in_vain = 0
        if trial.status is Status.COMPLETED:
            self._trained += 1
            self._trained_seconds += trial.seconds

    @property
    def seconds(self) -> float:
        """For how long the run has been searched, in all its processes."""
        return self._before + self._now() - self._begun

    @property
    def facts(self) -> dict[str, Any]:
        """What is kept with each trial, for the process that goes on."""
        return {SECONDS: round(self.seconds, 3)} if self._budget else {}

    @property
    def share(self) -> float:
        """Which share of the budget is used up, of two budgets the one that ends first."""
        shares = [0.0]
        if self._budget.max_blocks:
            shares.append(self.blocks / self._budget.max_blocks)
        if self._budget.max_hours:
            shares.append(self.seconds / (self._budget.max_hours * _SECONDS_AN_HOUR))
        return min(1.0, max(shares))

    @property
    def seconds_left(self) -> float:
        """Until the hours are over; infinite where there is no such end."""
        if not self._budget.max_hours:
            return math.inf
        return self._budget.max_hours * _SECONDS_AN_HOUR - self.seconds

    @property
    def time_is_up(self) -> bool:
        """Whether a child that began now would probably end too late."""
        mean = self._trained_seconds / self._trained if self._trained else 0.0
        return self.seconds_left <= 0 or self.seconds_left < mean

    @property
    def in_vain(self) -> bool:
        """Whether nothing new has been suggested for too long."""
        return bool(self._budget) and self._in_vain >= MOST_IN_VAIN

    def blocks_left(self, under_way: int = 0) -> float:
        """How many blocks may still be begun.

        Args:
            under_way: that are in training.

        Returns:
            Their number; infinite where there is no such end.
        """
        most = self._budget.max_blocks
        return most - self.blocks - under_way if most else math.inf

    def over(self, under_way: int = 0) -> bool:
        """Whether nothing more is to be begun, for a search with a budget.

        Args:
            under_way: blocks in training.

        Returns:
            True where the budget is used up, or nothing new is suggested.
        """
        return self.blocks_left(under_way) <= 0 or self.time_is_up or self.in_vain

    def ending(self) -> str:
        """Why a search with a budget is over, in a sentence that says how to go on."""
        budget = self._budget
        if self.in_vain:
            return (
                f"The last {MOST_IN_VAIN:,} suggestions gave nothing new to train, so the search "
                "has ended before its budget."
            )
        if self.blocks_left() <= 0:
            return (
                f"The budget of {budget.max_blocks:,} blocks is used up; a larger --max_blocks "
                "continues the run."
            )
        return (
            f"The budget of {budget.max_hours:g} hours is used up; a larger --max_hours continues "
            "the run."
        )

    def plan(self, counted: int = 0) -> Plan:
        """The iteration that begins now.

        Args:
            counted: blocks of it that have been counted, where it has begun already.

        Returns:
            The plan.
        """
        blocks = self._settings.blocks_per_iteration
        if not self._budget:
            return Plan(blocks)
        if self._budget.max_blocks:
            # However few blocks there are, the agent learns a few times, with two at once.
            most = self._budget.max_blocks // min(len(self._settings.schedule), _LEAST_ITERATIONS)
            blocks = min(blocks, max(most, 2))
            blocks = max(1, min(blocks, int(self.blocks_left()) + counted))
        return Plan(blocks, self.share)


def plan_under_way(facts: Mapping[str, Any], iteration: int, blocks: int) -> Plan:
    """The plan of an iteration of which there are trials.

    Args:
        facts: of the store.
        iteration: its number.
        blocks: of an iteration where nothing was kept, as without a budget.

    Returns:
        The plan with which it began.
    """
    kept = facts.get(UNDER_WAY) or {}
    if kept.get("iteration") != iteration:
        return Plan(blocks)
    return Plan(int(kept["blocks"]), None if kept["share"] is None else float(kept["share"]))

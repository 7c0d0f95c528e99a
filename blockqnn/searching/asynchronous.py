"""The search loop in which no worker waits for another."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

from blockqnn.agents.contract import Agent
from blockqnn.runs.store import Store, Suggestion
from blockqnn.searching.loop import DRAWS_PER_BLOCK, Search, episodes
from blockqnn.searching.pace import takes_budget
from blockqnn.settings import SearchSettings
from blockqnn.trial import Outcome, Status, Trial
from blockqnn.workers.contract import Executor


class AsynchronousSearch(Search):
    """A search that suggests a block whenever a worker has nothing to do.

    An iteration is over when as many blocks have finished as it has, whenever
    they were suggested: then the agent learns from them, in the order of their
    numbers, and its epsilon moves on. What is suggested depends on what has
    finished by then, so no two runs are alike. Each suggestion is in the store
    before it is evaluated, together with the agent's random state, and one that
    did not finish is evaluated again when the search goes on.
    """

    def __init__(self, settings: SearchSettings, agent: Agent, store: Store):
        """Puts the agent where the store says that it stood.

        Args:
            settings: of the search.
            agent: a fresh one.
            store: of this search, perhaps with trials.
        """
        super().__init__(settings, agent, store)
        self._batch = [t for t in self._trials.values() if t.iteration > self.ended_iterations]
        self._counted = sum(map(self._counts, self._batch))
        self._handed_out = store.running()
        numbers = [*self._trials, *(suggestion.number for suggestion in self._handed_out)]
        self._last = max(numbers, default=0)
        self._running: dict[int, Trial] = {}
        self._waiting: dict[str, list[Trial]] = {}
        self._in_flight = {suggestion.number for suggestion in self._handed_out}
        self._blocks = self._blocks_of_iteration()
        self._epsilon = float(agent.statistics()["epsilon"])

    @property
    def finished(self) -> bool:
        """See `Search.finished`. What was begun is waited for."""
        if not self._settings.budget:
            return super().finished
        # The process may have ended between the last trial of an iteration and its end.
        ended = self._counted < self._blocks
        return self.pace.over() and not self._in_flight and ended

    def run(self, executor: Executor) -> Iterator[Trial]:
        """See `Search.run`."""
        for suggestion in self._handed_out:
            trial = self._make_trial(
                suggestion.number, self.ended_iterations + 1, suggestion.epsilon, suggestion.code
            )
            # The agent may have learned since: what it knew then is what counts.
            trial = dataclasses.replace(trial, sampled=suggestion.sampled)
            yield from self._begin(trial, executor)
        # The process may have ended between the last trial of an iteration and its end.
        self._end_iteration_if_over()
        while not self.finished:
            if self._wants_more() and executor.room:
                yield from self._begin(self._next(), executor)
            # The time may be up just now, with nothing left to wait for.
            elif self._running and (ended := executor.next_outcome_or_room()) is not None:
                yield from self._end(*ended, executor)

    def _counts(self, trial: Trial) -> bool:
        """Whether a trial is one of the blocks that an iteration has."""
        if self._settings.budget:
            return takes_budget(trial)
        return trial.status is not Status.INFEASIBLE

    def _blocks_of_iteration(self) -> int:
        """How many blocks the iteration has that begins now, or is under way."""
        plan = self.pace.plan(self._counted)
        if not self._batch:
            self._tell_pace(plan.share)
        return plan.blocks

    def _wants_more(self) -> bool:
        """Whether suggestions are missing to the end of the search."""
        if len(self._batch) >= DRAWS_PER_BLOCK * self._blocks:
            return False
        if self._settings.budget:
            return not self.pace.over(len(self._running))
        wanted = (self._settings.iterations - self.ended_iterations) * self._blocks
        return self._counted + len(self._in_flight) < wanted

    def _next(self) -> Trial:
        """Draws a block and has it in the store before anything else is done with it."""
        self._last += 1
        (actions,) = self._suggestions(self._last, 1)
        trial = self._make_trial(self._last, self.ended_iterations + 1, self._epsilon, actions)
        self._store.hand_out(
            Suggestion(trial.number, trial.epsilon, trial.code, time.time(), trial.sampled),
            self._agent.get_state(changed_only=True),
        )
        return trial

    def _begin(self, trial: Trial, executor: Executor) -> Iterator[Trial]:
        """Evaluates a block, unless that is needless or another one like it is under way."""
        if trial.status is Status.INFEASIBLE:
            yield self._finish_infeasible(trial)
        elif trial.hash in self._source:
            yield self._finish_known(trial)
        else:
            self._in_flight.add(trial.number)
            if trial.hash in self._waiting:
                self._waiting[trial.hash].append(trial)
            else:
                self._waiting[trial.hash] = []
                self._start(trial, executor)

    def _start(self, trial: Trial, executor: Executor) -> None:
        self._running[trial.number] = trial
        executor.submit(self._job(trial))

    def _end(self, number: int, outcome: Outcome, executor: Executor) -> Iterator[Trial]:
        """Records an outcome, and what becomes of those that waited for it."""
        trial = self._running.pop(number)
        repeats = self._waiting.pop(trial.hash)
        if outcome.status is Status.FAILED and repeats and not self._settings.budget:
            # What failed is tried again, by the next one that suggested it.
            self._waiting[trial.hash] = repeats[1:]
            self._start(repeats[0], executor)
            repeats = []
        trial = self._finish_evaluated(trial, outcome)
        yield trial
        for repeat in repeats:
            yield self._finish_like(trial, repeat)

    def _finish(self, trial: Trial, **changes: Any) -> Trial:
        # It belongs to the iteration whose learning it is part of.
        trial = dataclasses.replace(trial, iteration=self.ended_iterations + 1)
        trial = super()._finish(trial, **changes)
        self._in_flight.discard(trial.number)
        self._batch.append(trial)
        self._counted += self._counts(trial)
        self._end_iteration_if_over()
        return trial

    def _end_iteration_if_over(self) -> None:
        drawn_in_vain = len(self._batch) >= DRAWS_PER_BLOCK * self._blocks and not self._in_flight
        if self._counted < self._blocks and not drawn_in_vain:
            return
        self._agent.update(episodes(self._batch))
        self._batch, self._counted = [], 0
        self._blocks = self._blocks_of_iteration()
        # Statistics look at the whole table, which is too much for every suggestion.
        self._epsilon = float(self._agent.statistics()["epsilon"])
        self._end_iteration(self.ended_iterations + 1)

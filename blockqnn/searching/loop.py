"""The search loop: suggest, evaluate, store, learn."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from blockqnn.agents.contract import Agent
from blockqnn.agents.pacing import Paced
from blockqnn.evaluation.table import NOT_IN_TABLE, AccuracyTable
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import space_named
from blockqnn.reward import guessing_reward
from blockqnn.runs.learning import as_stored, episodes, put_back, sampled_by
from blockqnn.runs.store import Store
from blockqnn.runs.store_schema import RENAMED_UNTIL
from blockqnn.searching.pace import SECONDS, Pace, Plan, plan_under_way
from blockqnn.searching.rewards import reward_of
from blockqnn.searching.size import Size, size_of
from blockqnn.settings import SearchSettings
from blockqnn.trial import Job, Outcome, Status, Trial, child_seed, job_of
from blockqnn.workers.contract import Executor

DRAWS_PER_BLOCK = 20
"""At most so many suggestions are drawn for each block that is wanted."""


class Search:
    """A search that goes on from whatever its store holds.

    Suggestions are drawn when an iteration begins and depend on the agent's
    state alone, so an iteration that was cut short is suggested again as it
    was, and only what did not finish is evaluated.
    """

    def __init__(self, settings: SearchSettings, agent: Agent, store: Store):
        """Puts the agent where the store says that it stood.

        Args:
            settings: of the search.
            agent: a fresh one.
            store: of this search, perhaps with trials.
        """
        self._settings, self._agent, self._store = settings, agent, store
        self._space = space_named(settings.space, settings.max_layers)
        self._trials: dict[int, Trial] = {}
        self._source: dict[str, int] = {}
        self._sizes: dict[str, Size] = {}
        facts = store.facts()
        self._renamed_until: int = facts.get(RENAMED_UNTIL, 0)
        self.pace = Pace(settings, float(facts.get(SECONDS, 0.0)))
        self._table: AccuracyTable | None = None
        self._bank_of: Callable[[Code], str] | None = None
        for trial in store.trials():
            self._record(trial)
        self.ended_iterations: int = facts.get("iterations", 0)
        if state := store.agent_state():
            put_back(agent, state, self._trials.values(), self.ended_iterations)

    @property
    def finished(self) -> bool:
        """Whether the schedule, or the budget that replaces its length, has come to its end."""
        if not self._settings.budget:
            return self.ended_iterations >= self._settings.iterations
        # The process may have ended between the last trial of an iteration and its end.
        return self.pace.over() and (self.pace.time_is_up or not self._is_open)

    def look_up_in(self, table: AccuracyTable) -> None:
        """Makes what a table lacks infeasible, so that it is drawn anew."""
        self._table = table

    def score_with(self, bank_of: Callable[[Code], str]) -> None:
        """Has designs scored by shared weights, those of the bank that it names for each."""
        self._bank_of = bank_of

    def _job(self, trial: Trial) -> Job:
        """What an executor is asked for."""
        bank = self._bank_of(trial.code) if self._bank_of else ""
        return dataclasses.replace(job_of(trial), bank=bank)

    def run(self, executor: Executor) -> Iterator[Trial]:
        """Carries the search to the end of its schedule.

        Args:
            executor: evaluates the children.

        Yields:
            Each trial when it has finished and is in the store.
        """
        while not self.finished:
            yield from self.run_iteration(executor)

    def keep_seconds(self) -> None:
        """Commits for how long the run has been searched: what passed since the last trial too."""
        if self._settings.budget:
            self._store.set_facts(self.pace.facts)

    def run_iteration(self, executor: Executor) -> Iterator[Trial]:
        """Carries out the next iteration, whatever the schedule says; see `run`."""
        yield from self._iterate(self.ended_iterations + 1, executor)

    @property
    def _is_open(self) -> bool:
        """Whether there are trials that the agent has not learned from."""
        return any(trial.iteration > self.ended_iterations for trial in self._trials.values())

    def _plan(self, iteration: int) -> Plan:
        """What the next iteration is to be, or was meant to be when it was cut short."""
        facts = self._store.facts()
        if self._is_open:
            plan = plan_under_way(facts, iteration, self._settings.blocks_per_iteration)
        else:
            plan = self.pace.plan()
            if plan.share is not None:
                self._store.set_facts(plan.as_fact(iteration))
        self._tell_pace(plan.share)
        return plan

    def _tell_pace(self, share: float | None) -> None:
        if share is not None and isinstance(self._agent, Paced):
            self._agent.pace(share)

    def _iterate(self, iteration: int, executor: Executor) -> Iterator[Trial]:
        learned = [t for t in self._trials.values() if t.iteration < iteration]
        plan = self._plan(iteration)
        suggested = self._suggest(iteration, len(learned) + 1, plan)
        running: dict[int, Trial] = {}
        waiting: dict[str, list[Trial]] = {}
        to_start: collections.deque[Trial] = collections.deque()
        failed = self._failed_in(iteration) if plan.share is not None else {}

        for trial in suggested:
            if trial.number in self._trials:
                continue
            if trial.status is Status.INFEASIBLE:
                yield self._finish_infeasible(trial)
            elif trial.hash in self._source:
                yield self._finish_known(trial)
            elif trial.hash in failed:
                yield self._finish_like(failed[trial.hash], trial)
            elif trial.hash in waiting:
                waiting[trial.hash].append(trial)
            else:
                waiting[trial.hash] = []
                to_start.append(trial)
        while self._start_some(to_start, running, executor):
            ended = executor.next_outcome_or_room() if to_start else executor.next_outcome()
            if ended is None:
                continue
            number, outcome = ended
            trial = self._finish_evaluated(running.pop(number), outcome)
            yield trial
            repeats = waiting.pop(trial.hash)
            if trial.status is Status.FAILED and repeats and plan.share is None:
                # What failed is tried again, by the next one that suggested it.
                waiting[trial.hash] = repeats[1:]
                to_start.append(repeats[0])
            else:
                for repeat in repeats:
                    yield self._finish_like(trial, repeat)
        if to_start:
            # The time is up: with more of it the iteration would go on.
            return
        self._agent.update(episodes([self._trials[t.number] for t in suggested]))
        if self._settings.budget:
            self._tell_pace(self.pace.share)
        self._end_iteration(iteration)

    def _start_some(
        self,
        to_start: collections.deque[Trial],
        running: dict[int, Trial],
        executor: Executor,
    ) -> bool:
        """Begins what may begin now; tells whether there is anything to wait for."""
        limited = self._settings.budget.max_hours > 0
        # Without a clock the executor has all of them at once, and need not wait for any.
        while to_start and not (limited and (self.pace.time_is_up or not executor.room)):
            trial = to_start.popleft()
            running[trial.number] = trial
            executor.submit(self._job(trial))
        return bool(running)

    def _failed_in(self, iteration: int) -> dict[str, Trial]:
        """The blocks of an iteration whose training failed, by hash."""
        here = (trial for trial in self._trials.values() if trial.iteration == iteration)
        return {t.hash: t for t in here if t.status is Status.FAILED and t.source is None}

    def _end_iteration(self, iteration: int) -> None:
        self._store.end_iteration(iteration, self._agent.get_state(changed_only=True))
        self.ended_iterations = iteration

    def _suggest(self, iteration: int, first_number: int, plan: Plan) -> list[Trial]:
        """Draws until there are enough blocks that can be trained."""
        wanted = plan.blocks
        epsilon = float(self._agent.statistics()["epsilon"])
        suggested: list[Trial] = []
        # What is free where a budget counts what is trained.
        free = {
            trial.hash
            for trial in self._trials.values()
            if trial.iteration < iteration and trial.status is Status.COMPLETED
        }
        counted = 0
        while counted < wanted and len(suggested) < DRAWS_PER_BLOCK * wanted:
            room = DRAWS_PER_BLOCK * wanted - len(suggested)
            first = first_number + len(suggested)
            drawn = self._suggestions(first, min(wanted - counted, room))
            for number, actions in enumerate(drawn, first):
                trial = self._make_trial(number, iteration, epsilon, actions)
                suggested.append(trial)
                if trial.status is Status.INFEASIBLE:
                    continue
                if plan.share is None or trial.hash not in free:
                    counted += 1
                    free.add(trial.hash)
        return suggested

    def _suggestions(self, number: int, count: int) -> Sequence[Sequence[Sequence[int]]]:
        """What is to be tried from a trial's number on: first what the search begins with."""
        return self._settings.first_blocks[number - 1 :][:count] or self._agent.suggest(count)

    def _make_trial(
        self, number: int, iteration: int, epsilon: float, actions: Sequence[Sequence[int]]
    ) -> Trial:
        settings = self._settings
        stored = self._trials.get(number)
        code = as_stored(self._space.check(actions), stored, self._renamed_until)
        design = self._space.design(code)
        size = self._sizes.get(design.hash) or size_of(design, settings)
        self._sizes[design.hash] = size
        spent, reason = size.cost, size.reason
        if not reason and self._table is not None and not self._table.has(design.hash):
            reason = NOT_IN_TABLE
        return Trial(
            number,
            iteration,
            epsilon,
            code,
            hash=design.hash,
            seed=child_seed(settings.seed, design.hash),
            status=Status.INFEASIBLE if reason else Status.RUNNING,
            reason=reason,
            density=design.density,
            parameters=spent.parameters,
            flops=spent.flops,
            block_flops=spent.block_flops,
            depth=spent.depth,
            filters=size.filters,
            sampled=sampled_by(self._agent, code),
        )

    @property
    def _guessing(self) -> float | None:
        """What failure earns; among scores nothing does that can be compared."""
        if self._settings.proxy:
            return None
        return guessing_reward(self._settings.layout.classes, self._settings.reward)

    def _finish_infeasible(self, trial: Trial) -> Trial:
        # What nobody has measured is not known to be bad: no reward of it is ever shown.
        reward = None if trial.reason == NOT_IN_TABLE else self._guessing
        return self._finish(trial, reward=reward)

    def _finish_evaluated(self, trial: Trial, outcome: Outcome) -> Trial:
        reward = reward_of(trial, outcome, self._settings.reward, self._guessing)
        return self._finish(trial, status=outcome.status, reward=reward, **outcome.of_trial)

    def _finish_known(self, trial: Trial) -> Trial:
        source = self._trials[self._source[trial.hash]]
        known = {"accuracies": source.accuracies, "reward": source.reward}
        return self._finish(trial, status=Status.KNOWN, source=source.number, **known)

    def _finish_like(self, trial: Trial, repeat: Trial) -> Trial:
        """Finishes one that waited for another one like it."""
        if trial.status is Status.COMPLETED:
            return self._finish_known(repeat)
        reason = f"the same block failed as trial {trial.number}"
        return self._finish(
            repeat, status=Status.FAILED, source=trial.number, reason=reason, reward=self._guessing
        )

    def _finish(self, trial: Trial, **changes: Any) -> Trial:
        trial = dataclasses.replace(trial, finished=time.time(), **changes)
        self._store.add_trial(trial, self.pace.facts)
        self._record(trial)
        return trial

    def _record(self, trial: Trial) -> None:
        self._trials[trial.number] = trial
        self.pace.count(trial)
        if trial.status is Status.COMPLETED:
            self._source.setdefault(trial.hash, trial.number)

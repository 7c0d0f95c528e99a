"""The search loop: suggest, evaluate, store, learn."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

from blockqnn.agents.contract import Agent
from blockqnn.errors import UserError
from blockqnn.evaluation.table import NOT_IN_TABLE, AccuracyTable
from blockqnn.networks.cost import Cost, cost, infeasible_reason
from blockqnn.networks.spaces.contract import Design
from blockqnn.networks.spaces.registry import space_named
from blockqnn.reward import corrected_reward, guessing_accuracy
from blockqnn.runs.learning import episodes, put_back
from blockqnn.runs.store import Store
from blockqnn.settings import SearchSettings
from blockqnn.trial import Job, Outcome, Status, Trial, child_seed
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
        self._costs: dict[str, tuple[Design, Cost]] = {}
        self._table: AccuracyTable | None = None
        for trial in store.trials():
            self._record(trial)
        self.ended_iterations: int = store.facts().get("iterations", 0)
        if state := store.agent_state():
            put_back(agent, state, self._trials.values(), self.ended_iterations)

    @property
    def finished(self) -> bool:
        """Whether the schedule has come to its end."""
        return self.ended_iterations >= self._settings.iterations

    def look_up_in(self, table: AccuracyTable) -> None:
        """Makes what a table lacks infeasible, so that it is drawn anew."""
        self._table = table

    def run(self, executor: Executor) -> Iterator[Trial]:
        """Carries the search to the end of its schedule.

        Args:
            executor: evaluates the children.

        Yields:
            Each trial when it has finished and is in the store.
        """
        while not self.finished:
            yield from self.run_iteration(executor)

    def run_iteration(self, executor: Executor) -> Iterator[Trial]:
        """Carries out the next iteration, whatever the schedule says; see `run`."""
        yield from self._iterate(self.ended_iterations + 1, executor)

    def _iterate(self, iteration: int, executor: Executor) -> Iterator[Trial]:
        learned = [t for t in self._trials.values() if t.iteration < iteration]
        suggested = self._suggest(iteration, first_number=len(learned) + 1)
        running: dict[int, Trial] = {}
        waiting: dict[str, list[Trial]] = {}

        def start(trial: Trial) -> None:
            running[trial.number] = trial
            executor.submit(Job(trial.number, trial.code, trial.hash, trial.seed))

        for trial in suggested:
            if trial.number in self._trials:
                continue
            if trial.status is Status.INFEASIBLE:
                yield self._finish_infeasible(trial)
            elif trial.hash in self._source:
                yield self._finish_known(trial)
            elif trial.hash in waiting:
                waiting[trial.hash].append(trial)
            else:
                waiting[trial.hash] = []
                start(trial)
        while running:
            number, outcome = executor.next_outcome()
            trial = self._finish_evaluated(running.pop(number), outcome)
            yield trial
            repeats = waiting.pop(trial.hash)
            if trial.status is Status.FAILED and repeats:
                # What failed is tried again, by the next one that suggested it.
                waiting[trial.hash] = repeats[1:]
                start(repeats[0])
            else:
                for repeat in repeats:
                    yield self._finish_known(repeat)
        self._agent.update(episodes([self._trials[t.number] for t in suggested]))
        self._store.end_iteration(iteration, self._agent.get_state(changed_only=True))
        self.ended_iterations = iteration

    def _suggest(self, iteration: int, first_number: int) -> list[Trial]:
        """Draws until there are enough blocks that can be trained."""
        wanted = self._settings.blocks_per_iteration
        epsilon = float(self._agent.statistics()["epsilon"])
        suggested: list[Trial] = []
        feasible = 0
        while feasible < wanted and len(suggested) < DRAWS_PER_BLOCK * wanted:
            room = DRAWS_PER_BLOCK * wanted - len(suggested)
            for actions in self._agent.suggest(min(wanted - feasible, room)):
                number = first_number + len(suggested)
                trial = self._make_trial(number, iteration, epsilon, actions)
                feasible += trial.status is not Status.INFEASIBLE
                suggested.append(trial)
        return suggested

    def _make_trial(
        self, number: int, iteration: int, epsilon: float, actions: tuple[tuple[int, ...], ...]
    ) -> Trial:
        settings = self._settings
        code = self._space.check(actions)
        if number in self._trials and self._trials[number].code != code:
            raise UserError(
                f"Trial {number} of the store is not what this search suggests there: the run was "
                "written by another version of the program. Begin a new one (--run_dir)."
            )
        design = self._space.design(code)
        if design.hash not in self._costs:
            self._costs[design.hash] = (design, cost(design, settings.layout))
        spent = self._costs[design.hash][1]
        reason = infeasible_reason(
            design,
            spent,
            settings.limits,
            settings.recipe.batch_size,
            2 if settings.recipe.bfloat16 else 4,
        )
        if not reason and self._table is not None and not self._table.has(design.hash):
            reason = NOT_IN_TABLE
        return Trial(
            number=number,
            iteration=iteration,
            epsilon=epsilon,
            code=code,
            hash=design.hash,
            seed=child_seed(settings.seed, design.hash),
            status=Status.INFEASIBLE if reason else Status.RUNNING,
            reason=reason,
            density=design.density,
            parameters=spent.parameters,
            flops=spent.flops,
            block_flops=spent.block_flops,
            depth=spent.depth,
        )

    @property
    def _guessing(self) -> float:
        return guessing_accuracy(self._settings.layout.classes)

    def _finish_infeasible(self, trial: Trial) -> Trial:
        # What nobody has measured is not known to be bad: no reward of it is ever shown.
        reward = None if trial.reason == NOT_IN_TABLE else self._guessing
        return self._finish(trial, reward=reward)

    def _finish_evaluated(self, trial: Trial, outcome: Outcome) -> Trial:
        reward = self._guessing
        if outcome.status is Status.COMPLETED:
            reward = corrected_reward(
                outcome.accuracies[-1], trial.block_flops, trial.density, self._settings.reward
            )
        fields = {f.name: getattr(outcome, f.name) for f in dataclasses.fields(outcome)}
        return self._finish(trial, status=outcome.status, reward=reward, **fields)

    def _finish_known(self, trial: Trial) -> Trial:
        source = self._trials[self._source[trial.hash]]
        return self._finish(
            trial,
            status=Status.KNOWN,
            source=source.number,
            accuracies=source.accuracies,
            reward=source.reward,
        )

    def _finish(self, trial: Trial, **changes: Any) -> Trial:
        trial = dataclasses.replace(trial, finished=time.time(), **changes)
        self._store.add_trial(trial)
        self._record(trial)
        return trial

    def _record(self, trial: Trial) -> None:
        self._trials[trial.number] = trial
        if trial.status is Status.COMPLETED:
            self._source.setdefault(trial.hash, trial.number)

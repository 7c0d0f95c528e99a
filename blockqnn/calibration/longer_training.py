"""Carries longer trainings out, and keeps what has finished."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence

from blockqnn.evaluation.recorded import DATA, TABLE_FACT, checked_facts, data_as_recorded
from blockqnn.reward import corrected_reward, guessing_accuracy, rewarded_accuracy
from blockqnn.runs.run_record import RunRecord
from blockqnn.runs.store import Store
from blockqnn.settings import SearchSettings
from blockqnn.trial import Job, Outcome, Status, Trial, child_seed, job_of
from blockqnn.workers.contract import Executor


def on_its_data(run: RunRecord, search: SearchSettings) -> SearchSettings:
    """Refuses data that have changed since a run was begun.

    Args:
        run: whose blocks are trained.
        search: its settings.

    Returns:
        The settings under which it reads its data.

    Raises:
        UserError: saying what has changed.
    """
    facts = {"flags": run.flags, DATA: run.data, TABLE_FACT: run.table}
    search = dataclasses.replace(search, data=data_as_recorded(facts, search.data))
    checked_facts(facts, search, f"the run in {run.path}")
    return search


def outcomes(jobs: Sequence[Job], executor: Executor) -> Iterator[tuple[int, Outcome]]:
    """Hands jobs out, all at once.

    Args:
        jobs: each of another number.
        executor: that carries them out.

    Yields:
        The number of each job when it has ended, and its outcome.
    """
    for job in jobs:
        executor.submit(job)
    for _ in jobs:
        yield executor.next_outcome()


def train_longer(
    trials: Sequence[Trial],
    executor: Executor,
    store: Store,
    settings: SearchSettings,
    seed: int,
) -> Iterator[Trial]:
    """Trains blocks once more.

    Args:
        trials: of the search.
        executor: trains by the longer recipe.
        store: takes each when it has finished, under its number in the search.
        settings: of the search, with the longer recipe.
        seed: of the run, as `child_seed` takes it; another one than the search's
            gives other initial weights.

    Yields:
        Each trial as the longer training left it.
    """
    waiting = {trial.number: trial for trial in trials}
    seeds = {trial.number: child_seed(seed, trial.hash) for trial in trials}
    jobs = [dataclasses.replace(job_of(t), seed=seeds[t.number]) for t in trials]
    for number, outcome in outcomes(jobs, executor):
        trial = waiting.pop(number)
        ended = dataclasses.replace(
            trial,
            **outcome.of_trial,
            seed=seeds[number],
            status=outcome.status,
            source=None,
            reward=_reward(trial, outcome, settings),
            finished=time.time(),
        )
        store.add_trial(ended)
        yield ended


def _reward(trial: Trial, outcome: Outcome, settings: SearchSettings) -> float:
    if outcome.status is not Status.COMPLETED:
        return guessing_accuracy(settings.layout.classes)
    accuracy = rewarded_accuracy(outcome.accuracies, settings.reward)
    return corrected_reward(accuracy, trial.block_flops, trial.density, settings.reward)

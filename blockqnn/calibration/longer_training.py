"""Carries longer trainings out, and keeps what has finished."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence

from blockqnn.reward import corrected_reward, guessing_accuracy
from blockqnn.runs.store import Store
from blockqnn.settings import SearchSettings
from blockqnn.trial import Outcome, Status, Trial, child_seed, job_of
from blockqnn.workers.contract import Executor


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
    for trial in trials:
        executor.submit(dataclasses.replace(job_of(trial), seed=seeds[trial.number]))
    while waiting:
        number, outcome = executor.next_outcome()
        trial = waiting.pop(number)
        fields = {f.name: getattr(outcome, f.name) for f in dataclasses.fields(outcome)}
        ended = dataclasses.replace(
            trial,
            **fields,
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
    return corrected_reward(
        outcome.accuracies[-1], trial.block_flops, trial.density, settings.reward
    )

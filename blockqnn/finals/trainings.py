"""One round of finals: what is missing is trained and kept."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping

from blockqnn.calibration.longer_training import outcomes
from blockqnn.runs.finals import Finals, FinalTraining
from blockqnn.runs.store import Store
from blockqnn.trial import Trial, final_seed, job_of
from blockqnn.workers.contract import Executor

_NEXT_SEED = 10**9
"""Between the numbers of two jobs of one block: more trials than any run has."""

Missing = list[tuple[int, int]]
"""Pairs of a trial's number and the index of a seed, from 1."""


def missing_in(finals: Finals, place: int) -> Missing:
    """The trainings of a round that have not ended.

    Args:
        finals: whose rounds before it have ended.
        place: of the round, from 1.

    Returns:
        All first trainings before the second ones, the best blocks first.
    """
    seeds = range(1, finals.plan.rounds[place - 1].seeds + 1)
    return [
        (trial, index)
        for index in seeds
        for trial in finals.entered(place)
        if finals.ended_training(place, trial, index) is None
    ]


def trial_of_job(number: int) -> int:
    """The trial whose block a job trains."""
    return number % _NEXT_SEED


def train_round(
    missing: Missing,
    trials: Mapping[int, Trial],
    place: int,
    epochs: int,
    run_seed: int,
    executor: Executor,
    store: Store,
) -> Iterator[FinalTraining]:
    """Carries trainings of a round out.

    Args:
        missing: which ones.
        trials: of the run, by number.
        place: of the round, from 1.
        epochs: of each training.
        run_seed: the seed of the run.
        executor: trains by the recipe of the round.
        store: takes each when it has ended.

    Yields:
        Each training that has ended and is in the store.
    """
    begun, jobs = {}, []
    for number, index in missing:
        trial = trials[number]
        seed = final_seed(run_seed, trial.hash, place, index)
        own_number = number + _NEXT_SEED * (index - 1)
        job = dataclasses.replace(job_of(trial), number=own_number, seed=seed)
        begun[job.number] = FinalTraining(place, number, index, seed, epochs)
        jobs.append(job)
    kept = {field.name for field in dataclasses.fields(FinalTraining)}
    for job_number, outcome in outcomes(jobs, executor):
        found = {name: value for name, value in vars(outcome).items() if name in kept}
        training = dataclasses.replace(begun[job_number], **found, finished=time.time())
        store.check_there()
        store.finals.add(training)
        yield training

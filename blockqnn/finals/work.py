"""The rounds of finals carried out, one after another, with progress."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import TextIO

from blockqnn.data.datasets import search_part_sizes
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import TRAIN
from blockqnn.finals.clock import Clock
from blockqnn.finals.trainings import missing_in, train_round, trial_of_job
from blockqnn.listing import about, counted
from blockqnn.measure import measure_of
from blockqnn.runs import run_directory
from blockqnn.runs.finals import Finals, FinalTraining
from blockqnn.runs.finals_status import FinalsStatusFile
from blockqnn.runs.rounds import Round
from blockqnn.runs.run_record import RunRecord, read_run
from blockqnn.runs.status_file import FILE_NAME as STATUS_FILE
from blockqnn.runs.store import Store
from blockqnn.settings import RunSettings, SearchSettings
from blockqnn.trial import Trial
from blockqnn.workers.choice import make_executor, with_spare_cores
from blockqnn.workers.state import WorkerState


class Work:
    """Finals that are under way."""

    def __init__(self, store: Store, search: SearchSettings, run: RunSettings, said: TextIO | None):
        """Looks at what there is.

        Args:
            store: of the run, with a plan.
            search: settings of the search, with the images of the finals.
            run: where the run is, and how the trainings are carried out.
            said: where progress is printed; None for nowhere.
        """
        self._store, self._search, self._run, self._said = store, search, run, said
        record = read_run(run.run_dir)
        assert record.finals is not None
        self._record, self._finals = record, record.finals
        self._trials = {trial.number: trial for trial in record.trials}
        self._times = _times_the_images(record, search)
        self._clock = _clock(record, search.recipe.epochs, self._times)

    def carry_on(self) -> None:
        """Trains what is missing, round by round."""
        if self._finals.ended:
            return
        status = FinalsStatusFile(
            self._run.run_dir / STATUS_FILE,
            self._run.executor,
            run_directory.schedule_length(self._record.flags),
            self._record.trials,
            len(self._finals.plan.rounds),
        )
        with contextlib.closing(status):
            while not self._finals.ended:
                self._carry_out_round(status)

    def _carry_out_round(self, status: FinalsStatusFile) -> None:
        place = self._finals.under_way
        one = self._finals.plan.rounds[place - 1]
        missing = missing_in(self._finals, place)
        total = len(self._finals.entered(place)) * one.seeds
        status.round(place, one.epochs, total - len(missing), total)
        self._say(_round_line(self._finals, place, len(missing)))

        def watch(states: Sequence[WorkerState]) -> None:
            self._store.check_there()
            status.left(self._clock.seconds(self._finals) or None)
            status.workers([_with_trials(state) for state in states])

        settings = self._of_round(one, len(missing), total)
        with contextlib.closing(make_executor(*settings, watch)) as executor:
            self._clock.round_begins(executor.slots)
            left = self._left("about {} to the end of the finals")
            self._say(f"  {executor.slots} at a time{left}.")
            for count, ended in enumerate(
                train_round(
                    missing,
                    self._trials,
                    place,
                    one.epochs,
                    self._search.seed,
                    executor,
                    self._store,
                ),
                start=total - len(missing) + 1,
            ):
                self._clock.ended(ended.trial, one.epochs)
                self._finals = self._finals.with_training(ended)
                status.round(place, one.epochs, count, total)
                line = _training_line(ended, self._trials[ended.trial], one)
                self._say(f"  {count:3} of {total}: {line}{self._left('about {} left')}")

    def _of_round(self, one: Round, missing: int, total: int) -> tuple[SearchSettings, RunSettings]:
        """How the trainings of a round are carried out."""
        epochs = self._search.recipe.epochs
        search = dataclasses.replace(
            self._search,
            recipe=self._search.recipe.drawn_out(one.epochs),
            # No more workers than trainings.
            blocks_per_iteration=missing,
            asynchronous=False,
        )
        whole = dataclasses.replace(search, blocks_per_iteration=total)
        run = with_spare_cores(whole, self._run)
        longer = max(1.0, one.epochs / epochs) * max(1.0, self._times)
        seconds = self._run.child_timeout_seconds * longer
        return search, dataclasses.replace(run, child_timeout_seconds=seconds)

    def _left(self, words: str) -> str:
        seconds = self._clock.seconds(self._finals)
        return f"; {words.format(about(seconds))}" if seconds >= 1 else ""

    def _say(self, line: str) -> None:
        if self._said is not None:
            print(line, file=self._said, flush=True)


def images_of_search(run: RunRecord, search: SearchSettings) -> int:
    """The `train_examples` of a run's search.

    Args:
        run: as it was read.
        search: settings of its finals.

    Returns:
        The number; 0 for all that are not held out.
    """
    return int(run.flags.get("train_examples", search.data.train_examples))


def _round_line(finals: Finals, place: int, missing: int) -> str:
    one = finals.plan.rounds[place - 1]
    entered = dataclasses.replace(one, blocks=len(finals.entered(place)))
    total = entered.blocks * one.seeds
    rest = f" {missing:,} of {counted(total, 'training')} are left." if missing < total else ""
    return (
        f"\nRound {place} of {len(finals.plan.rounds)}: {'the best ' if place > 1 else ''}"
        f"{entered.in_words()}.{rest} Starting the workers ..."
    )


def _training_line(ended: FinalTraining, trial: Trial, one: Round) -> str:
    seed = f", seed {ended.seed_index}" if one.seeds > 1 else ""
    if ended.reason:
        return f"trial {ended.trial}{seed} failed: {ended.reason}"
    change = measure_of(trial.code).growth(trial.accuracy, ended.accuracies[-1], "now")
    return f"trial {ended.trial}{seed}, {change}, {ended.seconds:.1f} s"


def _with_trials(state: WorkerState) -> WorkerState:
    """A worker's state with numbers of trials in the place of jobs'."""
    children = tuple(
        dataclasses.replace(child, number=trial_of_job(child.number)) for child in state.children
    )
    return dataclasses.replace(state, children=children)


def _clock(run: RunRecord, epochs: int, images: float) -> Clock:
    trained = {trial.number: trial for trial in run.by_reward}
    return Clock(
        {n: images * t.train_seconds / epochs for n, t in trained.items()},
        {n: t.waiting_seconds for n, t in trained.items()},
    )


def _times_the_images(run: RunRecord, search: SearchSettings) -> float:
    """Training images of the finals over those of the search."""
    before = images_of_search(run, search)
    if search.evaluator != TRAIN or before == search.data.train_examples:
        return 1.0
    old = dataclasses.replace(search.data, train_examples=before)
    try:
        here, there = (search_part_sizes(data)[0] for data in (search.data, old))
    except UserError:
        return 1.0
    return here / max(1, there)

"""What designs are judged by that methods have chosen: a table, or trainings of their own.

No method sees what a judge says. Where data have no test split, trainings are judged on what
searches chose by, which the contest then says.
"""

from __future__ import annotations

import collections
import json
import pathlib
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Protocol, TextIO

from blockqnn.contests.method_runs import Choice, MethodRun
from blockqnn.errors import INTERRUPTED, UserError
from blockqnn.evaluation.table import AccuracyTable
from blockqnn.full_training.directory import read_result
from blockqnn.full_training.judged import Judged, judged
from blockqnn.full_training.settings import HELD_OUT, TEST, VALIDATION
from blockqnn.listing import counted
from blockqnn.measure import ACCURACY, Measure
from blockqnn.networks.layout import Layout
from blockqnn.networks.plan_counts import parameters
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import design_of, design_plan, parse, space_of
from blockqnn.runs.whole_file import write_whole

MOST_COUNTED = 20_000
"""Designs of a table whose parameters are all counted."""
RANDOM, LARGEST = "a random choice", "most parameters"
"""Rows that no search is needed for."""
_PARTS = {TEST: "the test", VALIDATION: "the validation", HELD_OUT: "held-out"}
"""What a training may be judged on, before the noun of what its data consist of."""


class Judge(Protocol):
    """Says how good designs are."""

    @property
    def words(self) -> str:
        """By what, as the end of a sentence."""

    @property
    def measure(self) -> Measure:
        """How its numbers are written."""

    @property
    def judged_on(self) -> tuple[str, ...]:
        """Parts of the data that its trainings were judged on; none for a table."""

    def of(self, choice: Choice) -> float | None:
        """How good a design is, as `measure` keeps it; None where the judge does not know it."""

    def without_search(self, runs: Sequence[MethodRun]) -> dict[str, list[float]]:
        """What no search is needed for, as `measure` keeps it.

        Args:
            runs: of all methods.

        Returns:
            By the name of a row, one value for each design that would be taken.
        """


class TableJudge:
    """A column of a table of accuracies."""

    measure = ACCURACY
    judged_on: tuple[str, ...] = ()

    def __init__(self, table: AccuracyTable, place: int, layout: Layout):
        """Creates the judge.

        Args:
            table: that was read.
            place: of the column among those that were read.
            layout: in which parameters are counted.
        """
        self._table, self._place, self._layout = table, place, layout

    @property
    def words(self) -> str:
        """See `Judge.words`."""
        return f"{self._table.columns[self._place]} in percent"

    def of(self, choice: Choice) -> float | None:
        """See `Judge.of`."""
        if choice.judged is not None:
            return choice.judged
        found = self._table.find(parse(choice.code))
        return None if found is None else found[1][self._place]

    def without_search(self, runs: Sequence[MethodRun]) -> dict[str, list[float]]:
        """See `Judge.without_search`: all designs of the table, and the largest of them."""
        values = [self._value(code) for code in self._table.codes]
        found = {RANDOM: values}
        if len(values) <= MOST_COUNTED and not space_of(self._table.codes[0]).tabular:
            sizes = [
                parameters(design_plan(design_of(code), self._layout)) for code in self._table.codes
            ]
            found[LARGEST] = [values[sizes.index(max(sizes))]]
        return found

    def _value(self, code: Code) -> float:
        found = self._table.find(code)
        assert found is not None
        return found[1][self._place]


class TrainingJudge:
    """Trainings of chosen designs to the end, measured on what `train` judges by.

    That is the test split; data without one are judged on their validation split, or on what is
    held out of the training split.

    Each is a process of its own, `train RUN#NUMBER`, which goes on where it was killed; what has
    ended is in its directory.
    """

    def __init__(self, directory: pathlib.Path, seeds: int, flags: Sequence[str], progress: TextIO):
        """Creates the judge.

        Args:
            directory: of the trainings.
            seeds: trainings of each design, whose mean counts.
            flags: of `train`, besides those that the design's run says.
            progress: for a line at each training.

        Raises:
            UserError: if the directory has trainings by other flags.
        """
        self._directory, self._seeds, self._flags = directory, seeds, tuple(flags)
        self._progress = progress
        self._found: dict[pathlib.Path, Judged] = {}
        kept, now = directory / "flags.json", json.dumps(self._flags)
        if not kept.exists():
            directory.mkdir(parents=True, exist_ok=True)
            write_whole(kept, now.encode())
        elif kept.read_text(encoding="utf-8") != now:
            raise UserError(
                f"{directory} has trainings by other flags, {kept.read_text(encoding='utf-8')}; "
                "give those as --judge_flags, or another --out_dir."
            )

    @property
    def words(self) -> str:
        """See `Judge.words`; of the trainings that were read."""
        parts = " and ".join(_PARTS.get(on, on) for on in self.judged_on or (TEST,))
        of = "words" if self.measure.inverse else "images in percent"
        return f"{self.measure.name} on {parts} {of}, trained by itself to the end"

    @property
    def measure(self) -> Measure:
        """See `Judge.measure`."""
        return next((each.measure for each in self._found.values()), ACCURACY)

    @property
    def judged_on(self) -> tuple[str, ...]:
        """See `Judge.judged_on`."""
        return tuple(sorted({each.on for each in self._found.values()}))

    def train(self, choices: Iterable[Choice]) -> None:
        """Trains what is not trained yet, all designs by one seed before the next seed.

        Args:
            choices: designs; equal ones are trained once.

        Raises:
            UserError: if a training fails.
            KeyboardInterrupt: if it was interrupted.
        """
        wanted = {self._name(choice): choice for choice in choices}
        missing = [
            (seed, name)
            for seed in range(self._seeds)
            for name in wanted
            if self._judged(name, seed) is None
        ]
        if missing:
            print(
                f"Judging: {counted(len(missing), 'training')} of "
                f"{counted(len(wanted), 'design')} to the end ...",
                file=self._progress,
                flush=True,
            )
        for place, (seed, name) in enumerate(missing, start=1):
            self._train(wanted[name], name, seed)
            print(
                f"Judging: {place} of {len(missing)}, {wanted[name].reference} seed {seed}: "
                f"{self._in_words(name, seed)}",
                file=self._progress,
                flush=True,
            )

    def of(self, choice: Choice) -> float | None:
        """See `Judge.of`; the mean over the trainings."""
        found = [self._judged(self._name(choice), seed) for seed in range(self._seeds)]
        known = [each.kept for each in found if each is not None]
        return statistics.fmean(known) if len(known) == self._seeds else None

    def without_search(self, runs: Sequence[MethodRun]) -> dict[str, list[float]]:
        """See `Judge.without_search`: of random search's designs the first, and the largest."""
        found: dict[str, list[float]] = {}
        for name, choices in rivals_of(runs).items():
            values = [value for choice in choices if (value := self.of(choice)) is not None]
            if values:
                found[name] = values
        return found

    def _train(self, choice: Choice, name: str, seed: int) -> None:
        place = self._place(name, seed)
        words = ["train", choice.reference, *self._flags, f"--seed={seed}", f"--out_dir={place}"]
        log = self._directory / f"{place.name}.log"
        with log.open("a", encoding="utf-8") as stream:
            done = subprocess.run(
                [sys.executable, "-m", "blockqnn", *words],
                stdout=stream,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode == INTERRUPTED:
            raise KeyboardInterrupt
        if not done.returncode and self._judged(name, seed) is None:
            raise UserError(
                f"The training of {choice.reference} was measured on nothing, so that it judges "
                f"nothing ({log})."
            )
        if done.returncode:
            said = log.read_text(encoding="utf-8").strip().splitlines()
            raise UserError(
                f"The training of {choice.reference} ended with status {done.returncode}: "
                f"{said[-1] if said else 'it said nothing'} ({log})"
            )

    def _judged(self, name: str, seed: int) -> Judged | None:
        place = self._place(name, seed)
        if place not in self._found:
            result = read_result(place)
            found = None if result is None else judged(result)
            if found is None:
                return None
            self._found[place] = found
        return self._found[place]

    def _in_words(self, name: str, seed: int) -> str:
        found = self._judged(name, seed)
        assert found is not None, "its training has ended well"
        name = "" if found.measure.unit else f"{found.measure.name} "
        return f"{name}{found.measure.in_words(found.kept)}"

    def _place(self, name: str, seed: int) -> pathlib.Path:
        return self._directory / f"{name}-{seed}"

    @staticmethod
    def _name(choice: Choice) -> str:
        return design_of(parse(choice.code)).hash


def rivals_of(runs: Sequence[MethodRun]) -> dict[str, list[Choice]]:
    """Designs that no search is needed for, where no table has all of them.

    Args:
        runs: of all methods; those of random search say what it drew.

    Returns:
        By the name of a row the design of each seed: the first one that was drawn, and of all
        that were the one of most parameters.
    """
    found = collections.defaultdict(list)
    for run in runs:
        if run.title == "random" and run.steps:
            found[RANDOM].append(run.steps[0].choice)
            largest = max(run.steps, key=lambda step: (step.parameters, -step.evaluations))
            found[LARGEST].append(largest.choice)
    return dict(found)

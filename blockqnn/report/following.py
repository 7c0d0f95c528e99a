"""A run that is still going on, read again and again without disturbing it."""

from __future__ import annotations

import contextlib
import pathlib
import secrets
import threading
from typing import Any

from blockqnn.errors import UserError
from blockqnn.networks.layout import Layout
from blockqnn.report import drawings
from blockqnn.report.columns import columns
from blockqnn.report.csv_file import csv_text
from blockqnn.report.data import summary
from blockqnn.report.differences import Marks, marks
from blockqnn.report.state import search_state
from blockqnn.runs.finals import FINALS, Finals, FinalTraining
from blockqnn.runs.run_record import RunRecord, finals_from_facts, read_run
from blockqnn.runs.store import FILE_NAME, Store
from blockqnn.trial import Trial


class Follower:
    """A run's trials in the order in which they were seen.

    Trials of an iteration finish in any order, so those of iterations that have
    not ended are read again; of all others only what comes after them is read.
    """

    def __init__(self, path: pathlib.Path, top: int):
        """Reads what is there.

        Args:
            path: of the run's directory.
            top: how many of its best blocks are drawn and compared with all.

        Raises:
            UserError: if there is no run.
        """
        self._path, self._top = path, top
        self._lock = threading.Lock()
        self._trials: dict[int, Trial] = {}
        self._seen: list[int] = []
        self._settled = 0
        self._version = 0
        self._facts: dict[str, Any] = {}
        self._trainings: list[FinalTraining] = []
        self._summary: dict[str, Any] | None = None
        self._state: dict[str, Any] = {}
        # A page that another process served must not go on counting here.
        self.token = secrets.token_hex(8)
        with self._lock:
            self._read()

    def news(self, token: str = "", after: int = 0, version: int = -1) -> dict[str, Any]:
        """What a page does not have yet.

        Args:
            token: of the follower that it heard from before.
            after: how many trials it has from that one.
            version: of the run that it shows.

        Returns:
            `token`, `version`, `count` of trials and the `state` of the search;
            and, unless the page has all, `after`, the number of trials that it
            may keep, `trials` that follow as columns, and the `summary` of the run.

        Raises:
            UserError: if the run cannot be read any more.
        """
        with self._lock:
            self._read()
            count = len(self._seen)
            found: dict[str, Any] = {
                "token": self.token,
                "version": self._version,
                "count": count,
                "state": self._state,
            }
            if token != self.token or not 0 <= after <= count:
                after, version = 0, -1
            if version != self._version:
                fresh = [self._trials[number] for number in self._seen[after:]]
                found |= {"after": after, "trials": columns(fresh), "summary": self._summarised()}
            return found

    def drawing(self, number: int) -> dict[str, Any] | None:
        """A trial's drawing as `Drawings` packs it, and its shapes; None if there is none."""
        with self._lock:
            trial = self._trials.get(number)
            packing = drawings.Drawings(self._layout())
        if trial is None:
            return None
        return {"flat": packing.packed(trial), "shapes": packing.shapes}

    def difference(self, first: int, second: int) -> Marks | None:
        """What only one of two trials' designs has; None if one of them is not there."""
        with self._lock:
            found = [self._trials.get(number) for number in (first, second)]
        if found[0] is None or found[1] is None:
            return None
        return marks(found[0].code, found[1].code)

    def as_csv(self) -> str:
        """All trials as the verb `trials` lists them with --format=csv."""
        return csv_text(read_run(self._path))

    def _read(self) -> None:
        """Reads what is new."""
        with contextlib.closing(Store.open_read_only(self._path / FILE_NAME)) as store:
            # Facts first: the trials of an iteration that has ended are then all there.
            facts = store.facts()
            fresh = list(store.trials(after=self._settled))
            trainings = store.finals.trainings() if FINALS in facts else []
        unseen = [trial for trial in fresh if trial.number not in self._trials]
        if unseen or facts != self._facts or trainings != self._trainings:
            self._version += 1
            self._summary = None
        self._facts, self._trainings = facts, trainings
        for trial in unseen:
            self._trials[trial.number] = trial
            self._seen.append(trial.number)
        ended = int(facts.get("iterations", 0))
        settled = [trial.number for trial in fresh if trial.iteration <= ended]
        self._settled = max([self._settled, *settled])
        state = search_state(self._run())
        if state["name"] != self._state.get("name"):
            self._version += 1
            self._summary = None
        self._state = state

    def _layout(self) -> Layout:
        layout = self._facts.get("layout")
        return Layout(**layout | {"filters": tuple(layout["filters"])}) if layout else Layout()

    def _run(self) -> RunRecord:
        facts = self._facts
        return RunRecord(
            self._path,
            [self._trials[number] for number in sorted(self._trials)],
            self._layout(),
            bool(facts.get("dry")),
            dict(facts.get("flags", {})),
            int(facts.get("iterations", 0)),
            finals=self._finals(),
        )

    def _finals(self) -> Finals | None:
        trials = list(self._trials.values())
        try:
            return finals_from_facts(self._facts, trials, self._trainings, self._layout())
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            what = f"The facts in the store of {self._path} cannot be read: {error}."
            raise UserError(what) from error

    def _summarised(self) -> dict[str, Any]:
        if self._summary is None:
            self._summary = summary(self._run(), self._top, "layout" in self._facts, self._state)
        return self._summary

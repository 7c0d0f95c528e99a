"""What `status.json` says while the finals of a run go on."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import platform
import time

from blockqnn.runs.driver import visible_from
from blockqnn.runs.rounds import FinalsProgress
from blockqnn.runs.status_file import (
    FINISHED,
    IN_FINALS,
    STOPPED,
    StatusFile,
    read_status,
)
from blockqnn.trial import Trial


class FinalsStatusFile(StatusFile):
    """Writes how far the finals are, and keeps what the file said of the search."""

    def __init__(
        self,
        path: pathlib.Path,
        executor: str,
        iterations: int,
        trials: list[Trial],
        rounds: int,
    ):
        """Begins to write.

        Args:
            path: of the file.
            executor: what evaluates.
            iterations: of the search, where no file says more.
            trials: of the run.
            rounds: of the finals.
        """
        super().__init__(path, executor, iterations)
        before = read_status(path)
        if before is None:
            for trial in trials:
                self.history(trial)
        else:
            self._status = before
        search = STOPPED if before is None else before.search_state
        # A driver that says it searches has ended: the lock is ours.
        self._search = search if search in (STOPPED, FINISHED) else STOPPED
        self._rounds = rounds
        self._status = dataclasses.replace(
            self._status,
            state=IN_FINALS,
            node=platform.node(),
            process=os.getpid(),
            executor=executor,
            begun=time.time(),
            seconds_left=None,
            workers=(),
            seen_from=visible_from(),
        )

    def round(self, place: int, epochs: int, ended: int, trainings: int) -> None:
        """Is told where the finals are.

        Args:
            place: of the round, from 1.
            epochs: of its trainings.
            ended: trainings of the round that have ended.
            trainings: of the round.
        """
        progress = FinalsProgress(place, self._rounds, epochs, ended, trainings, self._search)
        self._status = dataclasses.replace(self._status, finals=progress)

    def left(self, seconds: float | None) -> None:
        """Is told how long the finals will take."""
        self._status = dataclasses.replace(self._status, seconds_left=seconds)

    def close(self) -> None:
        """Writes that the driver has ended; of the search what was said before."""
        self.state_at_close = self._search
        self._status = dataclasses.replace(self._status, seconds_left=None)
        super().close()

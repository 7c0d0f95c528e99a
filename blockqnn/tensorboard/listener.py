"""Writes a run's events while it goes on, or afterwards; nothing twice.

A trial's step is its number, and events are written in order of number:
TensorBoard takes a step that goes back for a restart. So a trial that finishes
early waits for those suggested before it. What stands in the directory already
tells where to go on.
"""

from __future__ import annotations

import dataclasses
import fcntl
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.summary import hparams

from blockqnn.errors import UserError
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import graph_of
from blockqnn.tensorboard.event_file import EventFile, read_events
from blockqnn.tensorboard.scalars import (
    BEST_ACCURACY,
    BEST_BLOCK,
    BEST_REWARD,
    EVERY_ITERATION,
    EVERY_TRIAL,
    Scalars,
    hyperparameter,
)
from blockqnn.trial import Trial

_SESSION_START = "_hparams_/session_start_info"
_SESSION_END = "_hparams_/session_end_info"


@dataclasses.dataclass
class _Written:
    """What the events of a directory say already.

    Attributes:
        trials: when each trial finished, in seconds since 1970, by number.
        iterations: that have ended.
        tags: of all values.
    """

    trials: dict[int, float] = dataclasses.field(default_factory=dict)
    iterations: set[int] = dataclasses.field(default_factory=set)
    tags: set[str] = dataclasses.field(default_factory=set)


class TensorBoard:
    """Listens to a search, as `blockqnn.searching.progress.Progress` describes it."""

    def __init__(
        self,
        directory: pathlib.Path,
        flags: Mapping[str, str],
        layout: Layout,
        before: Sequence[Trial],
        ended: Callable[[], int],
        iterations: int,
        besides: Callable[[int], Mapping[str, float]] = lambda number: {},
    ):
        """Opens a directory of events and brings it up to what has finished.

        Args:
            directory: of this run alone; it is created if need be.
            flags: that say what the search is, as one would type them.
            layout: of the run, for the drawings.
            before: trials that have finished already, in order of number.
            ended: tells how many iterations have ended.
            iterations: of the whole search; 0 where that is not known.
            besides: more values of a trial by its number, by tag.

        Raises:
            UserError: if the directory cannot be used, another process writes
                to it, or it holds the events of something else.
        """
        self._flags, self._layout = flags, layout
        self._ended, self._iterations = ended, iterations
        self._besides = besides
        self._scalars = Scalars()
        self._pending: dict[int, Trial] = {}
        self._next = 1
        self.written_trials = 0
        self._lock = _locked(directory)
        try:
            self._written = _read(directory)
            _check_same_run(self._written, before, directory)
            self._file = EventFile(directory)
        except BaseException:
            os.close(self._lock)
            raise
        self._resume()
        for trial in before:
            self.finished(trial)

    def history(self, trial: Trial) -> None:
        """Does nothing: the constructor is told of the trials before."""

    def finished(self, trial: Trial) -> None:
        """Writes a trial as soon as all before it are written.

        Args:
            trial: that has just finished.
        """
        if not self._written.tags:
            self._begin(trial)
        self._pending[trial.number] = trial
        while self._next in self._pending:
            self._next += 1
            self._write(self._pending.pop(self._next - 1))

    def close(self) -> None:
        """Writes what still waits for trials that did not finish, and closes the file."""
        for number in sorted(self._pending):
            self._write(self._pending.pop(number))
        if self._scalars.iteration and self._scalars.iteration <= self._ended():
            self._end_iteration()
        if 0 < self._iterations <= self._ended() and _SESSION_END not in self._written.tags:
            wall_time = self._scalars.wall_time
            end = _timed(hparams({}, {})[2], wall_time, _SESSION_END)
            self._file.add_summary(0, wall_time, end)
        self._file.close()
        os.close(self._lock)

    def _resume(self) -> None:
        """Forgets what was written beyond a gap, so that steps go up."""
        trials = self._written.trials
        gap = next(number for number in range(1, len(trials) + 2) if number not in trials)
        if len(trials) >= gap:
            self._file.restart(gap, trials[max(trials)])
            self._written.trials = {n: at for n, at in trials.items() if n < gap}

    def _begin(self, trial: Trial) -> None:
        values = {name: hyperparameter(text) for name, text in self._flags.items()}
        experiment, start, _ = hparams(values, {BEST_REWARD: 0.0, BEST_ACCURACY: 0.0})
        wall_time = trial.finished or 0.0
        # In one record, by which a directory of ours is known.
        experiment.MergeFrom(_timed(start, wall_time - trial.seconds, _SESSION_START))
        self._file.add_summary(0, wall_time, experiment)
        self._written.tags.add(_SESSION_START)

    def _write(self, trial: Trial) -> None:
        if self._scalars.iteration not in (0, trial.iteration):
            self._end_iteration()
        best = self._scalars.best
        scalars = self._scalars.of_trial(trial)
        if trial.number in self._written.trials:
            return
        images = {}
        if self._scalars.best is not best:
            images[BEST_BLOCK] = _drawing(trial.code, trial.layout(self._layout))
        scalars |= self._besides(trial.number)
        self._file.add(trial.number, trial.finished or 0.0, scalars, images)
        self.written_trials += 1

    def _end_iteration(self) -> None:
        iteration = self._scalars.iteration
        if iteration not in self._written.iterations:
            self._written.iterations.add(iteration)
            self._file.add(iteration, self._scalars.wall_time, self._scalars.of_iteration())


def _timed(summary: Summary, seconds: float, tag: str) -> Summary:
    """The start or the end of a session with its time, which tensorboardX leaves out."""
    content = summary.value[0].metadata.plugin_data
    data = HParamsPluginData.FromString(content.content)
    if tag == _SESSION_START:
        data.session_start_info.start_time_secs = seconds
    else:
        data.session_end_info.end_time_secs = seconds
    content.content = data.SerializeToString()
    return summary


def _drawing(code: Code, layout: Layout) -> bytes:
    # Drawing takes libraries that a search without TensorBoard need not load.
    from blockqnn.drawing.arrangement import arrange
    from blockqnn.drawing.raster import png

    return png(arrange(graph_of(code, layout)))


def _locked(directory: pathlib.Path) -> int:
    """Makes the directory ours until the descriptor that is returned is closed."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"Events cannot be written to {directory}: {reason}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise UserError(
            f"Another process writes the events in {directory}; name another directory."
        ) from error
    return descriptor


def _read(directory: pathlib.Path) -> _Written:
    written = _Written()
    for event in read_events(directory):
        if event.HasField("session_log"):
            written.trials = {n: t for n, t in written.trials.items() if n < event.step}
        for value in event.summary.value:
            written.tags.add(value.tag)
            if value.tag == EVERY_TRIAL:
                written.trials[event.step] = event.wall_time
            elif value.tag == EVERY_ITERATION:
                written.iterations.add(event.step)
    return written


def _check_same_run(written: _Written, trials: Sequence[Trial], directory: pathlib.Path) -> None:
    finished = {trial.number: trial.finished for trial in trials}
    ours = not written.tags or _SESSION_START in written.tags
    if not ours or any(finished.get(number) != at for number, at in written.trials.items()):
        raise UserError(
            f"{directory} holds the events of something else; name another directory, or delete it."
        )

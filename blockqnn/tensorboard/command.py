"""The verb `tensorboard`: the events of a run that was made without them."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from typing import TextIO

from blockqnn.errors import UserError
from blockqnn.runs.run_directory import schedule_length
from blockqnn.runs.run_record import RunRecord, read_run
from blockqnn.tensorboard.mixture_scalars import epoch_scalars

DIRECTORY = "tensorboard"
"""In a run's directory, where a search writes; and in the present one, where the verb does."""


@dataclasses.dataclass(frozen=True)
class TensorBoardSettings:
    """What to write, and where.

    Attributes:
        run_dir: the run.
        out: directory of the events; None for one in the present directory
            that has the run's name. Reading leaves a run as it is, so that a
            directory in the run must be named.
    """

    run_dir: pathlib.Path
    out: pathlib.Path | None


def write_tensorboard(settings: TensorBoardSettings, stream: TextIO) -> None:
    """Writes what TensorBoard shows of a run, or what is missing of it.

    Args:
        settings: which run, and where to.
        stream: for what was done.

    Raises:
        UserError: if there is no such run, or the directory cannot be used.
    """
    run = read_run(settings.run_dir)
    out = settings.out or _default_directory(settings.run_dir)
    count = write_events(run, out)
    if run.notice:
        print(run.notice, file=stream)
    print(
        f"{count} of {len(run.trials)} trials were new and are in {out}."
        f"\nLook at them:    tensorboard --logdir {out}",
        file=stream,
    )


def write_events(run: RunRecord, directory: pathlib.Path) -> int:
    """Brings a directory of events up to a run.

    Args:
        run: as it was read.
        directory: of the events.

    Returns:
        How many trials were not there yet.

    Raises:
        UserError: if the directory cannot be used, or holds something else.
    """
    # tensorboardX takes a while to load, and other verbs do without.
    from blockqnn.tensorboard.listener import TensorBoard

    def besides(number: int) -> dict[str, float]:
        """What the epoch of a mixture found, if there is one."""
        return epoch_scalars(run.epochs[number - 1]) if number <= len(run.epochs) else {}

    iterations = schedule_length(run.flags)
    listener = TensorBoard(
        *(directory, run.flags, run.layout, run.trials, lambda: run.iterations, iterations),
        besides,
    )
    with contextlib.closing(listener):
        pass
    return listener.written_trials


def _default_directory(run_dir: pathlib.Path) -> pathlib.Path:
    directory = pathlib.Path(DIRECTORY) / run_dir.resolve().name
    if directory.resolve().is_relative_to(run_dir.resolve()):
        raise UserError(
            f"{directory} would lie in the run itself; name the directory of the events: --out=DIR"
        )
    return directory

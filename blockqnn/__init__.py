"""The system around: data, training, executors, store, search loop, command line.

From Python, a run is opened by `blockqnn.open_run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from blockqnn.inspection.run import Run

__all__ = ["open_run"]


def open_run(path: str | os.PathLike[str]) -> Run:
    """Opens a run, whether it has ended, has died or is still going on.

    >>> run = blockqnn.open_run("runs/digits")
    >>> run.trials                          # a pandas data frame
    >>> run.best(3)                         # the three blocks of highest reward
    >>> run.block("best").draw()            # or by trial: run.block(17)
    >>> model = run.block("best").module(repeats=4, classes=100)    # an nnx.Module

    Args:
        path: the run's directory; nothing is written to it.

    Returns:
        The run as it is now; `Run.refresh` reads it again.

    Raises:
        blockqnn.errors.UserError: if there is no run, or it cannot be read.
    """
    # `import blockqnn` stays light: the command line does without data frames.
    from blockqnn.inspection.run import Run

    return Run(path)

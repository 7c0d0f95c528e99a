"""The trials of a run as the CSV text that the verb `trials` prints."""

from __future__ import annotations

import io

from blockqnn.inspection.trials_command import write_csv
from blockqnn.report.drawings import deflated
from blockqnn.runs.run_record import RunRecord


def csv_text(run: RunRecord) -> str:
    """All trials, a header first.

    Args:
        run: as it was read.

    Returns:
        What `trials RUN_DIR --format=csv` prints.
    """
    stream = io.StringIO(newline="")
    write_csv(run, stream)
    return stream.getvalue()


def packed_csv(run: RunRecord) -> str:
    """The same, for a page to carry.

    Args:
        run: as it was read.

    Returns:
        The text, deflated, in base 64.
    """
    return deflated(csv_text(run))

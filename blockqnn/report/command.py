"""The verbs `report` and `serve`."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any, TextIO

from blockqnn.errors import UserError
from blockqnn.runs.run_record import RunRecord, read_run
from blockqnn.runs.whole_file import write_whole

SUFFIX = ".html"
_TOP = 20
_TOP_OF_SEVERAL = 4


@dataclasses.dataclass(frozen=True)
class ReportSettings:
    """What to write.

    Attributes:
        runs: directories of runs; several are compared.
        out: the file.
        top: best blocks that are drawn; 0 for the usual number.
    """

    runs: tuple[pathlib.Path, ...]
    out: pathlib.Path
    top: int


@dataclasses.dataclass(frozen=True)
class ServeSettings:
    """What to serve.

    Attributes:
        run: directory of the run.
        port: on this machine; 0 for any that is free.
        top: best blocks that are drawn; 0 for the usual number.
    """

    run: pathlib.Path
    port: int
    top: int


def report(settings: ReportSettings, stream: TextIO) -> None:
    """Writes the report of a run, or the comparison of several.

    Args:
        settings: of which runs, and where.
        stream: where to say what was written.

    Raises:
        UserError: if there is no such run or the file cannot be written.
    """
    # Drawing and statistics take longer to import than most verbs need to answer.
    from blockqnn.report import drawings
    from blockqnn.report.comparison import comparison
    from blockqnn.report.page import page

    _check_out(settings.out)
    runs = [read_run(path) for path in settings.runs]
    _check_different(settings.runs)
    if len(runs) > 1:
        found = comparison(runs, settings.top or _TOP_OF_SEVERAL)
        title = f"{len(runs)} runs · blockqnn"
        text = page(title, {"kind": "comparison", "comparison": found, "style": drawings.style()})
    else:
        text = page(_title(runs[0].path), run_payload(runs[0], settings.top or _TOP))
    # A lone surrogate, which a store's JSON or a file's name can hold, has no form in UTF-8.
    content = text.encode(errors="replace")
    write_whole(settings.out, content)
    size = len(content)
    print(
        f"{settings.out}: {size / 1e6:.1f} MB, opens in a browser without a network.", file=stream
    )


def run_payload(run: RunRecord, top: int) -> dict[str, Any]:
    """What the page of one run is given.

    Args:
        run: as it was read.
        top: how many of its best blocks are drawn and compared with all.

    Returns:
        The page's data, drawings of all blocks included.
    """
    from blockqnn.report import drawings
    from blockqnn.report.blocks import distinct_best
    from blockqnn.report.columns import columns
    from blockqnn.report.csv_file import packed_csv
    from blockqnn.report.data import summary
    from blockqnn.report.differences import every_pair

    return {
        "kind": "run",
        "summary": summary(run, top),
        "trials": columns(run.trials),
        "drawings": drawings.of_trials(run.trials, run.layout),
        "differences": every_pair([trial.code for trial in distinct_best(run, top)]),
        "csv": packed_csv(run),
        "style": drawings.style(),
    }


def serve(settings: ServeSettings, stream: TextIO) -> None:
    """Serves the report of a run until Ctrl-C.

    Args:
        settings: of which run, and where.
        stream: where to say at which address.

    Raises:
        UserError: if there is no such run or the port cannot be had.
    """
    from blockqnn.report.following import Follower
    from blockqnn.report.server import Server

    follower = Follower(settings.run, settings.top or _TOP)
    with Server(follower, _title(settings.run), settings.port) as server:
        print(f"{settings.run} at {server.address} until Ctrl-C.", file=stream, flush=True)
        # Ctrl-C is how it ends, so that it is no failure.
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


def _title(run: pathlib.Path) -> str:
    return f"{run.name or run} · blockqnn"


def _check_out(path: pathlib.Path) -> None:
    if path.suffix.lower() != SUFFIX:
        raise UserError(f"--out is {path}; a report is HTML: end the name with {SUFFIX}.")
    try:
        if path.is_dir():
            raise UserError(f"--out {path} is a directory; name a file.")
        if not path.parent.is_dir():
            raise UserError(f"--out {path}: there is no directory {path.parent}.")
    except OSError as error:  # The name is too long.
        raise UserError(f"--out cannot be written: {error.strerror}.") from error


def _check_different(runs: Sequence[pathlib.Path]) -> None:
    for index, path in enumerate(runs):
        if path.resolve() in [earlier.resolve() for earlier in runs[:index]]:
            raise UserError(f"{path} is given twice; a run is compared with others.")

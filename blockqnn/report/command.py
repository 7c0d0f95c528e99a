"""The verbs `report` and `serve`."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import tempfile
from typing import TextIO

from blockqnn.errors import UserError
from blockqnn.run_record import read_run

SUFFIX = ".html"


@dataclasses.dataclass(frozen=True)
class ReportSettings:
    """What to write.

    Attributes:
        runs: directories of runs; several are compared.
        out: the file.
        top: best blocks that are drawn and compared with all.
    """

    runs: tuple[pathlib.Path, ...]
    out: pathlib.Path
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
    from blockqnn.report.columns import columns
    from blockqnn.report.data import summary
    from blockqnn.report.page import page

    _check_out(settings.out)
    run = read_run(settings.runs[0])
    payload = {
        "kind": "run",
        "summary": summary(run, settings.top),
        "trials": columns(run.trials),
        "drawings": drawings.of_trials(run.trials, run.layout),
        "style": drawings.style(),
    }
    text = page(f"{run.path.name} · blockqnn", payload)
    size = _write(settings.out, text)
    print(f"{settings.out}: {size / 1e6:.1f} MB, opens in a browser without a network.", file=stream)


def _check_out(path: pathlib.Path) -> None:
    if path.suffix.lower() != SUFFIX:
        raise UserError(f"--out is {path}; a report is HTML: end the name with {SUFFIX}.")
    if path.is_dir():
        raise UserError(f"--out {path} is a directory; name a file.")
    if not path.parent.is_dir():
        raise UserError(f"--out {path}: there is no directory {path.parent}.")


def _write(path: pathlib.Path, text: str) -> int:
    """Writes a file whole or not at all; returns its size in bytes."""
    # A lone surrogate, which a store's JSON or a file's name can hold, has no form in UTF-8.
    content = text.encode(errors="replace")
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise UserError(f"--out {path} cannot be written: {error.strerror or error}.") from error
    temporary = pathlib.Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        # A temporary file is for its owner alone; a report is like any other file.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"--out {path} cannot be written: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return len(content)

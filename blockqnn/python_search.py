"""What `blockqnn.search` does: the command `search`, on arrays or with a function, from Python."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import pathlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from blockqnn.data import given_arrays
from blockqnn.errors import INTERRUPTED, UserError
from blockqnn.finals.command import search_and_finals
from blockqnn.flags import flag_text, own
from blockqnn.flags import search as search_flags
from blockqnn.runs.run_directory import FLAG_FILE
from blockqnn.searching.own_function import FunctionSearch, search_with
from blockqnn.trial import Trial

_OF_THE_CALL = ("run_dir", "dataset", "flagfile", "max_blocks")
"""Flags of `search` that a call says otherwise."""


@dataclasses.dataclass(frozen=True)
class Call:
    """What a call asks for that both kinds of search take.

    Attributes:
        run_dir: directory of the run.
        budget: blocks to evaluate; None for what is chosen.
        flags: other flags by name, as a command has them.
        quiet: whether nothing is printed.
        on_trial: is told of each trial when it is stored; None for nobody.
    """

    run_dir: str
    budget: int | None
    flags: Mapping[str, Any]
    quiet: bool
    on_trial: Callable[[Trial], None] | None

    @property
    def stream(self) -> TextIO:
        """Where progress goes; the standard output of now, which a notebook replaces."""
        return io.StringIO() if self.quiet else sys.stdout


def search_on(data: Any, validation: Any, test: Any, call: Call) -> None:
    """Searches by training on data.

    Args:
        data: the name of a data set as `--dataset` takes it, or arrays.
        validation: images and labels to judge by; None for a part of the data.
        test: images and labels that a later training is tested on, or None.
        call: the rest.

    Raises:
        UserError: if an argument cannot be used, or the directory holds another search.
        KeyboardInterrupt: if the search was interrupted.
    """
    for name in _OF_THE_CALL:
        if name in call.flags:
            raise UserError(
                f"{name} is no argument of blockqnn.search with data: run_dir, data and budget "
                "say it."
            )
    directory = pathlib.Path(call.run_dir)
    if isinstance(data, str):
        if validation is not None or test is not None:
            raise UserError("validation and test go with arrays; a data set has its own.")
        _carry_out(data, call)
        return
    arrays = given_arrays.named_arrays(data, validation, test)
    made_directory = not directory.exists()
    kept_now = given_arrays.keep(arrays, directory)
    try:
        _carry_out(f"npz:{directory / given_arrays.FILE_NAME}", call)
    except UserError:
        # What was refused leaves no trace, and what had begun needs its images.
        if kept_now and not (directory / FLAG_FILE).exists():
            (directory / given_arrays.FILE_NAME).unlink(missing_ok=True)
            if made_directory:
                _remove_unused(directory)
        raise


def search_by(function: Callable[[Any], Any], wanted: FunctionSearch, call: Call) -> None:
    """Searches with a function as the evaluator.

    Args:
        function: see `blockqnn.search`.
        wanted: how; its options, schedule and iteration are taken from `call.flags` as well.
        call: the rest.

    Raises:
        UserError: if an argument cannot be used, or the directory holds another search.
        KeyboardInterrupt: if the search was interrupted.
    """
    flags = dict(call.flags)
    if {"finals", "finals_recipe"} & flags.keys():
        raise UserError(
            "finals train blocks for longer, which blockqnn.search with a function cannot do."
        )
    if "match" in flags:
        raise UserError(
            "match goes with data, whose children the search trains; a function is given the code "
            "alone and chooses the filters itself."
        )
    schedule = flags.pop("epsilon_schedule", None)
    if schedule is not None:
        text = flag_text.as_text(_tuples(schedule))
        try:
            schedule = flag_text.parse_schedule(text)
        except ValueError as error:
            raise UserError(
                f"epsilon_schedule is {text!r}; allowed: {flag_text.SCHEDULE_ALLOWED}."
            ) from error
    batch = flags.pop("blocks_per_iteration", 0)
    wanted = dataclasses.replace(
        wanted,
        options={**wanted.options, **flags},
        schedule=schedule,
        blocks_per_iteration=batch,
        before=own.recorded_flags(pathlib.Path(call.run_dir)),
        listeners=_listeners(call),
    )
    if search_with(function, call.run_dir, wanted, call.stream) == INTERRUPTED:
        raise KeyboardInterrupt


def _carry_out(dataset: str, call: Call) -> None:
    words = [f"--{name}={_text(value)}" for name, value in call.flags.items()]
    if "preset" not in call.flags:
        words.insert(0, f"--preset={own.PRESET}")
    if call.budget is not None:
        words.append(f"--max_blocks={call.budget}")
    words += [f"--dataset={dataset}", f"--run_dir={call.run_dir}"]
    settings, run = search_flags.parse(words)
    run = dataclasses.replace(run, from_python=True)
    if search_and_finals(settings, run, call.stream, _listeners(call)) == INTERRUPTED:
        raise KeyboardInterrupt


class _Told:
    """A listener that passes trials on."""

    def __init__(self, on_trial: Callable[[Trial], None]):
        self._on_trial = on_trial

    def history(self, trial: Trial) -> None:
        """See `Progress.history`; the caller has heard of it."""

    def finished(self, trial: Trial) -> None:
        """See `Progress.finished`."""
        self._on_trial(trial)

    def close(self) -> None:
        """See `Progress.close`."""


def _listeners(call: Call) -> tuple[_Told, ...]:
    return () if call.on_trial is None else (_Told(call.on_trial),)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={_text(part)}" for name, part in value.items())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return flag_text.as_text(_tuples(value))


def _tuples(value: Any) -> Any:
    """The same with tuples in the place of lists."""
    if isinstance(value, (list, tuple)):
        return tuple(_tuples(part) for part in value)
    return value


def _remove_unused(directory: pathlib.Path) -> None:
    """Removes a directory with what opening a run leaves in it."""
    for path in directory.iterdir():
        with contextlib.suppress(OSError):
            path.unlink()
    with contextlib.suppress(OSError):
        directory.rmdir()

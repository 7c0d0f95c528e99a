"""A run's directory: its lock, its flags, its log and its store."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import pathlib
import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from blockqnn.errors import UserError
from blockqnn.runs.file_system import network_file_system
from blockqnn.runs.older_flags import BEFORE_THERE_WERE
from blockqnn.runs.status_file import FILE_NAME as STATUS_FILE
from blockqnn.runs.status_file import read_status
from blockqnn.runs.store import FILE_NAME, Store
from blockqnn.settings import PYTHON, RunSettings

FLAG_FILE = "search.flags"
LOG_FILE = "search.log"
_LOCK_FILE = "lock"
SCHEDULE = "epsilon_schedule"
_BUDGETS = ("max_blocks", "max_hours")
_FINALS = ("finals", "finals_recipe")
_KNOWN_BY_CONTENT = {"dataset": "data", "resize": "data", "table": "table"}
"""Flags that may change where what they name has stayed the same, and the fact that tells."""


@contextlib.contextmanager
def opened(settings: RunSettings) -> Iterator[Store]:
    """Opens a run directory for its only driver, and creates it if need be.

    Args:
        settings: where it is, and the flags that say what the search is.

    Yields:
        The store, which is new or belongs to a search with these flags.

    Raises:
        UserError: if the directory cannot be used, another process drives it,
            or it holds another search.
    """
    path = settings.run_dir
    new = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / _LOCK_FILE).open("a+", encoding="utf-8")
    except OSError as error:
        raise _unusable(path, error) from error
    with lock:
        network = network_file_system(path)
        _take(lock, path, network)
        store = Store.create_or_open(path / FILE_NAME, on_network=network is not None)
        with contextlib.closing(store):
            facts = store.facts()
            if "flags" in facts:
                known = known_by_content(facts)
                now = {n: v for n, v in settings.flag_values.items() if n not in known}
                check_same_search(facts["flags"], now, path)
            try:
                with _logging_to(path / LOG_FILE):
                    yield store
            except UserError:
                if new and not store.facts():
                    _remove(path)
                raise


def _remove(path: pathlib.Path) -> None:
    """Removes a directory in which no search has begun, unless a log there says why."""
    logs = list(path.glob("*.log"))
    if any(log.stat().st_size for log in logs):
        return
    named = (_LOCK_FILE, STATUS_FILE, *(f"{FILE_NAME}{end}" for end in ("", "-wal", "-shm")))
    with contextlib.suppress(OSError):
        for file in [*logs, *(path / name for name in named)]:
            file.unlink(missing_ok=True)
        # What somebody else has put there keeps it.
        path.rmdir()


def network_notice(path: pathlib.Path) -> str | None:
    """What to say of a run directory on a network file system.

    Args:
        path: of the directory.

    Returns:
        A sentence or two; None where it is on a local one, or nothing is known.
    """
    network = network_file_system(path)
    if network is None:
        return None
    return (
        f"{path} is on a network file system ({network}): the store does without its write-ahead "
        "log there, each commit takes longer, and readers are waited for. A local disk is better; "
        "`status` works from any machine either way."
    )


def incomplete_notice(path: pathlib.Path) -> str | None:
    """What to say of a directory that is only a part of a run.

    Args:
        path: of the directory.

    Returns:
        A sentence or two; None where everything is there.
    """
    if (path / FLAG_FILE).exists():
        return None
    return (
        f"{path} has a store without {FLAG_FILE}: it is a part of a run. What the store's "
        f"write-ahead log ({FILE_NAME}-wal) held is missing too if that was left behind. Copy the "
        "whole directory."
    )


def _take(lock: TextIO, path: pathlib.Path, network: str | None) -> None:
    """Makes this process the only driver, or says who is."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _driven(path, _holder(lock)) from error
    except OSError as error:
        raise UserError(
            f"Files in {path} cannot be locked ({error.strerror or error}), so that nothing would "
            "keep a second search away; name a --run_dir on another file system."
        ) from error
    status = read_status(path / STATUS_FILE)
    # Some network file systems lock for one machine alone.
    elsewhere = status is not None and status.node != platform.node()
    if network and status is not None and elsewhere and status.alive:
        raise _driven(path, f"process {status.process} on {status.node}")
    try:
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {platform.node()}\n")
        lock.flush()
    except OSError as error:
        raise _unusable(path, error) from error


def _holder(lock: TextIO) -> str:
    lock.seek(0)
    return lock.read().strip() or "unknown"


def _driven(path: pathlib.Path, holder: str) -> UserError:
    return UserError(
        f"{path} is being searched by another process ({holder}); wait for it, end it, "
        "or name another --run_dir."
    )


def _unusable(path: pathlib.Path, error: OSError) -> UserError:
    return UserError(f"--run_dir {path} cannot be used: {error.strerror or error}.")


def record(store: Store, settings: RunSettings, facts: Mapping[str, Any]) -> None:
    """Makes the directory that of this search, which is now sure to begin or to go on.

    Args:
        store: of the directory.
        settings: its flags are kept in the store and as a flag file.
        facts: what readers of the store need to know besides.
    """
    store.set_facts({"flags": settings.flag_values, **facts})
    _replace_text(settings.run_dir / FLAG_FILE, settings.flag_file)


def known_by_content(facts: Mapping[str, Any]) -> set[str]:
    """Flags that need not be the same as before, because what they name is known by itself.

    Args:
        facts: of a run's store.

    Returns:
        Names of flags.
    """
    return {
        flag for flag, fact in _KNOWN_BY_CONTENT.items() if (facts.get(fact) or {}).get("digest")
    }


def check_same_search(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    run_dir: pathlib.Path,
    flag: str = "--run_dir",
) -> None:
    """Refuses to go on with a run under flags that make it another search.

    A schedule may become longer and a budget larger: the run is then extended. Its finals
    are no part of the search.

    Args:
        before: the flags of the run.
        now: the flags given.
        run_dir: for the message.
        flag: that names another directory, for the message.

    Raises:
        UserError: naming the first flag that differs.
    """
    for name, value in now.items():
        old = flag_then(before, name, value)
        if old == value or name in _FINALS or (name == SCHEDULE and _extends(old, value)):
            continue
        # A run without a budget may get one.
        if name in _BUDGETS and (float(value) > float(old) or float(old) == 0):
            continue
        more = " or one that begins like it and goes on" if name == SCHEDULE else ""
        way = f"Give the old value{' or a larger one' if name in _BUDGETS else more} to continue it"
        if old == PYTHON:
            way = "The same call of blockqnn.search continues it"
        raise UserError(
            f"The run in {run_dir} was begun with --{name}={old}; given is --{name}={value}. "
            f"{way}, or another {flag} to begin anew."
        )


def flag_then(before: Mapping[str, Any], name: str, default: Any) -> Any:
    """The value that a flag had, or stood for while there was no such flag.

    Args:
        before: flags that were written down, perhaps by an older version.
        name: of the flag.
        default: for a flag whose absence says nothing.

    Returns:
        The value then.
    """
    return before.get(name, BEFORE_THERE_WERE.get(name, default))


def schedule_length(flags: Mapping[str, str]) -> int:
    """How many iterations a run was to have.

    Args:
        flags: of the run, as its store has them.

    Returns:
        The number; 0 if the flags do not tell, or a budget ended the run.
    """
    try:
        if any(float(flags.get(name, "0")) for name in _BUDGETS):
            return 0
        return len(_expand(flags[SCHEDULE]))
    except (KeyError, ValueError, OverflowError, MemoryError):
        return 0


def _extends(before: str, now: str) -> bool:
    old, new = _expand(before), _expand(now)
    return new[: len(old)] == old


def _expand(schedule: str) -> Sequence[float]:
    pairs = (part.split(":") for part in schedule.split(","))
    return [float(epsilon) for epsilon, count in pairs for _ in range(int(count))]


def _replace_text(path: pathlib.Path, text: str) -> None:
    """Writes a file so that it is either the old one or the new one."""
    temporary = path.with_name(path.name + ".new")
    try:
        # A path may have bytes that are no text.
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
        temporary.replace(path)
    except OSError as error:
        raise _unusable(path.parent, error) from error


class _Log(logging.FileHandler):
    """A log that keeps silent where the disk is full; the store has the last word there."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Ignores what went wrong."""


@contextlib.contextmanager
def _logging_to(path: pathlib.Path) -> Iterator[None]:
    try:
        handler = _Log(path, encoding="utf-8")
    except OSError as error:
        raise _unusable(path.parent, error) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("blockqnn")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        with contextlib.suppress(OSError):
            handler.close()

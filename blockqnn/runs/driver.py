"""Whether the process that drives a search still lives, as far as one can see it from here."""

from __future__ import annotations

import os
import pathlib
import platform

_PROCESSES = pathlib.Path("/proc")
_CLOCK_SECONDS = 60.0
"""Two clocks that differ by less agree well enough."""


def visible_from() -> str:
    """From where process numbers mean the same as here: a machine, or a container on it."""
    try:
        space = str((_PROCESSES / "self" / "ns" / "pid").readlink())
    except OSError:
        space = ""
    return f"{platform.node()} {space}".strip()


def has_ended(process: int, began: float, seen_from: str) -> bool:
    """Whether a process is known to have ended.

    Args:
        process: its number.
        began: when it was at work already, in seconds since 1970.
        seen_from: what `visible_from` was to it; empty if that is not known.

    Returns:
        Whether it can be seen from here that it is gone; its number may belong
        to a younger process by now.
    """
    if seen_from != visible_from():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # It is somebody else's, or no number of a process.
        return False
    started = _started(process)
    return started is not None and started > began + _CLOCK_SECONDS


def clock_difference(written: float, now: float) -> float:
    """How far the clock that wrote a time is ahead of this machine's, where that is sure.

    Args:
        written: in seconds since 1970, by the other clock.
        now: by this machine's.

    Returns:
        Seconds; 0 where the time may be right.
    """
    return written - now if written - now > _CLOCK_SECONDS else 0.0


def _started(process: int) -> float | None:
    """When a process began, in seconds since 1970; None where the system does not tell."""
    try:
        # The name of the program, in brackets, may hold blanks.
        fields = (_PROCESSES / str(process) / "stat").read_text("utf-8", "replace")
        ticks = int(fields.rpartition(")")[2].split()[19])
        lines = (_PROCESSES / "stat").read_text("utf-8").splitlines()
        booted = next(int(line.split()[1]) for line in lines if line.startswith("btime"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    return booted + ticks / os.sysconf("SC_CLK_TCK")

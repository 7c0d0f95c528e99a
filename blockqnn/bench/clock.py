"""By what a measuring process tells seconds: those that pass, or those that its processor computes.

The second leaves out what other programs take meanwhile, and counts every thread. On one core
that is what a step takes; on several it is what it costs.
"""

from __future__ import annotations

import time

PASSING, PROCESSOR = CLOCKS = ("passing", "processor")

_clocks = {PASSING: time.perf_counter, PROCESSOR: time.process_time}
_read = _clocks[PASSING]


def use_clock(name: str) -> None:
    """Chooses the clock of this process.

    Args:
        name: one of `CLOCKS`.
    """
    global _read
    _read = _clocks[name]


def now() -> float:
    """Seconds on the clock of this process, from any beginning."""
    return _read()

"""What kind of processor computes, which decides what is fast on it."""

from __future__ import annotations

import pathlib
import platform

_CPU_FACTS = pathlib.Path("/proc/cpuinfo")


def kind_of_processor(facts: pathlib.Path = _CPU_FACTS) -> str:
    """The kind of this machine's processor, by the widest vectors that it computes with.

    Args:
        facts: where Linux lists its processors.

    Returns:
        `avx512`, `avx2`, or the name of the architecture.
    """
    flags = _fact("flags", facts).split()
    known = {"avx512f": "avx512", "avx2": "avx2"}
    return next((kind for flag, kind in known.items() if flag in flags), platform.machine())


def processor_name(facts: pathlib.Path = _CPU_FACTS) -> str:
    """What the processor calls itself, or else its architecture.

    Args:
        facts: where Linux lists its processors.

    Returns:
        A name.
    """
    return _fact("model name", facts) or platform.machine() or "processor"


def _fact(name: str, facts: pathlib.Path) -> str:
    try:
        lines = facts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(found, "")

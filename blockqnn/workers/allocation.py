"""How the C library keeps the memory of large arrays."""

from __future__ import annotations

import ctypes

_OPTIONS = {
    "MALLOC_ARENA_MAX": (-8, 1),
    "MALLOC_MMAP_MAX_": (-4, 0),
    "MALLOC_TRIM_THRESHOLD_": (-1, 2**31 - 1),
    "MALLOC_TOP_PAD_": (-2, 64 * 2**20),
}
"""Variables that glibc reads at its start, the numbers of their options in malloc.h, and values."""

KEPT_MEMORY = {name: str(value) for name, (_, value) in _OPTIONS.items()}
"""Environment in which a new process keeps what it frees, as `keep_memory` does for this one."""


def keep_memory() -> bool:
    """Keeps what is freed in this process, from now on; call it before importing JAX.

    glibc gives a large array that is freed back to the kernel, and the pages
    of the next one fault in again at every step: an output of 37 MB took 17 to
    23 ms instead of 4 to 5. Several arenas give whole heaps back as well, so
    there is to be one.

    Returns:
        Whether the C library took all of it; false where it is not glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
        # Every option is tried, even if one was refused.
        taken = [mallopt(option, value) == 1 for option, value in _OPTIONS.values()]
    # On some systems there is no such function, on others no such library.
    except (AttributeError, OSError, TypeError):
        return False
    return all(taken)

"""What compiling costs, and the cache on disk that makes it cost less."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import threading
from collections.abc import Mapping

import jax
import jaxlib
from jax.experimental.compilation_cache import compilation_cache

from blockqnn.errors import UserError

CACHE_BYTES = 4_000_000_000
"""What the cache of one jaxlib and backend may hold."""

NO_CACHE = "off"

_LOWERING = (
    "/jax/core/compile/jaxpr_trace_duration",
    "/jax/core/compile/jaxpr_to_mlir_module_duration",
)
_COMPILING = "/jax/core/compile/backend_compile_duration"
_SAVED = "/jax/compilation_cache/compile_time_saved_sec"
_HIT = "/jax/compilation_cache/cache_hits"
_MISS = "/jax/compilation_cache/cache_misses"


@dataclasses.dataclass(frozen=True)
class CompilationTimes:
    """What this process has spent on compiling; differences are what a part of it spent.

    Attributes:
        lower_seconds: tracing Python and making StableHLO of it.
        compile_seconds: in XLA, or reading what the cache holds.
        saved_seconds: that XLA would have taken longer than the cache; below
            zero where reading took longer, as with tiny programs.
        hits: programs that the cache held.
        misses: programs that it did not hold.
    """

    lower_seconds: float = 0.0
    compile_seconds: float = 0.0
    saved_seconds: float = 0.0
    hits: int = 0
    misses: int = 0

    def __sub__(self, before: CompilationTimes) -> CompilationTimes:
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(before), strict=True)
        return CompilationTimes(*(now - then for now, then in pairs))


class _Meter:
    """Adds up what JAX reports, from all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds = {"lower": 0.0, "compile": 0.0, "saved": 0.0}
        self._counts = {_HIT: 0, _MISS: 0}
        jax.monitoring.register_event_duration_secs_listener(self._duration)
        jax.monitoring.register_event_listener(self._event)

    def read(self) -> CompilationTimes:
        """The sums so far, of one moment."""
        with self._lock:
            return CompilationTimes(
                self._seconds["lower"],
                self._seconds["compile"],
                self._seconds["saved"],
                self._counts[_HIT],
                self._counts[_MISS],
            )

    def _duration(self, event: str, duration_secs: float, **kwargs: str | int) -> None:
        name = {_COMPILING: "compile", _SAVED: "saved"}.get(event)
        if event in _LOWERING:
            name = "lower"
        if name is not None:
            with self._lock:
                self._seconds[name] += duration_secs

    def _event(self, event: str, **kwargs: str | int) -> None:
        if event in self._counts:
            with self._lock:
                self._counts[event] += 1


_meter = _Meter()


def compilation_times() -> CompilationTimes:
    """What this process has spent on compiling since this module was imported.

    Seconds are those of the threads that compiled, added up.

    Returns:
        The sums so far.
    """
    return _meter.read()


def default_cache_directory(environment: Mapping[str, str] = os.environ) -> pathlib.Path:
    """Where compiled programs are kept for a user, a jaxlib and a backend.

    What one jaxlib wrote has crashed another, and what was compiled for one
    CPU need not run on the next that shares the home directory: both are in
    the name.

    Args:
        environment: its XDG_CACHE_HOME is respected.

    Returns:
        The directory, which need not exist.
    """
    home = environment.get("XDG_CACHE_HOME") or str(pathlib.Path("~/.cache").expanduser())
    backend = jax.default_backend()
    if backend == "cpu":
        backend += "-" + _cpu_features()
    return pathlib.Path(home) / "blockqnn" / f"jaxlib-{jaxlib.__version__}-{backend}"


def use_cache(
    directory: pathlib.Path | None = None, most_bytes: int = CACHE_BYTES
) -> pathlib.Path | None:
    """Keeps compiled programs on disk, small ones too, from now on.

    JAX_COMPILATION_CACHE_DIR, where it is set, is used as it is.

    Args:
        directory: to keep them in; None for the default.
        most_bytes: that it may hold; what was read longest ago is deleted.

    Returns:
        The directory, or None where it cannot be written to.
    """
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    if chosen := os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return pathlib.Path(chosen)
    directory = directory or default_cache_directory()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(directory, os.W_OK):
        return None
    prune(directory, most_bytes)
    jax.config.update("jax_compilation_cache_dir", str(directory))
    compilation_cache.reset_cache()  # JAX keeps to the first directory that it met.
    return directory


def begin_cache(wanted: str) -> pathlib.Path | None:
    """Keeps compiled programs as `--compilation_cache` has it.

    Args:
        wanted: a directory, `off`, or empty for one per user.

    Returns:
        The directory that is to be pruned from time to time, if there is one.

    Raises:
        UserError: if the directory cannot be written to.
    """
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        use_cache()
        return None
    if wanted == NO_CACHE:
        return None
    directory = use_cache(pathlib.Path(wanted) if wanted else None)
    if wanted and directory is None:
        raise UserError(f"--compilation_cache {wanted} is no directory that can be written to.")
    return directory


def prune(directory: pathlib.Path, most_bytes: int) -> int:
    """Deletes the programs that were read longest ago, until the rest fits.

    JAX's own bound reads the whole directory at each write, which costs more
    than compiling where programs are small and many.

    Args:
        directory: of the cache.
        most_bytes: that it may hold. Pruning stops at nine tenths of it.

    Returns:
        How many files were deleted.
    """
    files = []
    for path in directory.iterdir():
        with contextlib.suppress(OSError):  # Another process may prune at the same time.
            status = path.stat()
            files.append((max(status.st_atime, status.st_mtime), status.st_size, path))
    held = sum(size for _, size, _ in files)
    if held <= most_bytes:
        return 0
    deleted = 0
    for _, size, path in sorted(files):
        if held <= 0.9 * most_bytes:
            break
        with contextlib.suppress(OSError):
            path.unlink()
            deleted += 1
        held -= size
    return deleted


def _cpu_features() -> str:
    """Names the instruction set of this machine."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(flags.encode()).hexdigest()[:8]

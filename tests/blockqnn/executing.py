"""What tests do with executors, and when they look."""

import contextlib
import pathlib
import time

from tests.blockqnn.small_searches import job


def outcomes(executor, codes):
    """Evaluates blocks and returns their outcomes in the order of submission."""
    for number, code in enumerate(codes):
        executor.submit(job(number, code))
    found = dict(executor.next_outcome() for _ in codes)
    return [found[number] for number in range(len(codes))]


def wait_for(condition):
    """Waits until something is so; a test that waits in vain fails by the clock of its runner."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited in vain")


def is_alive(pid):
    """Whether a process runs; one that ended and was not waited for does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False

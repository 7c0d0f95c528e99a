"""Resident memory over many different children in one process.

Trains random blocks of the digits preset, each other than all before, for a
few steps each, and prints resident memory and live device arrays as it goes;
last the ratio of the memory after the last child to that after the 50th.
Takes some minutes on two cores.
"""

from __future__ import annotations

import gc
import os
import pathlib
from collections.abc import Sequence

import jax
import numpy as np

from benchmarks._arguments import make_parser
from benchmarks.signatures import different_plans
from blockqnn.children.training import make_execution, on_device
from blockqnn.data.datasets import load_search_parts
from blockqnn.flags.search import parse
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.settings import Recipe
from blockqnn.workers.allocation import keep_memory

REFERENCE = 50
BATCH = 64


def resident_bytes() -> int:
    """What this process holds in memory, by the kernel's count."""
    pages = int(pathlib.Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def memory_ratio(
    children: int,
    execution: str,
    steps: int,
    reference: int = REFERENCE,
    flags: Sequence[str] = (),
) -> float:
    """Trains children and prints their memory.

    Args:
        children: how many.
        execution: `layers` or `whole`.
        steps: of each child.
        reference: after which child memory is taken as 1.
        flags: of the search, which override the preset's.

    Returns:
        Memory after the last child over that after the reference.
    """
    settings, _ = parse(["--preset=digits"])
    train, validation = on_device(*load_search_parts(settings.data))
    order = np.arange(steps * BATCH, dtype=np.int32).reshape(steps, BATCH)
    at_reference = resident_bytes()
    for number, plan in enumerate(different_plans("digits", children, flags), start=1):
        child = make_execution(plan, Recipe(execution=execution), BATCH)
        child.compile(train, validation, steps)
        child.start(initial_parameters(plan, 0), initial_statistics(plan))
        child.train_epoch(train, order, 1e-3)
        child.evaluate(validation)
        del child
        if number == reference:
            at_reference = resident_bytes()
        if number % reference == 0 or number == children:
            gc.collect()
            arrays = jax.live_arrays()
            held = sum(array.nbytes for array in arrays)
            print(
                f"after {number:4} children: {resident_bytes() / 1e6:6.0f} MB resident, "
                f"{len(arrays)} arrays of {held / 1e6:.1f} MB on the device",
                flush=True,
            )
    return resident_bytes() / at_reference


def main() -> None:
    """Reads the command line and prints the ratio."""
    parser = make_parser("memory", __doc__)
    parser.add_argument("--children", type=int, default=300, help="how many are trained")
    parser.add_argument("--execution", default="layers", help="layers or whole, as for `search`")
    parser.add_argument("--steps", type=int, default=2, help="of each child")
    parser.add_argument(
        "--match", default="", help="the size of every child, as for search; empty for none"
    )
    given = parser.parse_args()
    keep_memory()
    flags = [f"--match={given.match}"] if given.match else []
    ratio = memory_ratio(given.children, given.execution, given.steps, flags=flags)
    print(f"ratio to the memory after child {REFERENCE}: {ratio:.2f}")


if __name__ == "__main__":
    main()

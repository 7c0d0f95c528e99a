"""Where a training step goes: seconds by what is computed and in which direction.

Every program of a step is measured by itself, with its arrays in the cache or not as a
repetition leaves them; so the sum says what the parts cost, and the measured step beside
it what joins them: fusion makes it shorter, dispatch and memory make it longer.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from blockqnn.bench.clock import now
from blockqnn.listing import number, table
from blockqnn.networks.operations.steps import Placed, window_of


class Direction(enum.StrEnum):
    """What is computed of a function."""

    VALUE = "value"
    INPUT = "gradient for the input"
    ARRAYS = "gradient for the arrays"
    UPDATE = "update"


@dataclasses.dataclass(frozen=True)
class Measured:
    """A program of a step.

    Attributes:
        kind: what it computes, the same words for every framework.
        direction: of it.
        seconds: of one call.
        flops: of one call, multiply and add counted as two; 0 where they are not what counts.
        times: that a step calls it.
    """

    kind: str
    direction: str
    seconds: float
    flops: float = 0.0
    times: int = 1


_LEAST_SECONDS, _LEAST_CALLS = 0.1, 5
CLASSIFIER, JOINS, NORM, SUMS = "classifier, loss", "concat, slices", "batch norm", "sums"
WEIGHTS = "weights"


def kind_of(name: str, placed: Placed, arrays: Mapping[str, Sequence[int]]) -> str:
    """What a layer or step is called in a profile.

    Args:
        name: of its computation.
        placed: the layer or step.
        arrays: the shapes of its own trained arrays, those of batch norm left out.

    Returns:
        Words that are the same in every framework.
    """
    if len(arrays.get("kernel", ())) == 4:
        stride = f", stride {placed.stride}" if placed.stride > 1 else ""
        if placed.stride_across:
            stride = f", strides {placed.stride}x{placed.stride_across}"
        if "kernel_shifted" in arrays:
            return "factorised reduction"
        words = "convolution"
        if "depthwise" in arrays:
            words = "dilated separable" if "dilated" in name else "separable"
        rows, columns = window_of(placed)
        return f"{words} {rows}x{columns}{stride}"
    if len(placed.shape) == 1 or name == "relu":
        return CLASSIFIER
    known = {"sum": SUMS, "sum, batch norm": SUMS, "batch norm": SUMS, "add": SUMS}
    known |= {"concat": JOINS, "slice of channels": JOINS}
    window = f"{placed.kernel}x{placed.kernel}"
    full = name if not placed.kernel or window in name else f"{name} {window}"
    return known.get(name, full)


def flops_of(batch: int, placed: Placed, arrays: Mapping[str, Sequence[int]]) -> float:
    """FLOPs of a convolution, padding included; 0 of all else."""
    if len(arrays.get("kernel", ())) != 4:
        return 0.0
    products = sum(math.prod(shape) for shape in arrays.values() if len(shape) == 4)
    return 2.0 * batch * math.prod(placed.shape[:-1]) * products


def median_seconds(call: Callable[[], object]) -> float:
    """The median time of a call, after one that is discarded.

    Args:
        call: computes, and waits until it has ended.

    Returns:
        Seconds.
    """
    call()
    seconds: list[float] = []
    while len(seconds) < _LEAST_CALLS or sum(seconds) < _LEAST_SECONDS:
        begun = now()
        call()
        seconds.append(now() - begun)
    return statistics.median(seconds)


def as_facts(measured: Iterable[Measured]) -> list[dict[str, Any]]:
    """Adds up what is of one kind and direction.

    Args:
        measured: programs of a step.

    Returns:
        For each kind and direction `kind`, `direction`, `seconds` of a step, `calls` in a step
        and `flops` of a step.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in measured:
        fact = found.setdefault(
            (one.kind, one.direction),
            {"kind": one.kind, "direction": str(one.direction), "seconds": 0.0, "calls": 0}
            | {"flops": 0.0},
        )
        fact["seconds"] += one.seconds * one.times
        fact["flops"] += one.flops * one.times
        fact["calls"] += one.times
    return list(found.values())


def in_words(
    ours: Sequence[Mapping[str, Any]],
    theirs: Sequence[Mapping[str, Any]],
    step: float,
    torch_step: float | None,
) -> str:
    """A profile as a table, what costs most first.

    Args:
        ours: facts of JAX's side.
        theirs: facts of PyTorch's; empty if it was not measured.
        step: seconds of a whole step.
        torch_step: of PyTorch's; None if it was not measured.

    Returns:
        Lines.
    """
    other = {(fact["kind"], fact["direction"]): fact for fact in theirs}
    own = {(fact["kind"], fact["direction"]): fact for fact in ours}
    nothing = {"seconds": 0.0, "calls": 0, "flops": 0.0}
    keys = sorted(
        own | other,
        key=lambda key: -(own.get(key, nothing)["seconds"] + other.get(key, nothing)["seconds"]),
    )
    pairs = [(*key, own.get(key, nothing), other.get(key, nothing)) for key in keys]
    total = {"calls": 0, "flops": 0.0, "seconds": sum(fact["seconds"] for fact in ours)}
    total_other = total | {"seconds": sum(fact["seconds"] for fact in theirs)}
    pairs.append(("all of these, each by itself", "", total, total_other))
    whole = nothing | {"seconds": step}
    pairs.append(("the step", "", whole, nothing | {"seconds": torch_step or 0.0}))
    rows = [
        _row(kind, direction, mine, torchs, step, bool(theirs))
        for kind, direction, mine, torchs in pairs
    ]
    header = ["ms", "share %", "calls", "GFLOP/s"]
    header += ["torch ms", "GFLOP/s", "ratio"] if theirs else []
    return table([*header, "what", "direction"], rows)


def _row(
    kind: str,
    direction: str,
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    step: float,
    both: bool,
) -> list[str]:
    cells = [
        number(1e3 * ours["seconds"], 2),
        number(100 * ours["seconds"] / step, 0),
        str(ours["calls"] or ""),
        _rate(ours),
    ]
    if both:
        ratio = ours["seconds"] / theirs["seconds"] if theirs["seconds"] else 0.0
        cells += [number(1e3 * theirs["seconds"], 2), _rate(theirs)]
        cells.append(number(ratio, 2) if ratio else "")
    return [*cells, kind, direction]


def _rate(fact: Mapping[str, Any]) -> str:
    return number(fact["flops"] / fact["seconds"] / 1e9, 0) if fact["flops"] else ""

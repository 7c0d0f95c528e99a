"""How a search went over its iterations: learning curves, and what the agent wrote."""

from __future__ import annotations

import collections
import functools
import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from blockqnn.networks.graph import (
    ADD,
    AVERAGE_POOLING,
    CONCAT,
    CONVOLUTION,
    IDENTITY,
    KINDS,
    MAX_POOLING,
    operations,
)
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import space_of
from blockqnn.report.columns import short
from blockqnn.trial import Status, Trial, mean_entropy

VALUED = (Status.COMPLETED, Status.KNOWN)
"""Trials with an accuracy; the others earn that of guessing, which says nothing of blocks."""

TYPES = (CONVOLUTION, MAX_POOLING, AVERAGE_POOLING, IDENTITY, ADD, CONCAT)
"""Shown whether they occur or not; others only where they do."""
_Layer = tuple[str, tuple[int, int]]
_Name = str | tuple[int, int]
_MOST_BINS = 60
_TRIALS_A_BIN = 30
"""With fewer, shares would be noise."""


def learning_curves(trials: Sequence[Trial]) -> dict[str, Any]:
    """Reward and accuracy of each iteration, and the best so far.

    Args:
        trials: in order of number.

    Returns:
        `iteration`, `epsilon` and `entropy` (of the agent's policy in nats, None without one),
        lists of one entry an iteration; `reward` and
        `accuracy`, both in percent, each with the lists `mean`, `deviation` (of
        the sample; 0 for one value), `best` (so far, of trained blocks; None
        before the first) and `records`, the numbers of the trials that were the
        best when they came.
    """
    by_iteration = _by(trials, lambda trial: trial.iteration)
    return {
        "iteration": list(by_iteration),
        "epsilon": [short(part[0].epsilon) for part in by_iteration.values()],
        "entropy": [short(mean_entropy(part)) for part in by_iteration.values()],
        "valued": [sum(t.status in VALUED for t in part) for part in by_iteration.values()],
        "reward": _curve(by_iteration, lambda trial: trial.reward),
        "accuracy": _curve(by_iteration, lambda trial: trial.accuracy),
    }


def distributions(trials: Sequence[Trial]) -> dict[str, Any]:
    """Length, types and kernels of the blocks that the agent wrote, over time.

    All suggestions count, whatever became of them. Layers are the operations that were chosen,
    identities among them, and what joins several tensors; what a cell is given and the
    concatenation or mean of all that goes out of it are none.

    Args:
        trials: in order of number.

    Returns:
        `iteration`, the last of each bin; `first`, the first of each bin;
        `length` with the lists `low`, `median` and `high` (10, 50 and 90 %, in
        layers without Terminal) and `mean`; `types`, by the name of a layer
        type the list of its shares among all layers; `kernels`, by rows and columns of each
        window that occurs, such as 3x3, the list of its shares among convolutions and pooling,
        small windows first.
    """
    iterations = sorted({trial.iteration for trial in trials})
    # A line needs two points, however few trials there are.
    wanted = max(2, min(_MOST_BINS, len(trials) // _TRIALS_A_BIN))
    size = max(1, -(-len(iterations) // wanted))
    place = {iteration: index // size for index, iteration in enumerate(iterations)}
    bins = _by(trials, lambda trial: place[trial.iteration])
    lengths = [sorted(len(_layers(trial.code)) for trial in part) for part in bins.values()]
    layers = [
        collections.Counter(layer for trial in part for layer in _layers(trial.code))
        for part in bins.values()
    ]
    types = [_summed(counts, lambda key: key[0]) for counts in layers]
    kernels = [_summed(counts, lambda key: key[1] if key[1][0] else None) for counts in layers]
    occurring = {key for counts in layers for key in counts}
    kinds = {kind for kind, _ in occurring}
    shown = (*TYPES, *(kind for kind in KINDS if kind in kinds.difference(TYPES)))
    windows = {(1, 1), (3, 3), (5, 5)} | {window for _, window in occurring if window[0]}
    return {
        "first": [min(trial.iteration for trial in part) for part in bins.values()],
        "iteration": [max(trial.iteration for trial in part) for part in bins.values()],
        "length": {
            "low": [quantile(part, 0.1) for part in lengths],
            "median": [quantile(part, 0.5) for part in lengths],
            "high": [quantile(part, 0.9) for part in lengths],
            "mean": [statistics.fmean(part) for part in lengths],
        },
        "types": {kind: [_share(counts, kind) for counts in types] for kind in shown},
        "kernels": {
            f"{rows}x{columns}": [_share(counts, (rows, columns)) for counts in kernels]
            for rows, columns in sorted(windows, key=lambda window: (math.prod(window), window))
        },
    }


@functools.lru_cache(maxsize=100_000)
def _layers(code: Code) -> tuple[_Layer, ...]:
    """Kind and window of each layer; a page that follows a run asks again and again."""
    return tuple((layer.kind, layer.window) for layer in operations(space_of(code).graph(code)))


def quantile(ascending: Sequence[float], share: float) -> float:
    """A quantile, between neighbours by their distance.

    Args:
        ascending: at least one value, in order.
        share: of the values that lie below, from 0 to 1.

    Returns:
        The quantile.
    """
    place = share * (len(ascending) - 1)
    low = int(place)
    high = min(low + 1, len(ascending) - 1)
    return ascending[low] + (ascending[high] - ascending[low]) * (place - low)


def records(trials: Sequence[Trial], value: Callable[[Trial], float | None]) -> list[Trial]:
    """The trained trials that were the best when they came.

    Args:
        trials: in order of number.
        value: what is compared; higher is better.

    Returns:
        The first trained trial with a value, and each that exceeds all before it.
    """
    found: list[Trial] = []
    best = None
    for trial in trials:
        now = value(trial) if trial.status is Status.COMPLETED else None
        if now is not None and (best is None or now > best):
            best = now
            found.append(trial)
    return found


def _curve(
    by_iteration: dict[Any, list[Trial]], value: Callable[[Trial], float | None]
) -> dict[str, Any]:
    found = records([trial for part in by_iteration.values() for trial in part], value)
    in_iteration = {trial.iteration: value(trial) for trial in found}
    means: list[float | None] = []
    deviations: list[float | None] = []
    best: list[float | None] = []
    so_far = None
    for iteration, part in by_iteration.items():
        values = [v for t in part if t.status in VALUED and (v := value(t)) is not None]
        means.append(statistics.fmean(values) if values else None)
        deviations.append(statistics.stdev(values) if len(values) > 1 else 0.0 if values else None)
        so_far = in_iteration.get(iteration, so_far)
        best.append(so_far)
    return {
        "mean": means,
        "deviation": deviations,
        "best": best,
        "records": [trial.number for trial in found],
    }


def _by(trials: Sequence[Trial], key: Callable[[Trial], Any]) -> dict[Any, list[Trial]]:
    parts: dict[Any, list[Trial]] = {}
    for trial in trials:
        parts.setdefault(key(trial), []).append(trial)
    return dict(sorted(parts.items()))


def _summed(
    counts: collections.Counter[_Layer], key: Callable[[_Layer], _Name | None]
) -> collections.Counter[_Name]:
    sums: collections.Counter[_Name] = collections.Counter()
    for layer, count in counts.items():
        name = key(layer)
        if name is not None:
            sums[name] += count
    return sums


def _share(counts: collections.Counter[_Name], key: _Name) -> float:
    return counts[key] / max(1, counts.total())

"""Which trials of a run to look at, and in which order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from blockqnn.networks.graph import AVERAGE_POOLING, CONVOLUTION, LAYER, MAX_POOLING, Node
from blockqnn.networks.motifs import MOTIFS, motifs
from blockqnn.networks.spaces.registry import design_of, graph_of
from blockqnn.trial import Status, Trial

ANY = "any"
STATUSES = tuple(status.value for status in Status if status is not Status.RUNNING)
BEST_FIRST, ASCENDING, DESCENDING = "best_first", "ascending", "descending"
ORDERS = (BEST_FIRST, ASCENDING, DESCENDING)

Figure = float | int | None

FIGURES: Mapping[str, Callable[[Trial], Figure]] = MappingProxyType(
    {
        "reward": lambda trial: trial.measured_reward,
        "accuracy": lambda trial: trial.accuracy,
        "parameters": lambda trial: trial.parameters,
        "flops": lambda trial: trial.flops,
        "seconds": lambda trial: (
            None
            if trial.status is Status.INFEASIBLE
            else trial.waiting_seconds + trial.train_seconds
        ),
        "density": lambda trial: trial.density,
        "depth": lambda trial: trial.depth,
        "number": lambda trial: trial.number,
    }
)
"""What trials can be sorted by."""
_HIGH_IS_GOOD = ("reward", "accuracy")


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which trials, and in which order.

    Attributes:
        sort: one of `FIGURES`.
        order: `best_first` for high rewards and accuracies and for low costs
            and numbers, or `ascending` or `descending`.
        status: of the trials, or `any`.
        iterations: first and last of the iterations, or None for all.
        least: by the name of a figure, what it must be at least.
        most: by the name of a figure, what it may be at most.
        has: words that `features` must contain.
    """

    sort: str = "reward"
    order: str = BEST_FIRST
    status: str = Status.COMPLETED.value
    iterations: tuple[int, int] | None = None
    least: Mapping[str, float] = dataclasses.field(default_factory=dict)
    most: Mapping[str, float] = dataclasses.field(default_factory=dict)
    has: tuple[str, ...] = ()

    @property
    def descending(self) -> bool:
        """Whether the highest value of the figure comes first."""
        if self.order == BEST_FIRST:
            return self.sort in _HIGH_IS_GOOD
        return self.order == DESCENDING


def select(trials: Iterable[Trial], selection: Selection) -> list[Trial]:
    """Filters and sorts trials.

    Args:
        trials: in order of number.
        selection: which ones, and in which order.

    Returns:
        Those that fulfil all conditions. A trial without a figure fulfils no
        condition on it and comes last; earlier ones come before equals.
    """
    figure = FIGURES[selection.sort]
    found = [trial for trial in trials if _fulfils(trial, selection)]
    sign = -1 if selection.descending else 1
    return sorted(
        found,
        key=lambda trial: (
            (value := figure(trial)) is None,
            0 if value is None else sign * value,
            trial.number,
        ),
    )


def features(trial: Trial) -> frozenset[str]:
    """What the design has, in words of `FEATURES`; layers that compute nothing do not count."""
    graph = graph_of(design_of(trial.code))
    words = {name for name, found in motifs(graph).items() if found}
    for layer in graph.layers:
        if layer.role == LAYER:
            words |= {_WORDS.get(layer.kind, layer.kind), layer_word(layer)}
    return frozenset(words)


def layer_word(layer: Node) -> str:
    """A short name of what a layer computes, such as conv3x3."""
    word = _WORDS.get(layer.kind, layer.kind)
    rows, columns = layer.window
    return f"{word}{rows}x{columns}" if rows else word


_WORDS = {
    CONVOLUTION: "conv",
    MAX_POOLING: "max",
    AVERAGE_POOLING: "average",
}
LAYERS = ("conv", "conv1x1", "conv3x3", "conv5x5", "max", "average", "add", "concat")
FEATURES = (*LAYERS, *MOTIFS)
"""Words for the layers and the motifs that a design may have."""
SHORT_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "branch": "several branches",
        "leaves": "several leaves",
        "shortcut": "shortcut from input to output",
        "residual": "residual Add around convolutions",
        "conv_sum": "Add of two convolutions",
        "inner_concat": "Concat inside",
        "sequence": "convolutions in sequence",
        "parallel": "convolutions side by side",
        "kernel_mix": "kernels of several sizes side by side",
        "bottleneck": "1x1 before a larger kernel",
        "pool_beside": "pooling beside convolution",
        "pool_after": "pooling after convolution",
    }
)
"""What motifs may be called where names are typed."""


def feature_named(text: str) -> str:
    """The feature of a name.

    Args:
        text: one of `FEATURES` or of `SHORT_NAMES`, in letters large or small.

    Returns:
        One of `FEATURES`.

    Raises:
        ValueError: if there is no such name.
    """
    folded = text.casefold()
    if folded in SHORT_NAMES:
        return SHORT_NAMES[folded]
    for feature in FEATURES:
        if feature.casefold() == folded:
            return feature
    raise ValueError(f"{text!r} is no feature")


def _fulfils(trial: Trial, selection: Selection) -> bool:
    if selection.status not in (ANY, trial.status):
        return False
    if selection.iterations is not None:
        first, last = selection.iterations
        if not first <= trial.iteration <= last:
            return False
    for name, least in selection.least.items():
        value = FIGURES[name](trial)
        if value is None or value < least:
            return False
    for name, most in selection.most.items():
        value = FIGURES[name](trial)
        if value is None or value > most:
            return False
    return not selection.has or features(trial).issuperset(selection.has)

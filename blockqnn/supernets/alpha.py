"""The weights of operations of a mixture, and how they are trained; nothing here imports JAX."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from blockqnn.mixture_settings import MixtureSettings
from blockqnn.networks.shares import Rows as Rows
from blockqnn.networks.spaces.contract import NONE, Left, Row, is_left

ADAM_EPSILON = 1e-8
_NEVER = -1e4
"""What a choice has in a row whose softmax leaves it nothing, to the last bit."""


@dataclasses.dataclass(frozen=True)
class Alpha:
    """The numbers of all rows, and Adam's moments of them.

    Attributes:
        rows: float32 [choices] each.
        first: moment, likewise.
        second: moment, likewise.
        steps: of Adam that were taken.
    """

    rows: Rows
    first: Rows
    second: Rows
    steps: Any = 0


def first_alpha(rows: Sequence[Row], deviation: float, seed: int) -> Alpha:
    """Alpha before any step: small normal numbers, from one stream in the order of the rows.

    Args:
        rows: of the mixture.
        deviation: standard deviation.
        seed: of the stream.

    Returns:
        It, without moments.
    """
    random = np.random.default_rng(seed)
    drawn = {
        row.name: (deviation * random.standard_normal(len(row.choices))).astype(np.float32)
        for row in rows
    }
    return begun(drawn)


def begun(rows: Rows) -> Alpha:
    """Alpha with some numbers, of which no step of Adam was taken."""
    zeros = {name: np.zeros_like(row) for name, row in rows.items()}
    return Alpha(rows, zeros, zeros)


def adam_step(alpha: Alpha, gradient: Rows, settings: MixtureSettings) -> Alpha:
    """A step of Adam: Kingma and Ba, 2015, algorithm 1, with the decay in the gradient.

    Args:
        alpha: before.
        gradient: of the loss, by row.
        settings: rate, decays and betas.

    Returns:
        Alpha after it; arrays are NumPy's or JAX's, as they were.
    """
    beta1, beta2, steps = settings.alpha_beta1, settings.alpha_beta2, alpha.steps + 1
    rows, first, second = {}, {}, {}
    for name, row in alpha.rows.items():
        whole = gradient[name] + settings.alpha_decay * row
        first[name] = beta1 * alpha.first[name] + (1 - beta1) * whole
        second[name] = beta2 * alpha.second[name] + (1 - beta2) * whole * whole
        mean = first[name] / (1 - beta1**steps)
        spread = (second[name] / (1 - beta2**steps)) ** 0.5 + ADAM_EPSILON
        rows[name] = row - settings.alpha_rate * mean / spread
    return Alpha(rows, first, second, steps)


def discrete(rows: Sequence[Row], alpha: Rows, kept: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Rows by which a mixture computes what a design does that is derived from it.

    Args:
        rows: of the mixture.
        alpha: their numbers.
        kept: by the names of the edges that the design keeps the operation on each.

    Returns:
        Rows whose softmax is 1 for what is kept, `none` being that of other edges. Where edges
        are weighed, the others have no weight, and those that are kept have the whole of it.
    """
    left = {
        row.node: [each for each in row.choices if kept.get(f"{row.node}{each}", NONE) != NONE]
        for row in rows
        if row.weighs_edges
    }
    found: dict[str, Any] = {}
    for row in rows:
        if row.weighs_edges:
            found[row.name] = _only(row, alpha, left[row.node] or row.choices)
        else:
            found[row.name] = _chosen(row, kept.get(row.name, NONE))
    return found


def of_part(alpha: Rows, rows: Sequence[Row], parts: Sequence[Row], left: Left) -> dict[str, Any]:
    """The rows of a part of a mixture, with the numbers that its parent has.

    Args:
        alpha: numbers of the parent, or of the part itself.
        rows: of the whole mixture.
        parts: of the part, in the same order.
        left: to the part.

    Returns:
        Rows of float32, in which what is not left has no share.
    """
    found = {}
    for whole, own in zip(rows, parts, strict=True):
        numbers = np.asarray(alpha[whole.name], np.float32)
        if len(numbers) != len(own.choices):
            # The parent has all operations on this edge: an edge is split once.
            numbers = numbers[[whole.choices.index(choice) for choice in own.choices]]
        closed = [not is_left(own, choice, left) for choice in own.choices]
        found[own.name] = np.where(closed, np.float32(_NEVER), numbers)
    return found


def of_whole(alpha: Rows, rows: Sequence[Row], parts: Sequence[Row]) -> dict[str, np.ndarray]:
    """The rows of a part as those of the whole mixture, what the part lacks having no share."""
    found = {}
    for whole, own in zip(rows, parts, strict=True):
        numbers = np.full(len(whole.choices), _NEVER, np.float32)
        numbers[[whole.choices.index(choice) for choice in own.choices]] = alpha[own.name]
        found[own.name] = numbers
    return found


def without(row: Any, place: int) -> np.ndarray:
    """A row without one of its choices, whose share the others take over."""
    numbers = np.array(row, np.float32)
    numbers[place] = _NEVER
    return numbers


def decided(rows: Sequence[Row], alpha: Rows, fixed: Mapping[str, str]) -> dict[str, Any]:
    """Rows in which some choices have been made.

    Args:
        rows: of the mixture.
        alpha: their numbers.
        fixed: the operation of an edge by its row's name; and by the name of a node the edges that
            are left, with commas between them.

    Returns:
        Rows as they are where nothing is decided.
    """
    found = dict(alpha)
    for row in rows:
        left = fixed.get(row.node)
        if row.weighs_edges:
            if left is not None:
                found[row.name] = _only(row, alpha, left.split(","))
        elif left is not None and row.name.removeprefix(row.node) not in left.split(","):
            found[row.name] = _chosen(row, NONE)
        elif row.name in fixed:
            found[row.name] = _chosen(row, fixed[row.name])
    return found


def left_out(
    rows: Sequence[Row], alpha: Rows, name: str, fixed: Mapping[str, str]
) -> list[dict[str, Any] | None]:
    """What a mixture is without each choice of one row, or without each edge into a node.

    Wang et al., "Rethinking Architecture Selection in Differentiable NAS", ICLR 2021.

    Args:
        rows: of the mixture.
        alpha: their numbers, with what is decided in them.
        name: of the row of an edge, or of a node.
        fixed: what is decided, as for `decided`.

    Returns:
        Rows for each choice; None for `none`, which is no choice, and for edges that are gone.
    """
    own = next((row for row in rows if row.name == name and not row.weighs_edges), None)
    if own is not None:
        return [
            None if choice == NONE else {**alpha, name: without(alpha[name], place)}
            for place, choice in enumerate(own.choices)
        ]
    edges = [r.name.removeprefix(r.node) for r in rows if r.node == name and not r.weighs_edges]
    left = fixed[name].split(",") if name in fixed else edges
    return [
        decided(rows, alpha, {name: ",".join(each for each in left if each != edge)})
        if edge in left
        else None
        for edge in edges
    ]


def _chosen(row: Row, choice: str) -> np.ndarray:
    numbers = np.full(len(row.choices), _NEVER, np.float32)
    numbers[row.choices.index(choice)] = 0
    return numbers


def _only(row: Row, alpha: Rows, edges: Sequence[str]) -> np.ndarray:
    numbers = np.full(len(row.choices), _NEVER, np.float32)
    for place, edge in enumerate(row.choices):
        if edge in edges:
            numbers[place] = alpha[row.name][place]
    return numbers

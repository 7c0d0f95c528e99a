"""Which parts a mixture that is split has, and from which of them the design is derived.

Zhao et al., "Few-shot Neural Architecture Search", ICML 2021, with mixtures for supernets. How
one design came of the five mixtures there is not published; code of Hu et al. (ICLR 2022) looks the
designs up in a table of test accuracies. Here the part is chosen whose mixture classifies most of
the validation images correctly, which neither its weights nor its alpha were trained on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from blockqnn.networks.spaces.contract import SearchSpace
from blockqnn.runs.mixtures import part_of
from blockqnn.searching.supernet_paths import CONTROL, Part
from blockqnn.supernets.cuts import Cut, largest_cut
from blockqnn.supernets.places import bank_name

_BANK = "mixture"


@dataclasses.dataclass(frozen=True)
class PartResult:
    """What the last epoch of a part has come to.

    Attributes:
        part: which one.
        trial: its number, that of the last epoch.
        accuracy: of the part's mixture on the validation images, in percent.
        empty: why its design is no network; empty where it is one.
    """

    part: str
    trial: int
    accuracy: float
    empty: str = ""


def mixture_bank(part: Part, epoch: int) -> str:
    """The name of a part's bank at the end of an epoch, from 1."""
    return bank_name(f"{_BANK}-{part.name}" if part.parent else _BANK, epoch)


def epochs_before(part: Part) -> int:
    """Epochs that lie before a part's own: those of all that it goes on from."""
    return part.parent.epochs + epochs_before(part.parent) if part.parent else 0


def left_to(space: SearchSpace, part: Part) -> dict[str, tuple[str, ...]]:
    """By the name of a row what a part has on the edges along which it was split."""
    edges = space.mixture_edges()
    return {edges[edge].name: operations for edge, operations in part.allowed.items()}


def numbers_of(records: Sequence[Mapping[str, Any]], part: str) -> list[int]:
    """The numbers of a part's epochs among all, from 1, which are those of their trials."""
    return [number for number, own in enumerate(records, start=1) if part_of(own) == part]


def results_of(parts: Sequence[Part], records: Sequence[Mapping[str, Any]]) -> list[PartResult]:
    """What the parts of the last level have come to.

    Args:
        parts: of the search, all of which are trained.
        records: of all epochs.

    Returns:
        Best mixture first, the control left out and those without a network last; the first in
        order among equals.
    """
    level = max(part.level for part in parts)
    found = []
    for part in parts:
        if part.level == level and part.name != CONTROL:
            trial = numbers_of(records, part.name)[-1]
            last = records[trial - 1]
            found.append(PartResult(part.name, trial, float(last["accuracy"]), last["empty"]))
    return sorted(found, key=lambda own: (bool(own.empty), -own.accuracy))


def compared_in(space: SearchSpace, part: Part) -> dict[str, tuple[str, ...]]:
    """By edge the operations whose gradients say whether a part is split there."""
    return {
        edge: tuple(operations)
        for edge, operations in space.split_choices().items()
        if edge not in part.allowed and len(operations) > 1
    }


def cut_by(
    compared: Mapping[str, Sequence[str]], distances: Mapping[str, Any], space: SearchSpace
) -> Cut:
    """The edge along which a part is split, with its groups.

    Args:
        compared: as `compared_in` returned it.
        distances: by the name of a row a matrix of distances.
        space: of the designs.

    Returns:
        The cut whose groups disagree most.
    """
    edges = space.mixture_edges()
    matrices = {edge: np.array(distances[edges[edge].name], np.float64) for edge in compared}
    return largest_cut(compared, matrices)

"""Which operations of an edge belong together, by their gradients: nothing here imports JAX.

Hu et al., "Generalizing Few-Shot NAS with Gradient Matching", ICLR 2022: an edge's operations are
cut into two groups that disagree most about the weights that they share, and the supernet is
split along the edge whose cut is the largest.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Cut:
    """An edge with its operations in groups.

    Attributes:
        edge: of the cell.
        groups: the operations of each part, in the order of the space.
        between: the sum of the distances between operations of different groups.
    """

    edge: str
    groups: tuple[tuple[str, ...], ...]
    between: float = 0.0


def write_distances(path: pathlib.Path, found: Mapping[str, np.ndarray]) -> None:
    """Writes a matrix for each edge, as a whole file or not at all."""
    unfinished = path.with_name(path.name + ".unfinished")
    text = json.dumps({edge: matrix.tolist() for edge, matrix in found.items()})
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def read_distances(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The matrices that `write_distances` wrote."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return {edge: np.array(matrix, np.float64) for edge, matrix in found.items()}


def halves(operations: Sequence[str]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """All ways to cut operations into two groups of sizes as equal as can be, once each.

    Args:
        operations: two or more.

    Returns:
        Pairs of groups: 1 of two operations, 10 of five, 10 of six.
    """
    count = len(operations)
    found = []
    for chosen in itertools.combinations(range(count), count // 2):
        # Of groups of one size each pair comes twice: the one with the first operation is taken.
        if count % 2 == 0 and 0 not in chosen:
            continue
        first = tuple(operations[i] for i in chosen)
        found.append((first, tuple(each for each in operations if each not in first)))
    return found


def best_cut(edge: str, operations: Sequence[str], distances: np.ndarray) -> Cut:
    """The cut of an edge whose groups agree most within themselves.

    Args:
        edge: of the cell.
        operations: two or more.
        distances: float [O, O], symmetric: 1 - cosine of the gradients under two operations.

    Returns:
        The cut; the first in order among equals.
    """
    place = {each: number for number, each in enumerate(operations)}

    def between(groups: tuple[tuple[str, ...], tuple[str, ...]]) -> float:
        return float(sum(distances[place[a], place[b]] for a, b in itertools.product(*groups)))

    # What lies within is all that does not lie between.
    best = max(halves(operations), key=between)
    return Cut(edge, best, between(best))


def largest_cut(edges: Mapping[str, Sequence[str]], distances: Mapping[str, np.ndarray]) -> Cut:
    """The edge along which a supernet is split, with its groups.

    Args:
        edges: with the operations that the supernet has on each.
        distances: of each edge that may be split.

    Returns:
        The cut whose groups disagree most; the first in order among equals.
    """
    cuts = [best_cut(edge, edges[edge], matrix) for edge, matrix in distances.items()]
    return max(cuts, key=lambda cut: cut.between)

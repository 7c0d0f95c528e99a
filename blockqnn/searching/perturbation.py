"""Selection by perturbation: a design is what costs most accuracy to remove, choice by choice.

Wang, Cheng, Chen, Tang, Hsieh, "Rethinking Architecture Selection in Differentiable NAS", ICLR
2021, algorithm 1: edges are visited in random order; of each the operation is kept without which
the mixture loses most; then the mixture is trained on for some epochs. Afterwards the edges of each
node are chosen in the same way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from blockqnn.networks.spaces.contract import Row


@dataclasses.dataclass(frozen=True)
class Decision:
    """One that is to be made.

    Attributes:
        name: of the row of an edge, or of a node.
        choices: of operations, or of edges.
        kept: how many of them.
    """

    name: str
    choices: tuple[str, ...]
    kept: int


def decisions_of(rows: Sequence[Row], kept_edges: int, seed: int) -> list[Decision]:
    """All decisions, in the order in which they are made.

    Args:
        rows: of the mixture.
        kept_edges: of those into a node; 0 for all.
        seed: of the order.

    Returns:
        The operation of each edge, then for each node that has too many edges which are kept.
    """
    random = np.random.default_rng([seed, 3])
    edges = [row for row in rows if not row.weighs_edges]
    found = [Decision(edges[i].name, edges[i].choices, 1) for i in random.permutation(len(edges))]
    nodes: dict[str, list[str]] = {}
    for row in edges:
        nodes.setdefault(row.node, []).append(row.name.removeprefix(row.node))
    names = list(nodes)
    for i in random.permutation(len(names)) if kept_edges else ():
        own = nodes[names[i]]
        if len(own) > kept_edges:
            found.append(Decision(names[i], tuple(own), kept_edges))
    return found


def chosen_of(decision: Decision, accuracies: Sequence[float | None]) -> str:
    """What is kept: that without which the mixture is worst; of equals what comes first.

    Args:
        decision: that is made.
        accuracies: of the mixture without each choice, in percent; None for what is no choice,
            which is not kept even where a mixture makes no error without any of the others.

    Returns:
        An operation, or edges with commas between them.
    """
    left = [(own, place) for place, own in enumerate(accuracies) if own is not None]
    kept = sorted(place for _, place in sorted(left)[: decision.kept])
    return ",".join(decision.choices[place] for place in kept)


def fixed_by(decisions: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What is decided, by the name of a row or a node."""
    return {each["name"]: each["choice"] for each in decisions}

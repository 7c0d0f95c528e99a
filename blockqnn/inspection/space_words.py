"""Words for the decisions of each search space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blockqnn.networks.spaces import nasbench201
from blockqnn.networks.spaces.nsc import codes
from blockqnn.networks.spaces.nsc.space import BlockSpace

_SHORT = ("conv", "max pool", "avg pool", "identity", "add", "concat", "terminal")
_MISSING = "?"


def parse_prefix(space: Any, text: str) -> tuple[Any, ...]:
    """The beginning of a code from text."""
    if isinstance(space, BlockSpace):
        return codes.parse_prefix(text, space.max_layers)
    begun = text.strip().rstrip("|")
    if not begun:
        return ()
    names = [part.partition("~")[0] for part in begun.replace("|+|", "|").split("|") if part]
    filled = [*names, *["none"] * (6 - len(names))]
    whole = nasbench201.write_cell(
        tuple(
            nasbench201.EdgeOperation(
                i, nasbench201.OPERATIONS.index(n) if n in nasbench201.OPERATIONS else 0
            )
            for i, n in enumerate(filled, start=1)
        )
    )
    if len(names) > 5 or not whole.startswith(begun):
        raise codes.CodeError(
            "A prefix of a cell is the beginning of its text form with at most five operations; "
            f"given: {text[:120]!r}."
        )
    return nasbench201.parse_cell(whole)[: len(names)]


def write_prefix(space: Any, actions: Sequence[Any]) -> str:
    """The beginning of a code as text, which `parse_prefix` reads."""
    if isinstance(space, BlockSpace):
        return codes.write(actions)
    filled = [*actions, *[(i, 0) for i in range(len(actions) + 1, 7)]]
    whole = nasbench201.write_cell(tuple(nasbench201.EdgeOperation(*a) for a in filled))
    end = 0
    for _ in actions:
        end = whole.index("~", end) + 2
    return whole[:end] + ("|" if actions else "")


def action_title(space: Any, action: Sequence[int]) -> str:
    """A decision in words."""
    if isinstance(space, BlockSpace):
        return codes.describe(codes.LayerCode(*action))
    source, target = nasbench201.EDGES[action[0] - 1]
    return f"{nasbench201.OPERATIONS[action[1]]} from node {source} to node {target}"


def action_kind(space: Any, action: Sequence[int]) -> tuple[int, str]:
    """The position of a decision, from 1, and the name of its kind."""
    if isinstance(space, BlockSpace):
        return action[0], _SHORT[action[1] - 1]
    return action[0], nasbench201.OPERATIONS[action[1]]

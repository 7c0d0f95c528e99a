"""Words for the decisions of each search space."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from blockqnn.networks.spaces import nasbench201
from blockqnn.networks.spaces.nsc import codes
from blockqnn.networks.spaces.nsc.space import BlockSpace


def parse_prefix(space: Any, text: str) -> tuple[Any, ...]:
    """The beginning of a code from text."""
    if isinstance(space, BlockSpace):
        return codes.parse_prefix(text, space.max_layers)
    names = re.findall(r"[^\s,|+~]+(?=~)|[^\s,|+~]+(?!~)", re.sub(r"~[0-9]", "~", text))
    unknown = [name for name in names if name not in nasbench201.OPERATIONS]
    if unknown or len(names) > 5:
        given = f"{unknown[0]!r}" if unknown else f"{len(names)} of them"
        raise codes.CodeError(
            "A cell begins with at most 5 operations with commas between them, each one of "
            f"{', '.join(nasbench201.OPERATIONS)}; given: {given}."
        )
    return tuple(
        nasbench201.EdgeOperation(i, nasbench201.OPERATIONS.index(name))
        for i, name in enumerate(names, start=1)
    )


def write_prefix(space: Any, actions: Sequence[Any]) -> str:
    """The beginning of a code as text, which `parse_prefix` reads."""
    if isinstance(space, BlockSpace):
        return codes.write(actions)
    return ",".join(nasbench201.OPERATIONS[operation] for _, operation in actions)


def action_title(space: Any, action: Sequence[int]) -> str:
    """A decision in words."""
    if isinstance(space, BlockSpace):
        return codes.describe(codes.LayerCode(*action))
    source, target = nasbench201.EDGES[action[0] - 1]
    return f"{nasbench201.OPERATIONS[action[1]]} from node {source} to node {target}"


def action_kind(space: Any, action: Sequence[int]) -> tuple[int, str]:
    """The position of a decision, from 1, and the name of its kind."""
    if isinstance(space, BlockSpace):
        return action[0], codes.LayerType(action[1]).title
    return action[0], nasbench201.OPERATIONS[action[1]]

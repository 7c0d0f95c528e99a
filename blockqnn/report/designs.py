"""What a report asks of a code, in one place: only those of blocks have layers to draw."""

from __future__ import annotations

from collections.abc import Sequence

from networks.codes import LayerCode, write


def is_block(code: Sequence[Sequence[int]]) -> bool:
    """Whether a code is that of a block, whose actions are layers."""
    return len(code[0]) == len(LayerCode._fields)


def text(code: Sequence[Sequence[int]]) -> str:
    """A code as people write it; of another space as its actions are."""
    if is_block(code):
        return write(LayerCode(*action) for action in code)
    return "[" + ",".join(f"({','.join(map(str, action))})" for action in code) + "]"

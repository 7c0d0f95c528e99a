"""What the codes of all search spaces mean: one place that tells them apart.

A *code* is what an agent wrote, a sequence of actions; a *design* is what it
means, with a hash that names it. Each search space has its own: Network
Structure Codes have blocks in canonical form, NAS-Bench-201 has cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeGuard

from blockqnn.networks.layout import NASBENCH201, Layout, LayoutError
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.nasbench201 import (
    Cell,
    CellCode,
    CellSpace,
    cell_plan,
    check_cell,
    parse_cell,
)
from blockqnn.networks.spaces.nasbench201 import write_cell as _write_cell
from blockqnn.networks.spaces.nsc import codes
from blockqnn.networks.spaces.nsc.canonical import CanonicalBlock, canonical_form
from blockqnn.networks.spaces.nsc.codes import MAX_LAYERS, Code
from blockqnn.networks.spaces.nsc.space import BlockSpace
from blockqnn.networks.spaces.nsc.stacking import block_plan, make_plan

NSC = "nsc"
SPACES = (NSC, NASBENCH201)

AnyCode = Code | CellCode
Design = CanonicalBlock | Cell


def make_space(name: str, max_layers: int = MAX_LAYERS) -> BlockSpace | CellSpace:
    """The decision process of a search space.

    Args:
        name: one of `SPACES`.
        max_layers: most layers of a block, where the space has blocks.

    Returns:
        The space.
    """
    return BlockSpace(max_layers) if name == NSC else CellSpace()


def check(name: str, actions: Iterable[Sequence[int]], max_layers: int = MAX_LAYERS) -> AnyCode:
    """Checks the actions of an episode.

    Args:
        name: of the space, one of `SPACES`.
        actions: all of its actions.
        max_layers: most layers of a block, Terminal not counted.

    Returns:
        The code.

    Raises:
        CodeError: if they break a rule of the space.
    """
    return codes.check(actions, max_layers) if name == NSC else check_cell(actions)


def parse(text: str, max_layers: int = MAX_LAYERS) -> AnyCode:
    """Reads a code of any space; its form tells which.

    Args:
        text: a Network Structure Code, or a cell as NAS-Bench-201 writes it.
        max_layers: most layers of a block, Terminal not counted.

    Returns:
        The code.

    Raises:
        CodeError: if it is neither.
    """
    return parse_cell(text) if text.lstrip().startswith("|") else codes.parse(text, max_layers)


def write(code: AnyCode) -> str:
    """The text form of a code, which `parse` reads."""
    return _write_cell(code) if is_cell(code) else codes.write(code)  # type: ignore[arg-type]


def is_cell(code: AnyCode) -> bool:
    """Whether a code is a cell of NAS-Bench-201."""
    return len(code[0]) == 2


def is_block(code: AnyCode) -> TypeGuard[Code]:
    """Whether a code is a Network Structure Code, whose actions are layers."""
    return not is_cell(code)


def as_block(code: AnyCode) -> Code:
    """The code, where it is that of a block.

    Args:
        code: of any space.

    Returns:
        The same code.

    Raises:
        CodeError: if it is a cell, for what is done with blocks alone.
    """
    if is_cell(code):
        raise codes.CodeError(f"{write(code)} is a cell of NAS-Bench-201; a block is needed here.")
    return code  # type: ignore[return-value]


def design_of(code: AnyCode) -> Design:
    """What a code means."""
    return Cell(code) if is_cell(code) else canonical_form(code)  # type: ignore[arg-type]


def design_plan(design: Design, layout: Layout) -> Plan:
    """The plan of a design's child network.

    Args:
        design: what to stack.
        layout: what to build around it.

    Returns:
        The plan.

    Raises:
        LayoutError: if the layout is not one for this kind of design.
    """
    if isinstance(design, Cell):
        return cell_plan(design, layout)
    if layout.kind == NASBENCH201:
        raise LayoutError(f"The layout {NASBENCH201} is for cells; a block needs another one.")
    return make_plan(design, layout)


def rewarded_plan(design: Design, layout: Layout) -> Plan:
    """The plan whose FLOPs equation 7 takes.

    Args:
        design: what is rewarded.
        layout: of its child network.

    Returns:
        One block alone, see `block_plan`; of a cell, which may compute
        nothing, the whole child.
    """
    if isinstance(design, Cell):
        return cell_plan(design, layout)
    return block_plan(design, layout)

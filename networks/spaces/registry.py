"""Every search space, and what is asked of whichever one a code, a design or a text is of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from blockqnn.networks.graph import Graph, expanded
from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.matching import Side
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.chain.space import ChainSpace
from blockqnn.networks.spaces.contract import Code, CodeError, Design, SearchSpace
from blockqnn.networks.spaces.nasbench201.space import CellSpace
from blockqnn.networks.spaces.nsc.space import BlockSpace
from blockqnn.networks.spaces.pairs.families import FAMILIES
from blockqnn.networks.spaces.pairs.space import PairSpace
from blockqnn.networks.spaces.recurrent.families import FAMILIES as CELL_FAMILIES
from blockqnn.networks.spaces.recurrent.space import RecurrentSpace
from blockqnn.networks.spaces.whole.families import NAS, NAS_STRIDES
from blockqnn.networks.spaces.whole.macro_space import MacroSpace
from blockqnn.networks.spaces.whole.nas_space import NasSpace

SPACES: dict[str, SearchSpace] = {
    space.name: space
    for space in (
        BlockSpace(),
        CellSpace(),
        *(PairSpace(family) for family in FAMILIES.values()),
        NasSpace(NAS),
        NasSpace(NAS_STRIDES),
        MacroSpace(),
        *(RecurrentSpace(family) for family in CELL_FAMILIES.values()),
        # As it is while no table has made it; `space_named` knows those that one has.
        ChainSpace({"first": ("0", "1"), "second": ("0", "1", "2")}),
    )
}
"""Name to space. A new space is a line here; the first is the one of runs that name none."""

DEFAULT = next(iter(SPACES))
MOST_LAYERS = 1_000_000
"""More layers than any code has, for codes that were checked when they were written."""


def space_named(name: str, max_layers: int | None = None) -> SearchSpace:
    """A space by its name.

    Args:
        name: one of `SPACES`, with a colon and its decisions behind it where a table makes it.
        max_layers: most layers of a design, where the space has such a limit;
            None for the usual limit.

    Returns:
        The space.

    Raises:
        CodeError: if there is no such space.
    """
    kind, colon, decisions = name.partition(":")
    if kind not in SPACES:
        raise CodeError(f"There is no search space {name!r}; allowed: {', '.join(SPACES)}.")
    space = SPACES[kind].described(decisions) if colon else SPACES[kind]
    return space if max_layers is None else space.limited(max_layers)


def space_of(what: Code | Design) -> SearchSpace:
    """The space of a code or of a design.

    Args:
        what: either.

    Returns:
        The space.

    Raises:
        CodeError: if the code has the form of none.
    """
    if not isinstance(what, tuple):
        return SPACES[what.space]
    for space in SPACES.values():
        if space.owns(what):
            return space
    raise CodeError(f"{str(what)[:80]} is a code of none of {', '.join(SPACES)}.")


def is_code(text: str) -> bool:
    """Whether a text is meant to be a code of some space."""
    return any(space.recognises(text) for space in SPACES.values())


def parse(text: str, max_layers: int | None = None) -> Code:
    """Reads a code of any space; its form tells which.

    Args:
        text: as `write` wrote it, or as the space's papers do.
        max_layers: most layers, where the space has such a limit; None for the usual limit.

    Returns:
        The code.

    Raises:
        CodeError: if it is none.
    """
    for space in SPACES.values():
        if space.recognises(text):
            return (space if max_layers is None else space.limited(max_layers)).parse(text)
    return space_named(DEFAULT, max_layers).parse(text)


def code_of(what: str | Sequence[Sequence[int]], max_layers: int = MOST_LAYERS) -> Code:
    """A code in whichever way it is given.

    Args:
        what: a published name, a code as text, or a code, perhaps as plain lists.
        max_layers: most layers, where the space has such a limit.

    Returns:
        The code.

    Raises:
        CodeError: if it is none.
    """
    if isinstance(what, str):
        return published()[what] if what in published() else parse(what, max_layers)
    try:
        actions = tuple(tuple(int(field) for field in action) for action in what)
    except (TypeError, ValueError):
        raise CodeError(
            f"A code is text, or a list of decisions, each a list of integers; given "
            f"{str(what)[:80]}."
        ) from None
    return space_of(actions).limited(max_layers).check(actions)


def write(code: Code) -> str:
    """The text form of a code, which `parse` reads."""
    return space_of(code).write(code)


def as_lists(code: Sequence[Sequence[int]]) -> list[list[int]]:
    """A code as JSON has it."""
    return [[int(field) for field in action] for action in code]


def design_of(code: Code) -> Design:
    """What a code means."""
    return space_of(code).design(code)


def designs_ever(code: Code) -> tuple[Design, ...]:
    """What a code means, and what else earlier versions took it for."""
    space = space_of(code)
    return space.design(code), *space.former_designs(code)


def design_named(code: Code, name: str) -> Design:
    """What a code means to whoever wrote its hash down, perhaps an earlier version.

    Args:
        code: of any space.
        name: the hash.

    Returns:
        The design of this hash, or that of today where no version gave the code such a hash. Both
        are one network, but its weights have other names and their channels another order.
    """
    known = designs_ever(code)
    return next((design for design in known if design.hash == name), known[0])


def design_plan(design: Design, layout: Layout) -> Plan:
    """The plan of a design's child network; see `SearchSpace.plan`."""
    return space_of(design).plan(design, layout)


def mixture_of(name: str, layout: Layout) -> Plan:
    """The network in which all operations of a space are mixed, as it is trained.

    Args:
        name: of the space.
        layout: what to build around the cells.

    Returns:
        The plan; batch norms of cells have no scale, with which weights could undo shares.

    Raises:
        LayoutError: if there is none.
    """
    return space_named(name).mixture_plan(dataclasses.replace(layout, unscaled=True))


def auxiliary_head(design: Design, layout: Layout) -> Plan:
    """A second classifier in the middle of a network, which only helps to train it.

    Args:
        design: of any space.
        layout: of the network.

    Returns:
        Its layers. They stand behind those of the network's plan, whose positions they read,
        and their names begin with `AUXILIARY`.

    Raises:
        LayoutError: if the space has none, or the network no place for it.
    """
    return space_of(design).auxiliary_head(design, layout)


def rewarded_plan(design: Design, layout: Layout) -> Plan:
    """The plan whose FLOPs equation 7 takes; see `SearchSpace.rewarded_plan`."""
    return space_of(design).rewarded_plan(design, layout)


def graph_of(what: Code | Design, layout: Layout | None = None) -> Graph:
    """A code as written, or what it means, in the form that drawings and motifs look at.

    Args:
        what: a code or a design.
        layout: that gives the widths, its first stage's as a rule; None for a graph without.

    Returns:
        The graph, with a node for each operation.
    """
    space = space_of(what)
    filters = None if layout is None else space.drawn(layout)
    if isinstance(what, tuple):
        return expanded(space.graph(what, filters))
    return expanded(space.design_graph(what, filters))


def side_of(what: Code | Design) -> Side:
    """A code or a design as one side of a comparison."""
    graph = graph_of(what)
    if isinstance(what, tuple):
        space = space_of(what)
        return Side(graph, graph_of(space.design(what)), space.places(what))
    return Side(graph, graph, {node: node for node in range(1, graph.output)})


def fitting(code: Code, layout: Layout) -> Layout:
    """A layout that a code's network can stand in.

    Args:
        code: of any space.
        layout: that is wanted; only its images are if nobody named it and there is a usual one.

    Returns:
        The layout, of the kind that the space takes where none is named if not the wanted one.
    """
    space = space_of(code)
    if not layout.named and (usual := space.usual_layout(code, layout)) is not None:
        return usual
    kinds = space.layouts
    return layout.of_kind(layout.kind if layout.kind in kinds else next(iter(kinds)))


def layouts() -> Mapping[str, str]:
    """Every kind of layout that some space can stand in, with its title."""
    found = {kind: title for space in SPACES.values() for kind, title in space.layouts.items()}
    return MappingProxyType(found)


def units(kind: str) -> str:
    """What is usually stacked in a layout, such as `blocks`."""
    able = [space for space in SPACES.values() if kind in space.layouts]
    # Blocks can stand in for cells, whose name the layout has.
    usual = (space for space in able if kind == next(iter(space.layouts)))
    return f"{next(usual, able[0]).unit}s"


def stacked(layout: Layout) -> str:
    """How often a design stands in a network, in words."""
    unit = units(layout.kind)
    if any(space.whole for space in SPACES.values() if layout.kind in space.layouts):
        return f"one {unit[:-1]}"
    if layout.cells:
        return f"{layout.cells} {unit}"
    return f"{layout.repeats} {unit if layout.repeats > 1 else unit[:-1]} a stage"


def stacking_rules(whole: bool = False, words: bool = False) -> tuple[str, ...]:
    """The names of all rules by which some space can stack its designs.

    Args:
        whole: those by which designs are built that are whole networks, in their place.
        words: those by which designs are built that read words, in their place.

    Returns:
        The names.
    """
    asked = whole, words
    found = [s.rules for s in SPACES.values() if (s.whole, LANGUAGE in s.layouts) == asked]
    return tuple(dict.fromkeys(name for rules in found for name in rules))


def published() -> Mapping[str, Code]:
    """The published codes of every space, by name."""
    found = {name: code for space in SPACES.values() for name, code in space.published.items()}
    return MappingProxyType(found)

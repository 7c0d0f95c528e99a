"""Which banks a search trains, and the designs that train them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from blockqnn.errors import UserError
from blockqnn.listing import counted
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import Code, SearchSpace
from blockqnn.runs.supernet_record import CONTROL as CONTROL
from blockqnn.runs.supernet_record import WHOLE as WHOLE
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.supernets.cuts import Cut
from blockqnn.supernets.places import bank_name
from blockqnn.supernets.sampling import fair_paths, uniform_path

_LOOKED_AT = 60
"""Designs that are drawn to see how large a bank becomes."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A bank that is trained.

    Attributes:
        name: of it.
        allowed: the operations on each edge along which the supernet was split.
        epochs: of its training.
        parent: the bank that it goes on from; None for a new one.
        level: splits that lie before it.
    """

    name: str
    allowed: Mapping[str, tuple[str, ...]]
    epochs: int
    parent: Part | None = None
    level: int = 0

    @property
    def last_bank(self) -> str:
        """The name of the bank when it is trained."""
        return bank_name(self.name, self.epochs)

    def owns(self, on: Mapping[str, str]) -> bool:
        """Whether a design, given the operation on each of its edges, is one of its own."""
        return all(on[edge] in operations for edge, operations in self.allowed.items())


def parts_of(
    settings: SupernetSettings, space: SearchSpace, found: Mapping[str, Cut] | None = None
) -> list[Part]:
    """The banks of a search, those that others go on from first.

    Args:
        settings: of the supernet.
        space: that is searched.
        found: by the name of a bank how it is split, as far as that was found by gradients.

    Returns:
        The whole supernet, its parts level by level as far as their splits are known, and the
        control, if there is one.

    Raises:
        UserError: if there is no such edge.
    """
    edges = edges_of(settings, space)
    for edge in () if settings.finds_split else settings.split:
        if edge not in edges:
            allowed = ", ".join(edges) or f"none in the space {space.name}"
            raise UserError(f"--split names the edge {edge!r}; allowed: {allowed}.")
    parts = [Part(WHOLE, {}, settings.epochs)]
    for level in range(1, levels_of(settings) + 1):
        for parent in [part for part in parts if part.level == level - 1]:
            for chosen in _split(settings, space, parent, found or {}):
                own = {**parent.allowed, **chosen}
                parts.append(Part(part_name(own), own, settings.split_epochs, parent, level))
    if settings.split and settings.control:
        together = settings.split_epochs * part_count(settings, space)
        parts.append(Part(CONTROL, {}, together, parts[0], levels_of(settings)))
    return parts


def _split(
    settings: SupernetSettings, space: SearchSpace, parent: Part, found: Mapping[str, Cut]
) -> list[dict[str, tuple[str, ...]]]:
    """What the parts of a part have on the edges along which it is split."""
    if settings.finds_split:
        cut = found.get(parent.name)
        return [{cut.edge: group} for group in cut.groups] if cut else []
    edges = settings.split
    if settings.split_levels > 1:
        edges = (settings.split[parent.level],)
    choices = itertools.product(*(edges_of(settings, space)[edge] for edge in edges))
    return [{edge: (one,) for edge, one in zip(edges, each, strict=True)} for each in choices]


def edges_of(settings: SupernetSettings, space: SearchSpace) -> Mapping[str, Sequence[str]]:
    """The edges along which a supernet may be split, with what its parts may have on them."""
    return space.edges if settings.mixture is None else space.split_choices()


def levels_of(settings: SupernetSettings) -> int:
    """Splits one after the other; 0 where there is none."""
    return settings.split_levels if settings.split else 0


def part_count(settings: SupernetSettings, space: SearchSpace) -> int:
    """How many banks there are besides the whole supernet and the control."""
    if settings.finds_split:
        return 2 ** (1 + settings.split_levels) - 2
    counts = [len(edges_of(settings, space)[edge]) for edge in settings.split]
    if settings.split_levels > 1:
        return sum(math.prod(counts[:level]) for level in range(1, len(counts) + 1))
    return math.prod(counts) if counts else 0


def all_epochs(settings: SupernetSettings, space: SearchSpace) -> int:
    """Epochs of all banks together, those whose split is not found yet included."""
    parts = part_count(settings, space)
    twice = 2 if settings.control and settings.split else 1
    return settings.epochs + parts * settings.split_epochs * twice


def split_in_words(settings: SupernetSettings, space: SearchSpace) -> str:
    """How a supernet is split, for a heading."""
    along = "along " + (", then " if settings.split_levels > 1 else " and ").join(settings.split)
    if settings.finds_split:
        levels = settings.split_levels
        times = f", {levels} times one after the other" if levels > 1 else ""
        along = f"along edges found by gradients{times}"
    return (
        f"then {part_count(settings, space)} parts {along}, each "
        f"{counted(settings.split_epochs, 'epoch')} more"
        f"{', and the control' if settings.control else ''}"
    )


def owner(parts: Sequence[Part], space: SearchSpace, code: Code) -> Part:
    """The part that scores a design: of those that have its operations the most special one."""
    on = space.on_edges(code) if space.edges else {}
    owning = [part for part in parts if part.name != CONTROL and part.owns(on)]
    return max(owning, key=lambda part: part.level)


def part_name(allowed: Mapping[str, Sequence[str]]) -> str:
    """The name of the bank of those designs that have these operations on these edges."""
    return "_".join(
        f"{edge.replace('<-', 'from').replace('/', '.')}-{'+'.join(operations)}"
        for edge, operations in allowed.items()
    )


def cuts_from_fact(fact: Mapping[str, Any]) -> dict[str, Cut]:
    """By the name of a bank how it is split, from what a store says."""
    return {
        name: Cut(
            str(each["edge"]), tuple(tuple(map(str, g)) for g in each["groups"]), each["between"]
        )
        for name, each in fact.items()
    }


def bank_numbers(space: SearchSpace, layout: Layout) -> int:
    """How many trained numbers a bank has.

    Args:
        space: of the designs.
        layout: they stand in.

    Returns:
        Those of all designs where a space has edges; else of some drawn ones, which are most.
    """
    random = np.random.default_rng(0)
    if space.edges:
        most = max(len(operations) for operations in space.edges.values())
        codes = fair_paths(space, {}, most, random)
    else:
        codes = tuple(uniform_path(space, {}, random) for _ in range(_LOOKED_AT))
    layers = {
        layer.bank_key: sum(map(math.prod, layer.parameter_shapes.values()))
        for code in codes
        for layer in space.plan(space.design(code), layout)
    }
    return sum(layers.values())

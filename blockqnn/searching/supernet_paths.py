"""Which banks a search trains, and the designs that train them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping

import numpy as np

from blockqnn.errors import UserError
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import SearchSpace
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.supernets.places import bank_name
from blockqnn.supernets.sampling import fair_paths, uniform_path

WHOLE, CONTROL = "whole", "control"
"""Names of banks: of all paths, and of those trained on for as long as all parts have been."""


_LOOKED_AT = 60
"""Designs that are drawn to see how large a bank becomes."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A bank that is trained.

    Attributes:
        name: of it.
        fixed: the operation on each edge along which the supernet was split.
        epochs: of its training.
        parent: name of the bank that it goes on from; empty for a new one.
    """

    name: str
    fixed: Mapping[str, str]
    epochs: int
    parent: str = ""

    @property
    def last_bank(self) -> str:
        """The name of the bank when it is trained."""
        return bank_name(self.name, self.epochs)


def parts_of(settings: SupernetSettings, space: SearchSpace) -> list[Part]:
    """The banks of a search, those that others go on from first.

    Args:
        settings: of the supernet.
        space: that is searched.

    Returns:
        The whole supernet, one for each choice of operations on the edges that it is split
        along, and the control, if there is one.

    Raises:
        UserError: if there is no such edge.
    """
    for edge in settings.split:
        if edge not in space.edges:
            allowed = ", ".join(space.edges) or f"none in the space {space.name}"
            raise UserError(f"--split names the edge {edge!r}; allowed: {allowed}.")
    parts = [Part(WHOLE, {}, settings.epochs)]
    if settings.split:
        choices = itertools.product(*(space.edges[edge] for edge in settings.split))
        for chosen in choices:
            fixed = dict(zip(settings.split, chosen, strict=True))
            parts.append(Part(part_name(fixed), fixed, settings.split_epochs, WHOLE))
        if settings.control:
            together = settings.split_epochs * (len(parts) - 1)
            parts.append(Part(CONTROL, {}, together, WHOLE))
    return parts


def part_name(fixed: Mapping[str, str]) -> str:
    """The name of the bank of those designs that have these operations on these edges."""
    return "_".join(
        f"{edge.replace('<-', 'from')}-{operation}" for edge, operation in fixed.items()
    )


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

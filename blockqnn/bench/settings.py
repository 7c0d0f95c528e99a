"""What `bench` is asked for."""

from __future__ import annotations

import dataclasses

from blockqnn.bench.floor import PresetChildren
from blockqnn.networks.layout import Layout
from blockqnn.settings import Recipe


@dataclasses.dataclass(frozen=True)
class BenchSettings:
    """What to measure.

    Attributes:
        references: the blocks.
        own_filters: whether trials of a search of equal sizes have filters of their own.
        max_layers: most layers of a code, Terminal not counted.
        layout: of the child networks.
        recipe: how they are trained; its batch size is measured.
        steps: timed for each block.
        children: what a preset's children are trained on.
        against: `torch`, or `none`.
        cores: that each process is bound to, as a search binds its workers; 0
            for all. The rates are those of as many cores.
        clock: by what steps are timed, one of `blockqnn.bench.clock.CLOCKS`.
        profile: say where a step goes.
        measures_lowerings: measure lowerings and no blocks.
        supernet: the search space whose supernet is measured instead of blocks; empty for none.
        designs: of it, drawn at random.
        mixture: the search space whose mixture is measured instead of blocks; empty for none.
        as_json: print one JSON object.
    """

    references: tuple[str, ...]
    own_filters: bool
    max_layers: int
    layout: Layout
    recipe: Recipe
    steps: int
    children: PresetChildren
    against: str
    cores: int
    clock: str
    profile: bool
    measures_lowerings: bool
    supernet: str
    designs: int
    mixture: str
    as_json: bool

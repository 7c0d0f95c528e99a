"""The search space as a decision process: a block is written layer by layer.

The state is the code of the layer that was written last, the action the code
of the next one, Terminal included (section 3.2 of the BlockQNN paper). What
may follow depends on the index alone, since a layer may read any earlier one.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import MAX_LAYERS, Code, LayerCode, LayerType, terminal
from blockqnn.networks.spaces.nsc.features import block_features
from blockqnn.networks.spaces.nsc.mutation import mutated_block

START = LayerCode(0, 0, 0, 0, 0)
"""The state before the first layer: an empty block."""


class BlockSpace:
    """All blocks of at most `max_layers` layers, Terminal not counted."""

    def __init__(self, max_layers: int = MAX_LAYERS):
        """Creates the space.

        Args:
            max_layers: largest number of layers, at least 1.
        """
        self.max_layers = max_layers

    @property
    def start(self) -> LayerCode:
        """The state in which every block begins."""
        return START

    def choices(self, state: LayerCode) -> tuple[tuple[LayerCode, ...], ...]:
        """The legal actions, one group for each layer type that is legal.

        Args:
            state: the start, or any action but Terminal.

        Returns:
            Groups of next layers. Terminal is a group of its own; it is legal
            from the second layer on, and the only choice after the last.
        """
        index = state[0] + 1
        return _choices(index, index <= self.max_layers)

    def is_end(self, action: LayerCode) -> bool:
        """Whether the block ends with this action."""
        return action[1] == LayerType.TERMINAL

    def mutated(self, actions: Iterable[Sequence[int]], random: np.random.Generator) -> Code:
        """A legal block that differs a little; see `mutated_block`."""
        code = tuple(LayerCode(*action) for action in actions)
        return mutated_block(code, random, self.max_layers)

    def identity(self, actions: Iterable[Sequence[int]]) -> str:
        """The hash of the block's canonical form."""
        return _canonical(tuple(LayerCode(*action) for action in actions)).hash

    def features(self, actions: Iterable[Sequence[int]]) -> tuple[float, ...]:
        """What `block_features` says of the block."""
        return block_features(_canonical(tuple(LayerCode(*action) for action in actions)))


_canonical = functools.lru_cache(100_000)(canonical_form)
"""Agents ask for the same blocks again and again."""


@functools.cache
def _choices(index: int, may_continue: bool) -> tuple[tuple[LayerCode, ...], ...]:
    """The groups of codes that may stand at `index`."""
    groups: list[tuple[LayerCode, ...]] = []
    earlier = range(index)
    if may_continue:
        groups += [
            tuple(
                LayerCode(index, kind, kernel, source, 0)
                for kernel in kind.kernels
                for source in earlier
            )
            for kind in LayerType
            if kind.arity == 1
        ]
        if index > 1:
            groups += [
                tuple(
                    LayerCode(index, kind, 0, *pair) for pair in itertools.combinations(earlier, 2)
                )
                for kind in LayerType
                if kind.arity == 2
            ]
    if index > 1:
        groups.append((terminal(index),))
    return tuple(groups)

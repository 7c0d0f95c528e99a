"""The layers that an agent may write, numbered once for all positions in a block."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from blockqnn.networks.spaces.action_list import ActionList
from blockqnn.networks.spaces.nsc.codes import LayerCode, LayerType, terminal

TERMINAL_ACTION = 0


class LayerActions(ActionList):
    """All layers of blocks of at most `max_layers` layers, without their index.

    Action 0 is Terminal. The others are in order of the highest layer that they
    read, so that what is legal at a position, Terminal aside, is a range.
    """

    def __init__(self, max_layers: int):
        """Numbers the layers.

        Args:
            max_layers: most layers of a block, Terminal not counted, at least 1.
        """
        self._max_layers = max_layers
        self.length = max_layers + 1
        self.highest = (self.length, len(LayerType), 5, *[max(1, max_layers - 1)] * 2)
        self._layers = [terminal(0)]
        self._ends = []
        """Entry p - 1: how many actions read nothing at or after position p."""
        for highest in range(max_layers):
            self._layers += _reading(highest)
            self._ends.append(len(self._layers))
        self._numbers = {layer: number for number, layer in enumerate(self._layers)}

    def __len__(self) -> int:
        return len(self._layers)

    def action(self, number: int, position: int) -> LayerCode:
        """The layer that an action writes.

        Args:
            number: of the action.
            position: in the block, from 1.

        Returns:
            The layer, which reads later ones if the action is not legal there.
        """
        return self._layers[number]._replace(index=position)

    def number(self, action: Sequence[int]) -> int:
        """The number of the action that writes a layer, at whatever position.

        Args:
            action: the layer.

        Returns:
            Its number.

        Raises:
            KeyError: if no block of so many layers has such a layer.
        """
        return self._numbers[LayerCode(*action)._replace(index=0)]

    def mask(self, position: int) -> np.ndarray:
        """Which actions are legal.

        Args:
            position: of the layer to be written, from 1 to `max_layers` + 1.

        Returns:
            bool [actions].
        """
        mask = np.zeros(len(self), np.bool_)
        mask[TERMINAL_ACTION] = position > 1
        if position <= self._max_layers:
            mask[1 : self._ends[position - 1]] = True
        return mask


def _reading(highest: int) -> list[LayerCode]:
    """All layers of which `highest` is the highest predecessor."""
    single = [
        LayerCode(0, kind, kernel, highest, 0)
        for kind in LayerType
        if kind.arity == 1
        for kernel in kind.kernels
    ]
    double = [
        LayerCode(0, kind, 0, lower, highest)
        for kind, lower in itertools.product(LayerType, range(highest))
        if kind.arity == 2
    ]
    return single + double

"""The decisions of whole networks by numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from blockqnn.networks.spaces.action_list import ActionList
from blockqnn.networks.spaces.whole import codes
from blockqnn.networks.spaces.whole.codes import Decision
from blockqnn.networks.spaces.whole.families import Family


class WholeActions(ActionList):
    """The values of decisions; which are legal depends on the position."""

    def __init__(self, family: Family, layers: int):
        """Numbers the values.

        Args:
            family: of the codes.
            layers: of a network.
        """
        self._family = family
        self.length = family.length(layers)
        most = family.most_answers - 1
        self.highest = (self.length, family.number, max(1, layers - 1), most)

    def __len__(self) -> int:
        return self._family.most_answers

    def action(self, number: int, position: int) -> Decision:
        """See `ActionList.action`."""
        return codes.decision(self._family, position, number)

    def number(self, action: Sequence[int]) -> int:
        """See `ActionList.number`."""
        if action[1] != self._family.number or action[3] not in range(len(self)):
            raise KeyError(tuple(action))
        return int(action[3])

    def mask(self, position: int) -> np.ndarray:
        """See `ActionList.mask`."""
        return np.arange(len(self)) < codes.choices(self._family, position)

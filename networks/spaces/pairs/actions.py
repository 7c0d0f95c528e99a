"""The decisions of cells of pairs by numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from blockqnn.networks.spaces.action_list import ActionList
from blockqnn.networks.spaces.pairs import codes
from blockqnn.networks.spaces.pairs.codes import Decision
from blockqnn.networks.spaces.pairs.families import Family


class PairActions(ActionList):
    """The values of decisions; which are legal depends on the position."""

    def __init__(self, family: Family):
        """Numbers the values.

        Args:
            family: of the codes.
        """
        self._family = family
        self.length = family.length
        self._most = max(codes.choices(family, each) for each in range(1, family.length + 1))
        self.highest = (family.length, family.number, self._most - 1)

    def __len__(self) -> int:
        return self._most

    def action(self, number: int, position: int) -> Decision:
        """See `ActionList.action`."""
        return Decision(position, self._family.number, number)

    def number(self, action: Sequence[int]) -> int:
        """See `ActionList.number`."""
        if action[1] != self._family.number or action[2] not in range(self._most):
            raise KeyError(tuple(action))
        return int(action[2])

    def mask(self, position: int) -> np.ndarray:
        """See `ActionList.mask`."""
        return np.arange(self._most) < codes.choices(self._family, position)

"""The table of what stands in recurrent cells of which many designs are paths, or are mixed.

Its operations get a row of numbers (`ROW`) from outside: 1 for what a path takes and 0 for the
rest, or numbers of whose softmax a mixture has its weights. Nothing here imports JAX.
"""

from __future__ import annotations

from blockqnn.networks.operations.recurrent import HIGHWAYS
from blockqnn.networks.operations.shapes import ShapeRule, same_shape, second_shape
from blockqnn.networks.operations.table import OperationEntry

_FUNCTIONS = "blockqnn.networks.operations.recurrent_choice_functions:"

FUNCTIONS = tuple(HIGHWAYS)
"""The functions of nodes, in the order of the rows of `CHOSEN_NODE`, and of `MIXED_NODE` behind
`none`."""


def _plain(name: str, function: str, shape: ShapeRule = same_shape) -> OperationEntry:
    return OperationEntry(name, _FUNCTIONS + function, shape=shape)


class RecurrentChoice:
    """What a placed layer of such a cell may compute."""

    CHOSEN = _plain("choice of a vector", "chosen")
    CHOSEN_NODE = _plain("highway of a chosen function", "chosen_node", second_shape)
    CHOSEN_MEAN = _plain("mean of chosen vectors", "chosen_mean")
    MIXED_NODE = _plain("highway of a mixture of functions", "mixed_node", second_shape)
    NORMALISED = _plain("batch norm of vectors", "normalised")

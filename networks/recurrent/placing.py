"""A language model placed in a plan, for one word: embedding, stacked cells, decoder.

The plan says what happens to one word. A layer `STATE` is what the word before has left, and the
layer `KEPT` of its name leaves it for the next; `blockqnn.networks.recurrent.sequence` runs all
words through it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from blockqnn.networks.layout import Layout
from blockqnn.networks.operations.recurrent import (
    DROPPED,
    EMBEDDING,
    HIDDEN,
    INPUT,
    OUTPUT,
    WORDS,
    Recurrent,
)
from blockqnn.networks.operations.table import OperationEntry
from blockqnn.networks.plan import Plan, PlanBuilder

NEXT = "/next"
"""What the name of a `KEPT` ends with, after the name of its `STATE`."""


class CellBuilder:
    """Places the layers of one cell; names begin with the cell's."""

    def __init__(self, builder: PlanBuilder, name: str, source: int, width: int):
        """Begins a cell, with the dropout of what it reads.

        Args:
            builder: that places.
            name: of the cell, such as `layer1/cell`.
            source: position of the vector that it reads.
            width: of its state.
        """
        self.builder, self.name, self.width = builder, name, width
        self.input = self.place("input", DROPPED[INPUT], (source,))

    def place(
        self,
        name: str,
        operation: OperationEntry,
        inputs: tuple[int, ...],
        filters: int = 0,
        shared_as: str = "",
    ) -> int:
        """Adds a layer of the cell; see `PlanBuilder.place`. Returns its position."""
        return self.builder.place(
            f"{self.name}/{name}",
            operation,
            inputs,
            filters=filters,
            shared_as=shared_as,
        )

    def state(self, name: str) -> int:
        """Adds what the word before has left under a name; returns its position."""
        return self.builder.place(f"{self.name}/{name}", Recurrent.STATE, (), (self.width,))

    def keep(self, name: str, source: int) -> None:
        """Leaves a vector for the next word, under the name of a state."""
        self.place(f"{name}{NEXT}", Recurrent.KEPT, (source,))

    def dropped(self, name: str, source: int) -> int:
        """Adds the dropout of the state, whose mask is one for all nodes of the cell."""
        return self.place(name, DROPPED[HIDDEN], (source,), shared_as=f"{self.name}/{HIDDEN}")

    def product(self, name: str, source: int, times: int = 1, shared_as: str = "") -> int:
        """Adds a product with a matrix, so many times as wide as the state."""
        return self.place(name, Recurrent.PRODUCT, (source,), times * self.width, shared_as)

    def choice(
        self,
        name: str,
        operation: OperationEntry,
        inputs: Sequence[int],
        row: str,
        choices: int = 0,
    ) -> int:
        """Adds a choice or mixture by a row of numbers, one for each input unless said.

        Args:
            name: of the layer.
            operation: that gets the row.
            inputs: positions of what it reads.
            row: its name.
            choices: how many numbers it has.

        Returns:
            The position.
        """
        return self.builder.place(
            f"{self.name}/{name}",
            operation,
            inputs,
            mixture=row,
            choices=choices or len(inputs),
        )

    def affine(self, name: str, source: int, times: int = 1) -> int:
        """Adds a product with a matrix and a bias, so many times as wide as the state."""
        return self.place(name, Recurrent.AFFINE, (source,), times * self.width)


def language_plan(layout: Layout, place_cell: Callable[[CellBuilder], int]) -> Plan:
    """Places a language model, for one word.

    Args:
        layout: `filters` has the widths of its cells, each `repeats` times; the vectors of words
            are as wide as the last of them; `classes` is the number of words.
        place_cell: places a cell, and returns the position of the vector that it writes.

    Returns:
        The plan, whose last layer gives the score of each next word.
    """
    builder = PlanBuilder()
    word = builder.place("word", Recurrent.WORD, (), (1,))
    shape = (layout.classes, layout.filters[-1])
    vectors = builder.place("vectors", Recurrent.TABLE, (), shape)
    known = builder.place("vectors/dropped", DROPPED[WORDS], (vectors,))
    here = builder.place("embedding", Recurrent.EMBEDDING, (word, known))
    here = builder.place("embedding/dropped", DROPPED[EMBEDDING], (here,))
    number = 0
    for width in layout.filters:
        for _ in range(layout.repeats):
            number += 1
            here = place_cell(CellBuilder(builder, f"layer{number}/cell", here, width))
    here = builder.place("output/dropped", DROPPED[OUTPUT], (here,))
    if layout.untied:
        builder.place("decoder", Recurrent.AFFINE, (here,), filters=layout.classes)
    else:
        builder.place("decoder", Recurrent.TIED, (here, vectors))
    return tuple(builder.layers)

"""What a search space says of networks in which all operations of an edge are mixed.

Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, section 2.2. A cell
of such a network has an edge from every earlier state to every later one, with every operation on
it; what an edge brings is their sum, weighted by the softmax of a row of numbers that all cells of
one kind share. Partial channels are those of Xu et al., "PC-DARTS", ICLR 2020.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan import Operation, Plan, PlanBuilder

NONE = "none"
"""The operation that gives zeros, which every row of an edge begins with."""

Shares = Mapping[str, Sequence[float]]
"""By the name of a row the softmax of its numbers."""

SKIP, POOL, CONVOLUTION = "skip", "pool", "convolution"
"""What operations are counted as."""


@dataclasses.dataclass(frozen=True)
class Row:
    """Numbers that are trained, of whose softmax a mixture has its weights.

    Attributes:
        name: of it, such as `normal/3<-1`, or `normal/3` for one that weighs the edges of a node.
        choices: what the numbers are of: operations, of which `none` is the first; or edges.
        node: the node, such as `normal/3`, that the edge leads to.
        weighs_edges: whether it weighs the edges of a node, as partial channels need it.
    """

    name: str
    choices: tuple[str, ...]
    node: str
    weighs_edges: bool = False


class Mixing:
    """Of a search space: how its operations are mixed, and what follows from the weights."""

    kept_edges: int = 0
    """Of the edges into a node how many a design keeps; 0 for all."""
    essential: Sequence[str] = (CONVOLUTION,)
    """What `tally` counts of which a design without any has collapsed."""
    essential_words: str = "convolution"
    """The same in words."""

    def unmixed(self, layout: Layout) -> str:
        """Why there is no mixture of a layout's designs, as a sentence; empty where there is.

        In blocks of layers a layer may read any earlier ones and concatenate them, so that a
        width follows from many decisions; a sum over all of them would be another network.
        """
        return (
            "A mixture needs edges with some operations each, all of which write maps of one "
            "shape, and designs of this space have no such edges"
        )

    def mixture_rows(self, partial: int = 1) -> tuple[Row, ...]:
        """The rows of the space's mixtures.

        Args:
            partial: one in so many channels goes through the operations; 1 for all of them.

        Returns:
            They, in the order of cells, nodes and edges; none where there are no mixtures.
        """
        return ()

    def mixture_edges(self) -> dict[str, Row]:
        """The edges of the space's mixtures, by the names that a user has for them.

        Returns:
            The rows of edges: by what follows the kind of cell where there is one kind, as
            `3<-1`, else by the whole name, as `normal/3<-1`.
        """
        rows = [row for row in self.mixture_rows() if not row.weighs_edges]
        alone = len({row.name.partition("/")[0] for row in rows}) == 1
        return {row.name.partition("/")[2] if alone else row.name: row for row in rows}

    def split_choices(self) -> dict[str, tuple[str, ...]]:
        """By the name of an edge what parts of a mixture that is split along it may have on it.

        Returns:
            All operations; `none` among them where designs keep all edges, since a design may
            then have nothing on one.
        """
        first = 1 if self.kept_edges else 0
        return {name: row.choices[first:] for name, row in self.mixture_edges().items()}

    def mixture_plan(self, layout: Layout, partial: int = 1) -> Plan:
        """The network of all designs.

        Args:
            layout: what to build around the cells.
            partial: see `mixture_rows`.

        Returns:
            The plan, whose mixtures name rows of `mixture_rows`. Arrays have the keys that those
            of designs have in the same layout, so a design has them by inheritance.

        Raises:
            LayoutError: if there is none.
        """
        raise LayoutError(f"{self.unmixed(layout)}.")

    def kept(self, shares: Shares) -> dict[str, str]:
        """What a mixture's design keeps.

        Args:
            shares: of each of `mixture_rows`.

        Returns:
            By the names of the rows of edges that it keeps the operation on each.
        """
        return {}

    def of_kept(self, kept: Mapping[str, str]) -> Any:
        """The design with some operations on some edges.

        Args:
            kept: as `kept` returns them.

        Returns:
            Its code.

        Raises:
            ValueError: if the space has no mixtures.
        """
        raise ValueError("there are no mixtures in this space")

    def derived(self, shares: Shares) -> Any:
        """The design that a mixture stands for: see `kept` and `of_kept`."""
        return self.of_kept(self.kept(shares))

    def tally(self, code: Any) -> dict[str, dict[str, int]]:
        """For each kind of cell how many skip connections, pools and convolutions a code has."""
        return {}


def place_edge(
    builder: PlanBuilder,
    name: str,
    source: int,
    row: Row,
    partial: int,
    stride: int,
    operations: Callable[[int, int], Sequence[int]],
) -> int:
    """Places the mixture of an edge.

    Args:
        builder: of the plan.
        name: of the edge's layers.
        source: position of the map that it reads, whose channels are the cell's filters.
        row: of its weights.
        partial: one in so many channels is mixed; the others pass, by max pooling where the edge
            has a stride, and channels are then shuffled.
        stride: of the edge.
        operations: places all but `none` on a map, for so many filters; returns their positions.

    Returns:
        The position of what the edge brings.
    """
    filters = builder.layers[source].shape[-1]
    read = source
    if partial > 1:
        filters //= partial
        read = builder.place(
            f"{name}/first_channels", Operation.FIRST_CHANNELS, (source,), filters=filters
        )
    brought = operations(read, filters)
    mixed = builder.place(
        f"{name}/mixture",
        Operation.MIXTURE,
        brought,
        mixture=row.name,
        choices=len(row.choices),
    )
    if partial == 1:
        return mixed
    return builder.place(
        f"{name}/shuffled", Operation.BESIDE_THE_REST, (mixed, source), stride=stride
    )


def place_node(builder: PlanBuilder, name: str, edges: Sequence[int], weighing: Row | None) -> int:
    """Places the sum of what edges bring, or their mixture where a row weighs them."""
    if weighing is not None:
        return builder.place(
            f"{name}/weighed",
            Operation.MIXTURE,
            edges,
            mixture=weighing.name,
            choices=len(weighing.choices),
        )
    here = edges[0]
    for number, other in enumerate(edges[1:], start=1):
        here = builder.place(f"{name}/sum{number}", Operation.ADD, (here, other))
    return here


def node_rows(
    cell: str, node: int, sources: Sequence[int], operations: Sequence[str], partial: int
) -> list[Row]:
    """The rows of the edges into a node, and the one that weighs them if channels are partial.

    Args:
        cell: kind of the cell.
        node: its number in it.
        sources: numbers of the states that it reads.
        operations: of each edge, without `none`.
        partial: see `Mixing.mixture_rows`.

    Returns:
        Rows, that of the weights of edges last.
    """
    name = f"{cell}/{node}"
    choices = (NONE, *operations)
    rows = [Row(f"{name}<-{source}", choices, name) for source in sources]
    if partial > 1:
        rows.append(Row(name, tuple(f"<-{source}" for source in sources), name, True))
    return rows


def strongest(shares: Shares, rows: Sequence[Row], kept: int) -> list[tuple[Row, str]]:
    """The strongest edges into a node, each with its strongest operation, `none` left out.

    DARTS, section 2.4: the softmax is over all operations, and the strength of an edge is the
    largest share of one that is not `none`. Of equal edges and operations the first wins.

    Args:
        shares: of the rows.
        rows: of one node.
        kept: how many edges.

    Returns:
        Edges in their order.
    """
    edges = [row for row in rows if not row.weighs_edges]
    weighing = next((row for row in rows if row.weighs_edges), None)
    weights = shares[weighing.name] if weighing else (1.0,) * len(edges)
    found = []
    for number, (row, weight) in enumerate(zip(edges, weights, strict=True)):
        own = shares[row.name][1:]
        best = max(range(len(own)), key=lambda place: (own[place], -place))
        found.append((-own[best] * weight, number, row, row.choices[1 + best]))
    chosen = sorted(sorted(found, key=lambda each: each[:2])[:kept], key=lambda each: each[1])
    return [(row, operation) for _, _, row, operation in chosen]


def refuse_partial(filters: Sequence[int], partial: int) -> None:
    """Refuses filters of which there is no such part, by LayoutError."""
    if any(each % partial for each in filters):
        raise LayoutError(
            f"One in {partial} channels cannot be mixed of {','.join(map(str, filters))} filters; "
            f"allowed: multiples of {partial} (--filters), or another --partial_channels."
        )

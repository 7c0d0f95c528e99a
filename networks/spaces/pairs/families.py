"""The families of cells of pairs: what each may choose from, a row of a table.

A cell reads two maps, the older one 0 and the newer one 1, and has nodes 2, 3, and so on; a cell
of NASNet-B reads the four nodes of the cell before it, 0 to 3, and has nodes 4 to 7. A node
applies an operation to each of two earlier states and combines the results.

- NASNet: Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition",
  CVPR 2018, section 3; NASNet-B and C in appendix B.
- PNAS: Liu et al., "Progressive Neural Architecture Search", ECCV 2018, section 3.
- ENAS: Pham et al., "Efficient Neural Architecture Search via Parameter Sharing", ICML 2018,
  section 2.4.
- DARTS: Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search", ICLR 2019,
  section 3.1.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from types import MappingProxyType

from blockqnn.networks import graph as graphs

INPUTS = 2
"""States of a cell that it does not make itself, as a rule."""

ADD, CONCAT, ADD_LAYER_NORM, ADD_INSTANCE_NORM = range(4)
"""How a node combines its two halves, by number."""


class Outputs(enum.Enum):
    """Which states a cell gives to the next, where its code does not list them."""

    UNREAD_NODES = "nodes that no other reads"
    UNREAD_STATES = "nodes and inputs that no node reads"
    ALL_NODES = "all nodes"
    EACH_NODE = "all nodes, each by itself, as the inputs of the next cell"


class Kind(enum.Enum):
    """What an operation of a cell is made of."""

    IDENTITY = graphs.IDENTITY
    CONVOLUTION = "convolution"
    CROSSED = "1xK and Kx1 convolution"
    DILATED = "dilated convolution"
    SEPARABLE = "separable convolution, twice"
    DILATED_SEPARABLE = "dilated separable convolution"
    MAX_POOLING = graphs.MAX_POOLING
    AVERAGE_POOLING = graphs.AVERAGE_POOLING


@dataclasses.dataclass(frozen=True)
class CellOperation:
    """What one half of a node may do.

    Attributes:
        name: as codes are written.
        kind: what it is made of.
        kernel: side of its window in pixels, 0 where there is none.
    """

    name: str
    kind: Kind
    kernel: int = 0


OPERATIONS: Mapping[str, CellOperation] = MappingProxyType(
    {
        operation.name: operation
        for operation in (
            CellOperation("id", Kind.IDENTITY),
            CellOperation("c13", Kind.CROSSED, 3),
            CellOperation("c17", Kind.CROSSED, 7),
            CellOperation("dconv3", Kind.DILATED, 3),
            CellOperation("avg3", Kind.AVERAGE_POOLING, 3),
            CellOperation("max3", Kind.MAX_POOLING, 3),
            CellOperation("max5", Kind.MAX_POOLING, 5),
            CellOperation("max7", Kind.MAX_POOLING, 7),
            CellOperation("conv1", Kind.CONVOLUTION, 1),
            CellOperation("conv3", Kind.CONVOLUTION, 3),
            CellOperation("sep3", Kind.SEPARABLE, 3),
            CellOperation("sep5", Kind.SEPARABLE, 5),
            CellOperation("sep7", Kind.SEPARABLE, 7),
            CellOperation("dil3", Kind.DILATED_SEPARABLE, 3),
            CellOperation("dil5", Kind.DILATED_SEPARABLE, 5),
        )
    }
)
"""Name to operation, of all families."""


@dataclasses.dataclass(frozen=True)
class Family:
    """A search space of cells of pairs.

    Attributes:
        name: of the space.
        title: what it designs, as a phrase.
        number: tells its codes from those of other families.
        operations: that a half may be, by number.
        nodes: B, the number of nodes of a cell.
        combinations: how many there are to choose from, from `ADD` on.
        outputs: which states go out.
        differ: whether the two states that a node reads are different ones.
        cells: names of the cells that are searched together.
        rules: how its cells are stacked unless that is said; see `stacking`.
        inputs: how many maps a cell reads; more than two are the nodes of the cell before it.
    """

    name: str
    title: str
    number: int
    operations: tuple[str, ...]
    nodes: int
    combinations: int
    outputs: Outputs
    differ: bool
    cells: tuple[str, ...]
    rules: str
    inputs: int = INPUTS

    @property
    def fields(self) -> int:
        """Decisions of a node: two states, two operations, and how to combine."""
        return 4 + (self.combinations > 1)

    @property
    def length(self) -> int:
        """Decisions of a code without a list of outputs."""
        return len(self.cells) * self.nodes * self.fields

    @property
    def states(self) -> int:
        """Inputs and nodes of a cell."""
        return self.inputs + self.nodes


NORMAL, REDUCTION = "normal", "reduction"

_OF_NASNET = (
    *("id", "c13", "c17", "dconv3", "avg3", "max3", "max5", "max7"),
    *("conv1", "conv3", "sep3", "sep5", "sep7"),
)

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        family.name: family
        for family in (
            Family(
                "nasnet",
                "cells of NASNet",
                1,
                _OF_NASNET,
                nodes=5,
                combinations=2,
                outputs=Outputs.UNREAD_NODES,
                differ=False,
                cells=(NORMAL, REDUCTION),
                rules="nasnet",
            ),
            Family(
                "enas_micro",
                "cells of ENAS",
                2,
                ("sep3", "sep5", "avg3", "max3", "id"),
                nodes=5,
                combinations=1,
                outputs=Outputs.UNREAD_STATES,
                differ=False,
                cells=(NORMAL, REDUCTION),
                rules="enas",
            ),
            Family(
                "pnas",
                "cells of PNAS",
                3,
                ("sep3", "sep5", "sep7", "c17", "id", "avg3", "max3", "dconv3"),
                nodes=5,
                combinations=1,
                outputs=Outputs.UNREAD_NODES,
                differ=False,
                cells=(NORMAL,),
                rules="nasnet",
            ),
            Family(
                "darts",
                "cells of DARTS",
                4,
                ("max3", "avg3", "id", "sep3", "sep5", "dil3", "dil5"),
                nodes=4,
                combinations=1,
                outputs=Outputs.ALL_NODES,
                differ=True,
                cells=(NORMAL, REDUCTION),
                rules="darts",
            ),
            Family(
                "nasnet_b",
                "cells of NASNet-B",
                5,
                _OF_NASNET,
                nodes=4,
                combinations=4,
                outputs=Outputs.EACH_NODE,
                differ=False,
                cells=(NORMAL, REDUCTION),
                rules="nasnet",
                inputs=4,
            ),
            Family(
                "nasnet_c",
                "cells of NASNet-C",
                6,
                _OF_NASNET,
                nodes=4,
                combinations=4,
                outputs=Outputs.UNREAD_NODES,
                differ=False,
                cells=(NORMAL, REDUCTION),
                rules="nasnet",
            ),
        )
    }
)
"""Name to family. A new one is an entry here, and published cells of it in `published`."""

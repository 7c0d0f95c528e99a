"""A search space of one screen, to copy: three convolutions in a row, each with a kernel.

BUILD.md's "Adding a search space" walks through it. As a part of the project it would be
`networks/spaces/kernel_rows.py`, with a line in `networks/spaces/registry.py`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from blockqnn.networks import graph as graphs
from blockqnn.networks.graph import Graph, Node
from blockqnn.networks.layout import CIFAR, Layout
from blockqnn.networks.plan import Operation, Plan, PlanBuilder
from blockqnn.networks.spaces.action_list import ActionList
from blockqnn.networks.spaces.contract import CodeError, Promise, SearchSpace

KERNELS = (1, 3, 5)
LENGTH = 3


class Kernel(NamedTuple):
    """A decision: position from 1, and the side of the convolution's window; 0, 0 is the start."""

    position: int
    side: int


Row = tuple[Kernel, ...]


@dataclasses.dataclass(frozen=True)
class RowDesign:
    """What a row means: the sides of its windows."""

    sides: tuple[int, ...]
    space = "kernel_rows"
    density = (LENGTH + 1) / (LENGTH + 2)
    emptiness = ""

    @property
    def hash(self) -> str:
        return hashlib.sha256(str(self.sides).encode()).hexdigest()[:16]


class KernelActions(ActionList):
    """Kernels by number; every one is legal everywhere."""

    length = LENGTH
    highest = (LENGTH, max(KERNELS))

    def __len__(self) -> int:
        return len(KERNELS)

    def action(self, number: int, position: int) -> Kernel:
        return Kernel(position, KERNELS[number])

    def number(self, action: Sequence[int]) -> int:
        return KERNELS.index(action[1])

    def mask(self, position: int) -> np.ndarray:
        return np.ones(len(self), np.bool_)


class RowSpace(SearchSpace):
    """27 rows of three convolutions."""

    name = "kernel_rows"
    title = "three convolutions in a row"
    unit = "row"
    layouts: Mapping[str, str] = {CIFAR: "CIFAR"}
    example = "<3,3,1>"
    feature_names = tuple(f"side {i}" for i in range(1, LENGTH + 1))
    start = Kernel(0, 0)
    published: Mapping[str, Row] = {}

    def choices(self, state: Kernel) -> tuple[tuple[Kernel, ...], ...]:
        return (tuple(Kernel(state[0] + 1, side) for side in KERNELS),)

    def is_end(self, action: Kernel) -> bool:
        return action[0] == LENGTH

    def numbered(self) -> KernelActions:
        return KernelActions()

    def ended(self, actions: Sequence[Any]) -> Row:
        left = range(len(actions) + 1, LENGTH + 1)
        return (*(Kernel(*a) for a in actions), *(Kernel(i, 1) for i in left))

    def owns(self, code: Sequence[Sequence[int]]) -> bool:
        # Cells of NAS-Bench-201 are pairs as well, but six of them.
        return len(code) == LENGTH and len(code[0]) == 2

    def recognises(self, text: str) -> bool:
        return text.lstrip().startswith("<")

    def check(self, actions: Iterable[Sequence[int]]) -> Row:
        rows = [tuple(action) for action in actions]
        if len(rows) != LENGTH:
            raise CodeError(f"A row has {LENGTH} convolutions, given {len(rows)}.")
        return self._checked(rows)

    def parse(self, text: str) -> Row:
        return self.check(enumerate(self._sides(text), start=1))

    def write(self, code: Sequence[Sequence[int]]) -> str:
        return f"<{','.join(str(side) for _, side in code)}>"

    def parse_prefix(self, text: str) -> Row:
        sides = self._sides(text) if text else []
        if len(sides) >= LENGTH:
            raise CodeError(f"A row begins with at most {LENGTH - 1} sides, given {len(sides)}.")
        return self._checked(list(enumerate(sides, start=1)))

    def write_prefix(self, actions: Sequence[Sequence[int]]) -> str:
        return self.write(actions)

    def action_title(self, action: Kernel) -> str:
        return f"Convolution {action[1]}x{action[1]}"

    def action_kind(self, action: Kernel) -> tuple[int, str]:
        return action[0], f"{action[1]}x{action[1]}"

    def design(self, code: Row) -> RowDesign:
        return RowDesign(tuple(side for _, side in code))

    def plan(self, design: RowDesign, layout: Layout) -> Plan:
        self.require_layout(layout)
        builder = PlanBuilder()
        here = builder.place("image", Operation.IMAGE, (), layout.image_shape)
        for stage, filters in enumerate(layout.filters, start=1):
            if stage > 1:
                here = builder.downsampling(f"stage{stage}/pooling", here)
            for repeat in range(1, layout.repeats + 1):
                for i, side in enumerate(design.sides, start=1):
                    name = f"stage{stage}/row{repeat}/layer{i}"
                    here = builder.convolution(name, Operation.PCC, here, side, filters)
        builder.head(here, layout.classes)
        return tuple(builder.layers)

    def rewarded_plan(self, design: RowDesign, layout: Layout) -> Plan:
        return self.plan(design, layout)

    def alone(self, design: RowDesign, channels: int, filters: int) -> Plan:
        builder = PlanBuilder()
        here = builder.place("image", Operation.IMAGE, (), (8, 8, channels))
        for i, side in enumerate(design.sides, start=1):
            here = builder.convolution(f"layer{i}", Operation.PCC, here, side, filters)
        return tuple(builder.layers)

    def promise(self, design: RowDesign) -> Promise:
        return Promise(design.sides, 0)

    def graph(self, code: Row, filters: int | None = None) -> Graph:
        return self.design_graph(self.design(code), filters)

    def design_graph(self, design: RowDesign, filters: int | None = None) -> Graph:
        inner = [
            Node(graphs.CONVOLUTION, f"conv {side}x{side}", side, (i,), width=filters)
            for i, side in enumerate(design.sides)
        ]
        first = Node(graphs.INPUT, graphs.INPUT, width=filters)
        return Graph((first, *inner, Node(graphs.OUTPUT, graphs.OUTPUT, 0, (LENGTH,), (), filters)))

    def places(self, code: Row) -> dict[int, int]:
        return {node: node for node in range(1, LENGTH + 1)}

    def layer_facts(self, code: Row, node: int) -> list[int]:
        return list(map(int, code[node - 1]))

    def facts(self, code: Row) -> dict[str, Any]:
        design = self.design(code)
        return {"code": self.write(code), "hash": design.hash, "density": design.density}

    def in_words(self, code: Row) -> tuple[list[str], list[str]]:
        lines = [f"  {position}  {side}x{side}" for position, side in code]
        return lines, [f"hash {self.design(code).hash}"]

    def mutated(self, actions: Row, random: np.random.Generator) -> Row:
        place = int(random.integers(LENGTH))
        others = [side for side in KERNELS if side != actions[place][1]]
        drawn = Kernel(place + 1, others[int(random.integers(len(others)))])
        return (*actions[:place], drawn, *actions[place + 1 :])

    def identity(self, actions: Row) -> str:
        return self.write(actions)

    def features(self, actions: Row) -> tuple[float, ...]:
        return tuple(float(side) for _, side in actions)

    def _sides(self, text: str) -> list[int]:
        if re.fullmatch(r"<([0-9]{1,3}(,[0-9]{1,3})*)?>", text.strip()) is None:
            raise CodeError(f"A row is written like {self.example}; given: {text[:60]!r}.")
        return [int(side) for side in text.strip()[1:-1].split(",") if side]

    def _checked(self, rows: Sequence[tuple[Any, ...]]) -> Row:
        for position, row in enumerate(rows, start=1):
            if len(row) != 2 or row[0] != position or row[1] not in KERNELS:
                allowed = " or ".join(f"({position},{side})" for side in KERNELS)
                raise CodeError(f"Position {position}: allowed: {allowed}; given {row}.")
        return tuple(Kernel(*row) for row in rows)

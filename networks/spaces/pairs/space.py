"""Cells of pairs as search spaces, one for each family."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from blockqnn.networks.graph import Graph
from blockqnn.networks.layout import CELLS, CELLS_IMAGENET, Layout, LayoutError
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.action_list import Field
from blockqnn.networks.spaces.contract import Promise
from blockqnn.networks.spaces.pairs import codes, text
from blockqnn.networks.spaces.pairs.actions import PairActions
from blockqnn.networks.spaces.pairs.codes import Cell, Decision, PairCode
from blockqnn.networks.spaces.pairs.families import OPERATIONS, Family, Kind
from blockqnn.networks.spaces.pairs.meaning import Cells, kept_states, meaning, sides_in_order
from blockqnn.networks.spaces.pairs.mixed_space import MixedPairs
from blockqnn.networks.spaces.pairs.picture import GIVEN, OUT, WHOLE, Tag, cells_graph
from blockqnn.networks.spaces.pairs.published import EXAMPLES, PUBLISHED
from blockqnn.networks.spaces.pairs.rules import RULES, unshared
from blockqnn.networks.spaces.pairs.stacking import (
    alone_plan,
    auxiliary_head,
    cells_plan,
    number_of_cells,
)

_WINDOWLESS = (Kind.IDENTITY, Kind.MAX_POOLING, Kind.AVERAGE_POOLING)


class PairSpace(MixedPairs):
    """The cells of a family as a decision process: one field of a node after the other."""

    unit = "cell"
    layouts: Mapping[str, str] = {CELLS: "cells", CELLS_IMAGENET: "cells on ImageNet"}
    rules = tuple(RULES)
    of_codes, of_text, numbers = codes, text, 3

    def __init__(self, family: Family):
        """Makes a space of a row of the table.

        Args:
            family: what its cells may be made of.
        """
        self.family = family
        self.name, self.title = family.name, family.title
        self.feature_names = (
            *(f"{cell} cell, {name}" for cell in family.cells for name in family.operations),
            *(
                f"{cell} cell, read {text.state_name(state, family.inputs)}"
                for cell in family.cells
                for state in range(family.states)
            ),
        )

    @property
    def example(self) -> str:  # type: ignore[override]
        """See `SearchSpace.example`: the first published one, where there is any."""
        return next(iter({**PUBLISHED, **EXAMPLES}[self.name].values()))

    def choices(self, state: Decision) -> tuple[tuple[Decision, ...], ...]:
        """The values of the next decision, each a group of its own."""
        position = state[0] + 1
        return _choices(self.family.number, position, codes.choices(self.family, position))

    def is_end(self, action: Decision) -> bool:
        """Whether all is decided with this action."""
        return action[0] >= self.family.length

    def numbered(self) -> PairActions:
        """See `SearchSpace.numbered`."""
        return PairActions(self.family)

    @property
    def fields_by_state(self) -> bool:  # type: ignore[override]
        """See `SearchSpace.fields_by_state`: where two states differ, the second is counted so."""
        return self.family.differ

    def fields(self, state: Decision, action: Decision) -> tuple[Field, ...]:
        """See `SearchSpace.fields`: a state points to the last decision of its node."""
        return (codes.field_of(self.family, state, action),)

    def ended(self, actions: Sequence[Any]) -> PairCode:
        """See `SearchSpace.ended`: what is not decided is the first of what may be."""
        missing = range(len(actions) + 1, self.family.length + 1)
        rest = (Decision(position, self.family.number, 0) for position in missing)
        return (*_named(actions), *rest)

    def parse_prefix(self, text_form: str) -> PairCode:
        """See `SearchSpace.parse_prefix`."""
        return text.parse_prefix(self.family, text_form)

    def action_title(self, action: Decision) -> str:
        """See `SearchSpace.action_title`."""
        place = codes.describe_place(self.family, action[0])
        return f"{place}: {text.decision_word(self.family, action)}"

    def action_kind(self, action: Decision) -> tuple[int, str]:
        """See `SearchSpace.action_kind`: the operation, state or combination."""
        return action[0], text.decision_word(self.family, action)

    def design(self, code: PairCode) -> Cells:
        """See `SearchSpace.design`."""
        return meaning(self.family, code)

    def plan(self, design: Cells, layout: Layout) -> Plan:
        """See `SearchSpace.plan`."""
        return cells_plan(design, layout, self.rules_in(design, layout))

    def auxiliary_head(self, design: Cells, layout: Layout) -> Plan:
        """See `SearchSpace.auxiliary_head`."""
        return auxiliary_head(design, layout, self.rules_in(design, layout))

    def rules_in(self, design: Cells, layout: Layout) -> str:
        """See `MixedPairs.rules_in`."""
        self.require_layout(layout)
        if (rules := layout.rules or self.family.rules) not in RULES:
            raise LayoutError(
                f"There are no rules {rules!r} of stacking cells; allowed: {', '.join(RULES)} "
                "(--cell_rules)."
            )
        count, stages = number_of_cells(design, layout), len(layout.filters)
        if count < stages:
            raise LayoutError(
                f"A network of {stages} stages has at least as many cells, given {count} (--cells)."
            )
        return rules

    def unshared(self, layout: Layout) -> str:
        """See `Sharing.unshared`: the next cell must find as many channels, whatever goes out."""
        return unshared(self.family, layout.rules or self.family.rules)

    def alone(self, design: Cells, channels: int, filters: int) -> Plan:
        """See `SearchSpace.alone`: the normal cell, which reads the map as both inputs."""
        return alone_plan(design, channels, filters)

    def promise(self, design: Cells) -> Promise:
        """See `SearchSpace.promise`."""
        used = [o for cell in design.cells for pair in cell.nodes for _, o in pair.halves]
        kernels = tuple(o.kernel for o in used if o.kind not in _WINDOWLESS)
        return Promise(kernels, sum(o.kind is Kind.IDENTITY for o in used))

    def graph(self, code: PairCode, filters: int | None = None) -> Graph:
        """See `SearchSpace.graph`: the normal cell, and the reduction cell after it."""
        return cells_graph(codes.cells_of(self.family, code), filters).graph

    def design_graph(self, design: Cells, filters: int | None = None) -> Graph:
        """See `SearchSpace.design_graph`."""
        return cells_graph(design.cells, filters).graph

    def places(self, code: PairCode) -> dict[int, int]:
        """See `SearchSpace.places`."""
        written = codes.cells_of(self.family, code)
        here, there = (cells_graph(cells).tags for cells in (written, self.design(code).cells))
        return {place: here[self._written(tag, written)] for tag, place in there.items()}

    def _written(self, tag: Tag, written: Sequence[Cell]) -> Tag:
        """What a part of the design is called in the code as it was written."""
        number, state, side = tag
        if number == GIVEN or state == OUT:
            return tag
        old = kept_states(written[number])[state]
        if side == WHOLE:
            return number, old, WHOLE
        return (
            number,
            old,
            sides_in_order(written[number].nodes[old - written[number].inputs])[side],
        )

    def facts(self, code: PairCode) -> dict[str, Any]:
        """See `SearchSpace.facts`."""
        design = self.design(code)
        graph = self.design_graph(design)
        return {
            "code": self.write(code),
            "cells": [
                {
                    "cell": cell.name,
                    "nodes": [
                        {
                            "halves": [
                                {"state": state, "operation": operation.name}
                                for state, operation in pair.halves
                            ],
                            "combination": text.COMBINATIONS[pair.combination],
                        }
                        for pair in cell.nodes
                    ],
                    "outputs": list(cell.outputs),
                }
                for cell in codes.cells_of(self.family, code)
            ],
            "hash": design.hash,
            "nodes": len(graph.nodes),
            "edges": len(graph.edges),
            "density": design.density,
        }

    def in_words(self, code: PairCode) -> tuple[list[str], list[str]]:
        """See `SearchSpace.in_words`: what each node joins."""
        lines = []
        for cell in codes.cells_of(self.family, code):
            lines += text.described(cell)
        design = self.design(code)
        return lines, [f"hash {design.hash}, density {design.density:.3f}"]

    def mutated(self, actions: PairCode, random: np.random.Generator) -> PairCode:
        """The code with another value of one decision, both drawn uniformly."""
        code = list(_named(actions)[: self.family.length])
        counts = [codes.choices(self.family, each[0]) for each in code]
        places = [place for place, count in enumerate(counts) if count > 1]
        place = places[int(random.integers(len(places)))]
        drawn = int(random.integers(counts[place] - 1))
        old = code[place]
        code[place] = old._replace(value=drawn + (drawn >= old.value))
        return tuple(code)

    def identity(self, actions: PairCode) -> str:
        """The hash of what the code means."""
        return self.design(actions).hash

    def features(self, actions: PairCode) -> tuple[float, ...]:
        """How often each operation is used and each state read, cell by cell."""
        cells = codes.cells_of(self.family, actions)
        used = [
            float(sum(o is OPERATIONS[name] for pair in cell.nodes for _, o in pair.halves))
            for cell in cells
            for name in self.family.operations
        ]
        read = [
            float(sum(state == s for pair in cell.nodes for s, _ in pair.halves))
            for cell in cells
            for state in range(self.family.states)
        ]
        return (*used, *read)

    @property
    def published(self) -> Mapping[str, PairCode]:
        """The cells of the papers, and of the networks that their authors published."""
        return {name: self.parse(each) for name, each in PUBLISHED.get(self.name, {}).items()}


def _named(actions: Sequence[Sequence[int]]) -> PairCode:
    """The same decisions with their names, as stores and agents return plain tuples."""
    return tuple(Decision(*each) for each in actions)


@functools.cache
def _choices(family: int, position: int, count: int) -> tuple[tuple[Decision, ...], ...]:
    return tuple((Decision(position, family, value),) for value in range(count))

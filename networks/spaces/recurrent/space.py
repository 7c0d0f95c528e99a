"""Recurrent cells as search spaces: one decision after the other, each of few answers."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from blockqnn.networks.graph import Graph
from blockqnn.networks.layout import LANGUAGE, Layout, LayoutError
from blockqnn.networks.plan import Plan
from blockqnn.networks.recurrent.placing import language_plan
from blockqnn.networks.spaces.action_list import Field
from blockqnn.networks.spaces.contract import MAX_LAYERS, Promise
from blockqnn.networks.spaces.recurrent import codes, picture, text
from blockqnn.networks.spaces.recurrent.codes import CellActions, CellCode, Decision
from blockqnn.networks.spaces.recurrent.families import MOST_NODES, PUBLISHED, Family
from blockqnn.networks.spaces.recurrent.meaning import CellDesign, as_written, meaning, order_of
from blockqnn.networks.spaces.recurrent.plan import place_cell
from blockqnn.networks.spaces.recurrent.shared_space import SharedCells
from blockqnn.networks.spaces.recurrent.words import in_words


class RecurrentSpace(SharedCells):
    """The cells of a family; codes of any size that the family has are its own."""

    unit = "recurrent cell"
    layouts: Mapping[str, str] = {LANGUAGE: "language model"}
    of_codes, of_text, numbers = codes, text, 4

    def __init__(self, family: Family, size: int = 0):
        """Makes a space of a row of the table.

        Args:
            family: what is decided.
            size: of a cell that is decided on; 0 for the usual size.
        """
        self.family, self.size = family, size or family.usual
        self.name, self.title, self.rules = family.name, family.title, family.rules
        self.example = family.example
        kinds = dict.fromkeys(
            f"{question.kind} {answer}"
            for question in family.questions(family.usual)
            for answer in question.answers
            if not answer.isdecimal()
        )
        self._kinds = tuple(kinds)
        self.feature_names = ("nodes", "unread", "longest path", *self._kinds)

    def choices(self, state: Decision) -> tuple[tuple[Decision, ...], ...]:
        """The answers to the next question, each a group of its own."""
        return _choices(self.family, state[0] + 1)

    def is_end(self, action: Decision) -> bool:
        """Whether all is decided with this action."""
        return action[0] >= len(self.family.questions(self.size))

    def limited(self, max_layers: int) -> RecurrentSpace:
        """See `SearchSpace.limited`: cells of so many nodes, where the family has several sizes."""
        if not self.family.grows:
            return self
        size = self.family.usual if max_layers == MAX_LAYERS else min(max_layers, MOST_NODES)
        return self if size == self.size else RecurrentSpace(self.family, size)

    def as_large_as(self, code: Sequence[Any]) -> RecurrentSpace:
        """See `SearchSpace.as_large_as`."""
        return self.limited(self.family.size_of(len(code)))

    def numbered(self) -> CellActions:
        """See `SearchSpace.numbered`."""
        return CellActions(self.family, self.size)

    def fields(self, state: Decision, action: Decision) -> tuple[Field, ...]:
        """See `SearchSpace.fields`: the number of a node points to what was decided of it."""
        return codes.fields_of(self.family, Decision(*action))

    def ended(self, actions: Sequence[Any]) -> CellCode:
        """See `SearchSpace.ended`: what is not decided is the first of what may be."""
        missing = range(len(actions) + 1, len(self.family.questions(self.size)) + 1)
        return (*_named(actions), *(codes.decision(self.family, each, 0) for each in missing))

    def parse_prefix(self, text_form: str) -> CellCode:
        """See `SearchSpace.parse_prefix`."""
        return text.parse_prefix(self.family, text_form, self.size)

    def action_title(self, action: Decision) -> str:
        """See `SearchSpace.action_title`."""
        question = codes.question_at(self.family, action[0])
        return f"{codes.describe(question)} {question.answers[action[3]]}"

    def action_kind(self, action: Decision) -> tuple[int, str]:
        """See `SearchSpace.action_kind`: what is asked and the answer."""
        question = codes.question_at(self.family, action[0])
        return action[0], f"{question.kind} {question.answers[action[3]]}"

    def design(self, code: CellCode) -> CellDesign:
        """See `SearchSpace.design`."""
        return meaning(as_written(self.family, code))

    def plan(self, design: CellDesign, layout: Layout) -> Plan:
        """See `SearchSpace.plan`: a language model, for one word."""
        self.require_layout(layout)
        rules = self.rules_of(layout)
        return language_plan(layout, lambda cell: place_cell(cell, design, rules))

    def alone(self, design: CellDesign, channels: int, filters: int) -> Plan:
        """See `SearchSpace.alone`: a cell has a state, so that it is no plan by itself."""
        raise LayoutError(
            f"A {self.unit} goes from word to word with its state, and not from a map to a map; "
            "export writes it as a class, blockqnn.networks.recurrent.language_model has it in a "
            "network."
        )

    def rules_of(self, layout: Layout) -> str:
        """The rules of a layout, or the space's own; LayoutError if it has no such ones."""
        chosen = layout.rules or next(iter(self.rules), "")
        if chosen and chosen not in self.rules:
            allowed = ", ".join(self.rules) or "none"
            raise LayoutError(
                f"There are no rules {chosen!r} of {self.title}; allowed: {allowed} (--cell_rules)."
            )
        return chosen

    def usual_layout(self, code: CellCode, layout: Layout) -> Layout:
        """See `SearchSpace.usual_layout`: one cell of 850 numbers over 10,000 words."""
        return Layout(
            *(LANGUAGE, (850,), 1, 1, 1, 1, 10_000), rules=_usual_rules(self.family, code)
        )

    def promise(self, design: CellDesign) -> Promise:
        """See `SearchSpace.promise`."""
        return Promise((1,) * max(1, len(design.nodes)), len(design.unread))

    def graph(self, code: CellCode, filters: int | None = None) -> Graph:
        """See `SearchSpace.graph`."""
        return picture.cell_graph(as_written(self.family, code), filters)

    def design_graph(self, design: CellDesign, filters: int | None = None) -> Graph:
        """See `SearchSpace.design_graph`."""
        return picture.cell_graph(design, filters)

    def places(self, code: CellCode) -> dict[int, int]:
        """See `SearchSpace.places`."""
        written = as_written(self.family, code)
        design = meaning(written)
        graph = self.design_graph(design)
        found = {node: node for node in range(1, graph.output)}
        if design.nodes:
            before, after = picture.places(written), picture.places(design)
            for new, old in enumerate(order_of(written)):
                found[after[new]] = before[old]
            if design.memory is not None and written.memory is not None:
                merged = before[written.memory.read] + 1
                found[after[design.memory.read] + 1] = merged
        return found

    def facts(self, code: CellCode) -> dict[str, Any]:
        """See `SearchSpace.facts`."""
        design, written = self.design(code), as_written(self.family, code)
        graph = self.design_graph(design)
        return {
            "code": self.write(code),
            "nodes_of_cell": [node._asdict() for node in written.nodes],
            "memory": written.memory and written.memory._asdict(),
            "hash": design.hash,
            "nodes": len(graph.nodes),
            "edges": len(graph.edges),
            "density": design.density,
        }

    def in_words(self, code: CellCode) -> tuple[list[str], list[str]]:
        """See `SearchSpace.in_words`: a line for each node."""
        return in_words(as_written(self.family, code), self.design(code))

    def mutated(self, actions: CellCode, random: np.random.Generator) -> CellCode:
        """The code with another answer to one question, both drawn uniformly."""
        code = list(self.ended(actions))
        open_places = [place for place in range(len(code)) if self._answers(place + 1) > 1]
        place = open_places[int(random.integers(len(open_places)))]
        old = code[place]
        drawn = int(random.integers(self._answers(old.position) - 1))
        code[place] = old._replace(answer=drawn + (drawn >= old.answer))
        return tuple(code)

    def _answers(self, position: int) -> int:
        return len(codes.question_at(self.family, position).answers)

    def identity(self, actions: CellCode) -> str:
        """The hash of what the code means."""
        return self.design(_named(actions)).hash

    def features(self, actions: CellCode) -> tuple[float, ...]:
        """How large and deep the cell is, and how often each answer is given."""
        design = self.design(_named(actions))
        depths: list[int] = []
        for node in design.nodes:
            depths.append(1 + max((depths[each] for each in node.inputs), default=0))
        counts = dict.fromkeys(self._kinds, 0)
        for action in actions:
            kind = self.action_kind(Decision(*action))[1]
            if kind in counts:
                counts[kind] += 1
        size = len(design.nodes), len(design.unread), max(depths, default=1)
        return tuple(map(float, (*size, *counts.values())))

    @property
    def published(self) -> Mapping[str, CellCode]:
        """The cells of the papers."""
        return _published(self.family)


def _named(actions: Sequence[Sequence[int]]) -> CellCode:
    """The same decisions with their names, as stores and agents return plain tuples."""
    return tuple(Decision(*each) for each in actions)


def _usual_rules(family: Family, code: CellCode) -> str:
    """The rules by which a published cell was published, where they are not the family's usual."""
    if family.rules and any(code == each for each in _published(family).values()):
        return family.rules[-1]
    return ""


@functools.cache
def _choices(family: Family, position: int) -> tuple[tuple[Decision, ...], ...]:
    count = len(codes.question_at(family, position).answers)
    return tuple((codes.decision(family, position, answer),) for answer in range(count))


@functools.cache
def _published(family: Family) -> Mapping[str, CellCode]:
    return {name: text.parse(family, each) for name, each in PUBLISHED[family.name].items()}

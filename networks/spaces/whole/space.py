"""Whole networks as search spaces: one decision of a layer after the other."""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from blockqnn.networks.layout import WHOLE, Layout, LayoutError
from blockqnn.networks.spaces.action_list import Field
from blockqnn.networks.spaces.contract import MAX_LAYERS
from blockqnn.networks.spaces.family_space import FamilySpace
from blockqnn.networks.spaces.whole import codes, text
from blockqnn.networks.spaces.whole.actions import WholeActions
from blockqnn.networks.spaces.whole.codes import Decision, WholeCode
from blockqnn.networks.spaces.whole.families import Family
from blockqnn.networks.spaces.whole.picture import Widths
from blockqnn.networks.spaces.whole.published import PUBLISHED

_DISTANCES = 6
"""How far back a bit may reach to be counted by itself; those beyond are counted together."""


class WholeSpace(FamilySpace):
    """The networks of a family with so many layers; codes of any number of layers are its own."""

    unit = "network"
    layouts: Mapping[str, str] = {WHOLE: "whole"}
    whole = True
    of_codes, of_text, numbers = codes, text, 4

    def __init__(self, family: Family, layers: int = 0):
        """Makes a space of a row of the table.

        Args:
            family: what is decided for each layer.
            layers: of a network that is decided on; 0 for the usual number.
        """
        self.family, self.layers = family, layers or family.usual_layers
        self.name, self.title = family.name, family.title
        self.feature_names = (
            "layers",
            *(f"{q.name} {a}" for q in family.questions for a in q.answers),
            *(f"bits {distance} back" for distance in range(1, _DISTANCES + 1)),
            "bits further back",
        )

    def choices(self, state: Decision) -> tuple[tuple[Decision, ...], ...]:
        """The values of the next decision, each a group of its own."""
        return _choices(self.family, state[0] + 1)

    def is_end(self, action: Decision) -> bool:
        """Whether all is decided with this action."""
        return action[0] >= self.family.length(self.layers)

    def limited(self, max_layers: int) -> Self:
        """See `SearchSpace.limited`: networks of exactly so many layers."""
        layers = self.family.usual_layers if max_layers == MAX_LAYERS else max_layers
        return self if layers == self.layers else self._of(layers)

    @abc.abstractmethod
    def _of(self, layers: int) -> Self:
        """The space with another number of layers."""

    def numbered(self) -> WholeActions:
        """See `SearchSpace.numbered`."""
        return WholeActions(self.family, self.layers)

    def fields(self, state: Decision, action: Decision) -> tuple[Field, ...]:
        """See `SearchSpace.fields`: a bit that is set points to the map that is read."""
        return codes.fields_of(self.family, Decision(*action))

    def ended(self, actions: Sequence[Any]) -> WholeCode:
        """See `SearchSpace.ended`: what is not decided is the first of what may be."""
        missing = range(len(actions) + 1, self.family.length(self.layers) + 1)
        return (*named(actions), *(codes.decision(self.family, each, 0) for each in missing))

    def parse_prefix(self, text_form: str) -> WholeCode:
        """See `SearchSpace.parse_prefix`."""
        return text.parse_prefix(self.family, text_form, self.layers)

    def action_title(self, action: Decision) -> str:
        """See `SearchSpace.action_title`."""
        place = codes.describe_place(self.family, action[0])
        return f"{place}: {text.decision_word(self.family, action)}"

    def action_kind(self, action: Decision) -> tuple[int, str]:
        """See `SearchSpace.action_kind`: an answer, or whether a map is read."""
        return action[0], text.decision_word(self.family, action)

    def drawn(self, layout: Layout) -> Widths:
        """See `SearchSpace.drawn`: the image's channels, and the filters of each stage."""
        return Widths(layout.channels, layout.filters)

    def as_usual(self, layout: Layout, filters: tuple[int, ...], rules: str = "") -> Layout:
        """A whole network's layout for the images of another one."""
        return dataclasses.replace(
            layout, kind=WHOLE, filters=filters, repeats=1, cells=0, rules=rules, named=True
        )

    def rules_of(self, layout: Layout) -> str:
        """The rules of a layout, or the space's own.

        Args:
            layout: of a network.

        Returns:
            One of `rules`.

        Raises:
            LayoutError: if the space has no such rules.
        """
        chosen = layout.rules or self.rules[0]
        if chosen not in self.rules:
            raise LayoutError(
                f"There are no rules {chosen!r} of {self.title}; allowed: {', '.join(self.rules)} "
                "(--network_rules)."
            )
        return chosen

    def mutated(self, actions: WholeCode, random: np.random.Generator) -> WholeCode:
        """The code with another value of one decision, both drawn uniformly.

        Where the space has more layers than the code, these are drawn uniformly as well.
        """
        code = list(named(actions))
        place = int(random.integers(len(code)))
        old = code[place]
        drawn = int(random.integers(codes.choices(self.family, old.position) - 1))
        code[place] = old._replace(value=drawn + (drawn >= old.value))
        for position in range(len(code) + 1, self.family.length(self.layers) + 1):
            value = int(random.integers(codes.choices(self.family, position)))
            code.append(codes.decision(self.family, position, value))
        return tuple(code)

    def identity(self, actions: WholeCode) -> str:
        """The hash of what the code means."""
        return self.design(named(actions)).hash

    def features(self, actions: WholeCode) -> tuple[float, ...]:
        """How many layers there are, how often each answer is given, and how far bits reach."""
        layers = codes.layers_of(self.family, actions)
        answers = [
            float(sum(layer.answers[place] == answer for layer in layers))
            for place, question in enumerate(self.family.questions)
            for answer in range(len(question.answers))
        ]
        reach = [0.0] * (_DISTANCES + 1)
        for _, bits in layers:
            for place, bit in enumerate(bits):
                reach[min(len(bits) - place, _DISTANCES + 1) - 1] += bit
        return (float(len(layers)), *answers, *reach)

    @property
    def published(self) -> Mapping[str, WholeCode]:
        """The networks of the papers."""
        return _published(self.family)


def named(actions: Sequence[Sequence[int]]) -> WholeCode:
    """The same decisions with their names, as stores and agents return plain tuples."""
    return tuple(Decision(*each) for each in actions)


@functools.cache
def _choices(family: Family, position: int) -> tuple[tuple[Decision, ...], ...]:
    count = codes.choices(family, position)
    return tuple((codes.decision(family, position, value),) for value in range(count))


@functools.cache
def _published(family: Family) -> Mapping[str, WholeCode]:
    return {name: text.parse(family, each) for name, each in PUBLISHED[family.name].items()}

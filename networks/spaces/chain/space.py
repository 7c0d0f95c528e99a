"""A chain of choices that a table has made: its columns are decisions, its cells what they may be.

Whoever has measured some designs, and written down in a row what each of them is and how good,
can have agents search them without writing a space. What may be decided is the name of the space,
`chain:width=8|16|32;kernel=3|5`, so that a run that has the name has the space.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from blockqnn.networks import graph as graphs
from blockqnn.networks.graph import Graph, Node
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.action_list import Field
from blockqnn.networks.spaces.chain.codes import (
    MARK,
    NAME,
    Chain,
    ChainDesign,
    Choice,
    Options,
    checked,
    columns_of,
    named,
    ordered,
    pairs_of,
    quoted,
)
from blockqnn.networks.spaces.contract import CodeError, Promise, SearchSpace

_NO_NETWORK = (
    f"Designs of the space {NAME} are rows of a table, and nobody knows their networks: search "
    "them with --evaluator=table, or compare agents on them."
)


class ChainSpace(SearchSpace):
    """Every combination of the cells of some columns, one column decided after the other."""

    title = "rows of a table that says what was decided (--space=chain:COLUMN,COLUMN,...)"
    unit = "row"
    layouts: Mapping[str, str] = {NAME: "none; a table has measured them"}
    tabular = True
    published: Mapping[str, Chain] = {}

    def __init__(self, columns: Mapping[str, Sequence[str]], name: str = NAME):
        """Creates the space.

        Args:
            columns: by decision what may be decided.
            name: of the space.
        """
        self.columns, self.name = dict(columns), name
        self._options = Options([len(cells) for cells in columns.values()])
        self.example = f"{NAME} {' '.join(f'0/{count}' for count in self._options.counts)}"
        self.feature_names = tuple(
            f"{column}={cell}" for column, cells in columns.items() for cell in cells
        )
        self._places = [{cell: n for n, cell in enumerate(cells)} for cells in columns.values()]

    start = Choice(0, MARK, 0, 0)

    # What a table makes.

    def made_of(self, columns: Mapping[str, Sequence[str]]) -> ChainSpace:
        """See `SearchSpace.made_of`; numbers are put in order, and so are words."""
        found = {column: ordered(cells) for column, cells in columns.items()}
        parts = (
            f"{quoted(column)}={'|'.join(map(quoted, cells))}" for column, cells in found.items()
        )
        return self.described(";".join(parts))

    def described(self, text: str) -> ChainSpace:
        """See `SearchSpace.described`."""
        return _described(text)

    def of_cells(self, cells: Sequence[str]) -> Chain:
        """See `SearchSpace.of_cells`."""
        found = []
        for position, (cell, places) in enumerate(zip(cells, self._places, strict=True), start=1):
            if cell not in places:
                column = list(self.columns)[position - 1]
                raise CodeError(
                    f"{column} is {cell!r}; allowed: {', '.join(self.columns[column])}."
                )
            found.append(self._options.action(places[cell], position))
        return tuple(found)

    # The decision process.

    def choices(self, state: Choice) -> tuple[tuple[Choice, ...], ...]:
        """See `SearchSpace.choices`: the options of the next decision, each by itself."""
        position = state[0] + 1
        count = self._options.counts[position - 1]
        return tuple((self._options.action(number, position),) for number in range(count))

    def is_end(self, action: Choice) -> bool:
        """See `SearchSpace.is_end`."""
        return action[0] == self._options.length

    def numbered(self) -> Options:
        """See `SearchSpace.numbered`."""
        return self._options

    def fields(self, state: Choice, action: Choice) -> tuple[Field, ...]:
        """See `SearchSpace.fields`: an option means something else in each decision."""
        return (Field(f"decision {action[0]}", int(action[2])),)

    def ended(self, actions: Sequence[Any]) -> Chain:
        """See `SearchSpace.ended`: what is not decided is the first option."""
        left = range(len(actions) + 1, self._options.length + 1)
        return (*named(actions), *(self._options.action(0, position) for position in left))

    # Codes.

    def owns(self, code: Sequence[Sequence[int]]) -> bool:
        """See `SearchSpace.owns`: decisions that say of how many they are one."""
        return len(code) > 0 and len(code[0]) == 4 and code[0][1] == MARK + len(code)

    def recognises(self, text: str) -> bool:
        """See `SearchSpace.recognises`."""
        return text.split(maxsplit=1)[:1] == [NAME]

    def check(self, actions: Iterable[Sequence[int]]) -> Chain:
        """See `SearchSpace.check`."""
        rows = [tuple(action) for action in actions]
        if not rows:
            raise CodeError("A chain has at least one decision, given none.")
        return checked(rows, len(rows))

    def parse(self, text: str) -> Chain:
        """See `SearchSpace.parse`."""
        pairs = pairs_of(text)
        return self.check(
            (place, MARK + len(pairs), *pair) for place, pair in enumerate(pairs, start=1)
        )

    def write(self, code: Sequence[Sequence[int]]) -> str:
        """See `SearchSpace.write`: of each decision the option and how many there are."""
        return " ".join([NAME, *(f"{option}/{options}" for _, _, option, options in code)])

    def parse_prefix(self, text: str) -> Chain:
        """See `SearchSpace.parse_prefix`."""
        pairs, length = pairs_of(text) if text else [], self._options.length
        if len(pairs) >= length:
            raise CodeError(f"A chain of {length} decisions is complete; a prefix has fewer.")
        rows = [(place, MARK + length, *pair) for place, pair in enumerate(pairs, start=1)]
        found = checked(rows, length)
        for choice, count in zip(found, self._options.counts, strict=False):
            if choice.options != count:
                raise CodeError(
                    f"Decision {choice.position} has {count} options, given {choice.options}."
                )
        return found

    def write_prefix(self, actions: Sequence[Sequence[int]]) -> str:
        """See `SearchSpace.write_prefix`."""
        return self.write(actions)

    def action_title(self, action: Choice) -> str:
        """See `SearchSpace.action_title`: the column and the cell."""
        column, cells = list(self.columns.items())[action[0] - 1]
        return f"{column} {cells[action[2]]}"

    def action_kind(self, action: Choice) -> tuple[int, str]:
        """See `SearchSpace.action_kind`."""
        return action[0], self.action_title(action)

    # What a row means: itself.

    def design(self, code: Chain) -> ChainDesign:
        """See `SearchSpace.design`."""
        return ChainDesign(named(code))

    def plan(self, design: Any, layout: Layout) -> Plan:
        """See `SearchSpace.plan`; there is none."""
        self.require_layout(layout)
        _refuse()

    def rewarded_plan(self, design: Any, layout: Layout) -> Plan:
        """See `SearchSpace.rewarded_plan`; there is none."""
        _refuse()

    def alone(self, design: Any, channels: int, filters: int) -> Plan:
        """See `SearchSpace.alone`; there is none."""
        _refuse()

    def unshared(self, layout: Layout) -> str:
        """See `SearchSpace.unshared`."""
        return _NO_NETWORK.rstrip(".")

    def promise(self, design: ChainDesign) -> Promise:
        """See `SearchSpace.promise`: later options promise more."""
        return Promise(tuple(1 + choice.option for choice in design.code), 0)

    def graph(self, code: Chain, filters: Any = None) -> Graph:
        """See `SearchSpace.graph`: a node for each decision."""
        inner = [
            Node(
                graphs.IDENTITY, f"option {option} of {options}", 0, (place - 1,), (None,), filters
            )
            for place, _, option, options in code
        ]
        first = Node(graphs.INPUT, graphs.INPUT, width=filters)
        last = Node(graphs.OUTPUT, graphs.OUTPUT, 0, (len(code),), (None,), filters)
        return Graph((first, *inner, last))

    def design_graph(self, design: ChainDesign, filters: Any = None) -> Graph:
        """See `SearchSpace.design_graph`."""
        return self.graph(design.code, filters)

    def places(self, code: Chain) -> dict[int, int]:
        """See `SearchSpace.places`: a row means what is written."""
        return {place: place for place in range(1, len(code) + 1)}

    def layer_facts(self, code: Chain, node: int) -> dict[str, int]:
        """See `SearchSpace.layer_facts`."""
        return {"option": int(code[node - 1][2]), "options": int(code[node - 1][3])}

    def facts(self, code: Chain) -> dict[str, Any]:
        """See `SearchSpace.facts`."""
        return {
            "code": self.write(code),
            "hash": self.design(code).hash,
            "density": self.design(code).density,
        }

    def in_words(self, code: Chain) -> tuple[list[str], list[str]]:
        """See `SearchSpace.in_words`."""
        lines = [f"  decision {p}: option {option} of {count}" for p, _, option, count in code]
        return lines, [f"hash {self.design(code).hash}; a table has measured it"]

    # For agents.

    def mutated(self, actions: Chain, random: np.random.Generator) -> Chain:
        """The chain with another option in one decision, both drawn uniformly."""
        several = [place for place, choice in enumerate(actions) if choice[3] > 1]
        if not several:
            return named(actions)
        place = several[int(random.integers(len(several)))]
        old = Choice(*actions[place])
        drawn = int(random.integers(old.options - 1))
        new = old._replace(option=drawn + (drawn >= old.option))
        return (*named(actions[:place]), new, *named(actions[place + 1 :]))

    def identity(self, actions: Chain) -> Chain:
        """See `SearchSpace.identity`: the decisions."""
        return named(actions)

    def features(self, actions: Chain) -> tuple[float, ...]:
        """See `SearchSpace.features`: zeros and a one for each decision."""
        return tuple(float(c[2] == each) for c in actions for each in range(c[3]))


@functools.lru_cache(maxsize=64)
def _described(text: str) -> ChainSpace:
    return ChainSpace(columns_of(text), f"{NAME}:{text}")


def _refuse() -> NoReturn:
    raise LayoutError(_NO_NETWORK)

"""What spaces of families have in common, where the row of a table says what is decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.contract import SearchSpace


class FamilySpace(SearchSpace):
    """A space whose codes are tuples of decisions, each with the number of its family.

    What a code is and how it is written is said by two modules of the space's room, whose
    functions take the family first.
    """

    family: Any
    """The row of the room's table."""
    of_codes: ModuleType
    """Has `start` and `check`."""
    of_text: ModuleType
    """Has `recognises`, `parse`, `write` and `write_prefix`."""
    numbers: int
    """Of a decision: its position, the family's, and what is decided."""

    @property
    def start(self) -> Any:
        """The state in which every code begins."""
        return self.of_codes.start(self.family)

    def owns(self, code: Sequence[Sequence[int]]) -> bool:
        """See `SearchSpace.owns`: so many numbers, the family's among them."""
        return bool(code) and len(code[0]) == self.numbers and code[0][1] == self.family.number

    def recognises(self, text_form: str) -> bool:
        """See `SearchSpace.recognises`."""
        return self.of_text.recognises(self.family, text_form)

    def check(self, actions: Iterable[Sequence[int]]) -> Any:
        """See `SearchSpace.check`."""
        return self.of_codes.check(self.family, actions)

    def parse(self, text_form: str) -> Any:
        """See `SearchSpace.parse`."""
        return self.of_text.parse(self.family, text_form)

    def write(self, code: Sequence[Sequence[int]]) -> str:
        """See `SearchSpace.write`."""
        return self.of_text.write(self.family, code)

    def write_prefix(self, actions: Sequence[Sequence[int]]) -> str:
        """See `SearchSpace.write_prefix`."""
        return self.of_text.write_prefix(self.family, actions)

    def rewarded_plan(self, design: Any, layout: Layout) -> Plan:
        """See `SearchSpace.rewarded_plan`: the whole child, of which no part is a design alone."""
        return self.plan(design, layout)

    def layer_facts(self, code: Any, node: int) -> Any:
        """See `SearchSpace.layer_facts`."""
        found = self.graph(code).nodes[node]
        return {"layer": found.label, "inputs": list(found.inputs)}

"""What the rest of the project may ask of a search space.

A space is one object that knows all there is to know of its codes: how they
are decided, written, checked and read, what they mean, which network they
become, how they are drawn. No module outside `networks/spaces/` names a space
or asks which one it has. A *code* is what an agent wrote, a tuple of actions,
each a tuple of integers; a *design* is what it means.
"""

from __future__ import annotations

import abc
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from blockqnn.networks.graph import Graph
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.action_list import Action
from blockqnn.networks.spaces.decisions import Decisions
from blockqnn.networks.spaces.design import Design, Promise
from blockqnn.networks.spaces.mixing import CONVOLUTION as CONVOLUTION
from blockqnn.networks.spaces.mixing import NONE as NONE
from blockqnn.networks.spaces.mixing import SKIP as SKIP
from blockqnn.networks.spaces.mixing import Mixing
from blockqnn.networks.spaces.mixing import Row as Row
from blockqnn.networks.spaces.mixture_parts import Left as Left
from blockqnn.networks.spaces.mixture_parts import is_left as is_left
from blockqnn.networks.spaces.mixture_parts import part_plan as part_plan
from blockqnn.networks.spaces.mixture_parts import part_rows as part_rows
from blockqnn.networks.spaces.sharing import Sharing

Code = tuple[Any, ...]
"""A complete episode: all of its decisions."""


MAX_LAYERS = 23
"""Most layers of a design, its end not counted, where a space has such a limit; Table 1 of the
BlockQNN paper."""


class CodeError(ValueError):
    """A code that breaks the rules of its space; the message is for the user."""


class SearchSpace(Decisions, Sharing, Mixing, abc.ABC):
    """A decision process, and what its codes mean."""

    name: str
    """As flags and stores write it."""
    title: str
    """What it designs, as a phrase after "designs"."""
    unit: str
    """What one design is called, such as `block`."""
    layouts: Mapping[str, str]
    """The kinds of layout that its designs can stand in, with their titles; the first is taken
    where none is named."""
    rules: Sequence[str] = ()
    """Names of the rules by which its designs can be stacked or built, where there is a choice."""
    layers: int = 0
    """Of each of its designs, where they have as many as `limited` says; else 0."""
    whole: bool = False
    """Whether a design is a whole network, of which a layout repeats nothing."""
    example: str
    """A code as text, for messages."""
    feature_names: Sequence[str]
    """What the numbers of `features` are, in order."""

    # Codes.

    @abc.abstractmethod
    def owns(self, code: Sequence[Sequence[int]]) -> bool:
        """Whether a code has this space's form; no two spaces own one code."""

    @abc.abstractmethod
    def recognises(self, text: str) -> bool:
        """Whether a text is meant to be a code of this space, be it right or wrong."""

    @abc.abstractmethod
    def check(self, actions: Iterable[Sequence[int]]) -> Code:
        """Checks the actions of an episode.

        Args:
            actions: all of them, perhaps as plain tuples or lists.

        Returns:
            The code.

        Raises:
            CodeError: naming the place, the field, what was given and what is allowed.
        """

    @abc.abstractmethod
    def parse(self, text: str) -> Code:
        """Reads what `write` writes; see `check` for what is refused."""

    @abc.abstractmethod
    def write(self, code: Sequence[Sequence[int]]) -> str:
        """The text form of a code."""

    @abc.abstractmethod
    def parse_prefix(self, text: str) -> Code:
        """Reads the first decisions of a code, perhaps none.

        Args:
            text: what `write_prefix` writes, or nothing.

        Returns:
            The decisions, none of which ends an episode.

        Raises:
            CodeError: if no code begins like this.
        """

    @abc.abstractmethod
    def write_prefix(self, actions: Sequence[Sequence[int]]) -> str:
        """The text form of the first decisions of a code."""

    @abc.abstractmethod
    def action_title(self, action: Action) -> str:
        """A decision in words."""

    @abc.abstractmethod
    def action_kind(self, action: Action) -> tuple[int, str]:
        """Position of a decision, from 1, and the name of its kind."""

    # What codes mean.

    @abc.abstractmethod
    def design(self, code: Code) -> Design:
        """What a code means."""

    def former_designs(self, code: Code) -> tuple[Design, ...]:
        """What earlier versions took a code for, where that was something else."""
        return ()

    @abc.abstractmethod
    def plan(self, design: Any, layout: Layout) -> Plan:
        """The plan of a design's child network.

        Layers of one design have names of at least three words, as `stage1/block2/layer3`,
        of which the first two are those of no other: so exported source code can have a
        class of the design, which the network uses.

        Args:
            design: of this space.
            layout: what to build around it.

        Returns:
            The plan.

        Raises:
            LayoutError: if the space cannot stand in such a layout.
        """

    def auxiliary_head(self, design: Any, layout: Layout) -> Plan:
        """See `registry.auxiliary_head`; LayoutError where there is no place for one."""
        raise LayoutError(
            f"The space {self.name} has no auxiliary head; --auxiliary_weight=0 trains without one."
        )

    @abc.abstractmethod
    def rewarded_plan(self, design: Any, layout: Layout) -> Plan:
        """The plan whose FLOPs equation 7 of the BlockQNN paper takes; see `plan`."""

    @abc.abstractmethod
    def alone(self, design: Any, channels: int, filters: int) -> Plan:
        """The plan of one design without anything around it.

        Args:
            design: of this space.
            channels: of the map that it reads.
            filters: channels of its convolutions.

        Returns:
            The plan, from a map to a map; its height and width are examples.

        Raises:
            LayoutError: if there is no such design.
        """

    def usual_layout(self, code: Code, layout: Layout) -> Layout | None:
        """The layout in which a code is shown where nobody names one.

        Args:
            code: of this space.
            layout: for whose images.

        Returns:
            The layout, of a published network that of its publication; None where the space has
            no layout that is more usual than others.
        """
        return None

    @abc.abstractmethod
    def promise(self, design: Any) -> Promise:
        """What the dry evaluator makes its accuracy up from."""

    # Pictures and words.

    def drawn(self, layout: Layout) -> Any:
        """What `graph` takes for the widths of a layout: the filters of its first stage."""
        return layout.filters[0]

    @abc.abstractmethod
    def graph(self, code: Code, filters: Any = None) -> Graph:
        """A code as it was written.

        Args:
            code: of this space.
            filters: of the stage, or what `drawn` gives, for the widths; None for a graph
                without widths.

        Returns:
            The graph.
        """

    @abc.abstractmethod
    def design_graph(self, design: Any, filters: Any = None) -> Graph:
        """What a code means; it has as many edges as the density says. See `graph`."""

    @abc.abstractmethod
    def places(self, code: Code) -> Mapping[int, int]:
        """For layers of the expanded graph of a code's design, their place in that of the code."""

    @abc.abstractmethod
    def layer_facts(self, code: Code, node: int) -> Any:
        """A layer of the expanded graph of a code, as JSON."""

    @abc.abstractmethod
    def facts(self, code: Code) -> dict[str, Any]:
        """A code and its design as JSON, without cost."""

    @abc.abstractmethod
    def in_words(self, code: Code) -> tuple[list[str], list[str]]:
        """A code for people: lines on its decisions, and lines on what they mean."""

    # For agents.

    @abc.abstractmethod
    def mutated(self, actions: Any, random: np.random.Generator) -> Code:
        """A complete episode that differs a little from another one, always a legal one."""

    @abc.abstractmethod
    def identity(self, actions: Any) -> Hashable:
        """What episodes share that mean the same."""

    @abc.abstractmethod
    def features(self, actions: Any) -> tuple[float, ...]:
        """Numbers that describe an episode, as many as `feature_names`."""

    @property
    @abc.abstractmethod
    def published(self) -> Mapping[str, Code]:
        """Codes that papers print, by name."""

    def require_layout(self, layout: Layout) -> None:
        """Refuses a layout that designs of this space cannot stand in, by LayoutError."""
        if layout.kind not in self.layouts:
            allowed = " or ".join(self.layouts)
            raise LayoutError(
                f"A {self.unit} of the space {self.name} cannot stand in the layout "
                f"{layout.kind}; allowed: {allowed} (--layout)."
            )

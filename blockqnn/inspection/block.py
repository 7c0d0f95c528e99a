"""A block of a run, as Python and notebooks see it."""

from __future__ import annotations

import dataclasses
import functools
import html
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from blockqnn.errors import UserError
from blockqnn.listing import in_units, number, with_accuracy
from blockqnn.measure import measure_of
from blockqnn.networks.cost import Cost, cost
from blockqnn.networks.layout import Layout
from blockqnn.networks.motifs import motifs
from blockqnn.networks.spaces.contract import Code, Design
from blockqnn.networks.spaces.registry import design_of, graph_of, write
from blockqnn.terminal import printable
from blockqnn.trial import Trial

if TYPE_CHECKING:
    from flax import nnx
    from jax.typing import DTypeLike

    from blockqnn.inspection.block_drawing import Drawing
    from blockqnn.networks.block import Block as BlockModule
    from blockqnn.networks.child import ChildNetwork


class LayoutChanges(TypedDict, total=False):
    """What of a layout may be given another value; see `blockqnn.networks.layout.Layout`."""

    kind: str
    filters: tuple[int, ...]
    repeats: int
    height: int
    width: int
    channels: int
    classes: int


@dataclasses.dataclass(frozen=True, repr=False)
class Block:
    """A block that a run has suggested.

    Attributes:
        trial: all that became of it.
        layout: of the run's child networks.
        dry: whether its accuracies were made up.
        notice: what is to be said of the run's figures; empty for nothing.
    """

    trial: Trial
    layout: Layout
    dry: bool
    notice: str = ""

    @property
    def number(self) -> int:
        """Of its trial."""
        return self.trial.number

    @property
    def code(self) -> Code:
        """The block as the agent wrote it; `write` makes it text."""
        return self.trial.code

    @property
    def reward(self) -> float | None:
        """What the agent learned from, in percent; None if it was not trained."""
        return self.trial.measured_reward

    @property
    def accuracy(self) -> float | None:
        """Validation accuracy after the last epoch in percent; None if it was not trained."""
        return self.trial.accuracy

    @functools.cached_property
    def canonical(self) -> Design:
        """What the block means; equal for all codes that mean the same."""
        return design_of(self.code)

    @functools.cached_property
    def cost(self) -> Cost:
        """Of its child network in the run's layout; see `blockqnn.networks.cost.Cost` for units."""
        return cost(self.canonical, self.layout)

    @property
    def motifs(self) -> dict[str, bool]:
        """What there is in the block, in words, in the words of `motifs`."""
        return motifs(graph_of(self.canonical))

    def draw(self, widths: bool = True, canonical: bool = False) -> Drawing:
        """Draws the block.

        Args:
            widths: whether to write the channels of each tensor beside its
                edges, those of the first stage.
            canonical: draw what the block means instead of what the agent wrote.

        Returns:
            A drawing, which a notebook displays.
        """
        # The layout library takes longer to load than all else here.
        from blockqnn.inspection.block_drawing import drawing

        block = self.canonical if canonical else self.code
        return drawing(block, self.layout if widths else None, f"Trial {self.number}")

    def compare(self, other: Block) -> Drawing:
        """Draws what this block and another one mean side by side.

        Args:
            other: the other one.

        Returns:
            A drawing in which what only this one has is red, and what only the
            other one has is green.
        """
        from blockqnn.inspection.block_drawing import comparison

        titles = (f"Trial {self.number}", f"Trial {other.number}")
        # Widths of two runs cannot be compared; where all have one size, they are the block's.
        own = self.trial.filters or other.trial.filters
        layouts = (self.layout, other.layout if own else self.layout)
        return comparison((self.canonical, other.canonical), layouts, titles)

    def module(
        self,
        channels: int | None = None,
        filters: int | None = None,
        *,
        seed: int | None = None,
        rngs: nnx.Rngs | None = None,
        dtype: DTypeLike | None = None,
        **of_a_network: Any,
    ) -> BlockModule:
        """Builds the block alone, for a network of one's own.

        Args:
            channels: of the map that it reads; None for the filters of the run's first
                stage.
            filters: channels of its convolutions; None for those of the run's first stage.
            seed: of the initial weights; None for that with which the search trained the
                block.
            rngs: source of the initial weights in place of the seed.
            dtype: of the computation; None for float32. Weights are float32.
            of_a_network: refused with a word on `network`, whose arguments these are.

        Returns:
            An `nnx.Module` from maps [B, H, W, channels] to maps [B, H, W, out_channels].

        Raises:
            UserError: if an argument is one of the whole network's.
            LayoutError: if there is no such block.
        """
        import jax.numpy as jnp
        from flax import nnx

        from blockqnn.networks.block import Block as BlockModule

        wrong = [repr(v) for v in (channels, filters) if isinstance(v, Layout | tuple | list)]
        if wrong or of_a_network:
            given = ", ".join([*wrong, *of_a_network])
            raise UserError(
                f"module() builds the block alone and takes channels and filters, numbers; given "
                f"{given}. The whole network is network(), with a layout or fields of it such as "
                "repeats=4."
            )
        first = self.layout.filters[0]
        chosen = self.trial.seed if seed is None else seed
        return BlockModule(
            self.code,
            first if channels is None else channels,
            first if filters is None else filters,
            rngs=nnx.Rngs(chosen) if rngs is None else rngs,
            dtype=jnp.float32 if dtype is None else dtype,
        )

    def network(
        self,
        layout: Layout | None = None,
        *,
        seed: int | None = None,
        dtype: DTypeLike | None = None,
        **changes: Unpack[LayoutChanges],
    ) -> ChildNetwork:
        """Builds the block into a network.

        Args:
            layout: of the network; None for that of its child in the run.
            seed: of the initial weights; None for that with which the search
                trained the block.
            dtype: of the computation; None for float32. Weights are float32.
            changes: fields of the layout to replace, such as `repeats=4`.

        Returns:
            An `nnx.Module` from images [B, H, W, C] to logits [B, classes].

        Raises:
            LayoutError: if the layout cannot be built.
        """
        import jax.numpy as jnp

        from blockqnn.networks.child import child_network

        chosen = dataclasses.replace(layout or self.layout, **changes)
        chosen_seed = self.trial.seed if seed is None else seed
        return child_network(
            self.code, chosen, chosen_seed, jnp.float32 if dtype is None else dtype
        )

    def __repr__(self) -> str:
        trial = self.trial
        lines = [f"Block of trial {trial.number} ({trial.status}): {write(trial.code)}"]
        lines.append("  " + ", ".join(f"{name} {value}" for name, value in self._figures()))
        if self.notice:
            lines.append(f"  {self.notice}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th style="text-align:left">{html.escape(name)}</th>'
            f'<td style="text-align:left">{html.escape(value)}</td></tr>'
            for name, value in [
                ("trial", f"{self.number}, {self.trial.status}"),
                *self._figures(),
                ("code", write(self.code)),
            ]
        )
        notice = f"<p><b>{html.escape(self.notice)}</b></p>" if self.notice else ""
        return (
            '<div style="display:flex;flex-wrap:wrap;gap:2em;align-items:flex-start">'
            f"<div>{self.draw().svg}</div><div>{notice}<table>{rows}</table></div></div>"
        )

    def _figures(self) -> list[tuple[str, str]]:
        trial = self.trial
        figures = [
            ("reward", number(trial.measured_reward)),
            (measure_of(trial.code).name, measure_of(trial.code).in_words(trial.accuracy)),
            ("parameters", in_units(trial.parameters)),
            ("FLOPs", in_units(trial.flops)),
            ("depth", str(trial.depth)),
            ("density", number(trial.density)),
        ]
        return figures + ([("reason", printable(trial.reason))] if trial.reason else [])


class Blocks(tuple[Block, ...]):
    """Some blocks, side by side in a notebook."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "no blocks"

    def _repr_html_(self) -> str:
        cards = [
            '<figure style="margin:0;max-width:100%;overflow-x:auto">'
            f"{block.draw().svg}<figcaption>trial {block.number}<br>reward {number(block.reward)}"
            f"{with_accuracy(block.trial).replace(', ', '<br>')}"
            f"<br>{in_units(block.trial.parameters)} parameters</figcaption></figure>"
            for block in self
        ]
        notice = next((block.notice for block in self if block.notice), "")
        return (
            (f"<p><b>{html.escape(notice)}</b></p>" if notice else "")
            + '<div style="display:flex;flex-wrap:wrap;gap:2em;align-items:flex-end">'
            + ("".join(cards) or "no blocks")
            + "</div>"
        )

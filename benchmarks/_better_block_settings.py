"""What `benchmarks.better_block` searches, what it compares with, and how it trains."""

from __future__ import annotations

import dataclasses

from blockqnn.networks.layout import CELLS, CIFAR, WHOLE, Layout
from blockqnn.networks.sizing import Match
from blockqnn.networks.spaces.registry import published, write

PICKED = {
    "residual": write(published()["residual"]),
    "inception": write(published()["inception"]),
    "block-qnn-a": write(published()["block-qnn-a"]),
    "block-qnn-b": write(published()["block-qnn-b"]),
    "block-qnn-s": write(published()["block-qnn-s"]),
    "one 3x3": "[(1,1,3,0,0),(2,7,0,0,0)]",
    "two 3x3": "[(1,1,3,0,0),(2,1,3,1,0),(3,7,0,0,0)]",
    "three 3x3": "[(1,1,3,0,0),(2,1,3,1,0),(3,1,3,2,0),(4,7,0,0,0)]",
    "3x3, max pooling": "[(1,1,3,0,0),(2,2,3,1,0),(3,7,0,0,0)]",
}
"""What a person would take without a search."""

CELLS_PICKED = {name: write(published()[name]) for name in ("nasnet-a", "darts-v2")}
"""The same among cells that read the two before them."""

BLOCKS = "nsc"
"""The space of blocks, which is searched if no other is named."""


@dataclasses.dataclass(frozen=True)
class Stacking:
    """How what is found in a space becomes a network.

    Attributes:
        kind: of the layout.
        stages: how many of the setting's filters it has; 0 for all of them.
    """

    kind: str
    stages: int = 0


SPACES = {
    BLOCKS: Stacking(CIFAR),
    "nasnet": Stacking(CELLS),
    "darts": Stacking(CELLS),
    "nas": Stacking(WHOLE, 1),
}
"""Spaces that can be searched here, by name."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is searched, and how winners are trained.

    Attributes:
        match: the size of all blocks.
        filters: of the layout, whose ratio every block keeps.
        side: height and width of the images in pixels.
        channels: of the images.
        images: that blocks are trained on in searches and finals; 0 for all.
        search: further flags of every search.
        rounds: of the finals.
        train: flags of every training, with the recipe.
        epochs: of a training.
    """

    match: Match
    filters: tuple[int, ...]
    side: int
    channels: int
    images: int
    search: tuple[str, ...]
    rounds: str
    train: tuple[str, ...]
    epochs: int

    def layout(self, space: str) -> Layout:
        """What a block, a cell or a network of a space stands in before it is brought to size."""
        stacking = SPACES[space]
        return Layout(
            kind=stacking.kind,
            filters=self.filters[: stacking.stages or None],
            repeats=1,
            height=self.side,
            width=self.side,
            channels=self.channels,
        )


SEARCH_RECIPES = {
    "adam": ("--learning_rate=0.003",),
    "momentum": ("--optimiser=momentum", "--learning_rate=0.05", "--weight_decay=0.0001"),
}
"""What teaches children in one cycle."""

MODERN = (
    *("--schedule=cosine", "--warmup_epochs=2", "--nesterov", "--nodecay_norm"),
    *("--label_smoothing=0.1", "--ema_decay=0.99"),
)
"""What `train_modern` does beyond the paper, as far as it suits so few epochs."""

SETTINGS = {
    "cifar10": Setting(
        match=Match("parameters", 75_000),
        filters=(16, 32, 64),
        side=16,
        channels=3,
        images=10_000,
        search=("--validation_examples=4000", "--epochs=3"),
        rounds="20:3,8:9,4:18",
        train=("--preset=train_cifar10_cpu", "--crop_padding=2"),
        epochs=15,
    ),
    "digits": Setting(
        match=Match("parameters", 10_000),
        filters=(16, 32),
        side=8,
        channels=1,
        images=0,
        search=("--epochs=4",),
        rounds="24:4:2,8:12:3,4:36:3",
        train=("--preset=train_digits",),
        epochs=30,
    ),
}

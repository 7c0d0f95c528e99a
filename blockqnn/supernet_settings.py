"""How weights that designs share are trained, and how designs are scored with them."""

from __future__ import annotations

import dataclasses
from typing import Any

from blockqnn.mixture_settings import MixtureSettings
from blockqnn.networks.layout import Layout

UNIFORM, FAIR, BY_AGENT = "uniform", "fair", "agent"
"""Who chooses the design that a step of training uses."""
MOMENTUM, ADAM = "momentum", "adam"
RECALIBRATED, OF_BATCH, RUNNING = "recalibrated", "batch", "running"
"""Which statistics batch norm uses when a design is scored."""
AUTO = "auto"
"""In the place of an edge: the edge, and which of its operations belong together, are found."""


@dataclasses.dataclass(frozen=True)
class SupernetSettings:
    """A supernet; the defaults are those of the supernets of NAS-Bench-201's authors.

    Attributes:
        epochs: passes over the training part.
        batch_size: images in a step; each step trains one design.
        optimiser: `momentum` or `adam`.
        learning_rate: of the first step; it falls along a cosine.
        least_rate: of the last step.
        first_period: epochs after which the cosine begins anew for the first time, each later
            period being twice as long as the one before; 0 for one cosine over all epochs.
        momentum: of the optimiser `momentum`, in the form of Nesterov.
        weight_decay: of the same, on every array of the step's design.
        gradient_norm: to which the norm of a step's gradients is cut; 0 for no bound.
        paths: who chooses the design of a step: `uniform` draws all decisions uniformly, `fair`
            brings every operation of every edge once in as many steps as there are operations,
            `agent` is the agent of the search.
        statistics: of batch norm when a design is scored: `recalibrated` are averages over the
            same training images for every design, `batch` those of each batch that is scored,
            `running` what training has left, mixed over all designs.
        recalibration_batches: of training images, for `recalibrated`.
        agent_updates: after each epoch, how often the agent learns from scores.
        agent_batch: designs that it learns from each time, each on one batch of the validation
            part.
        split: edges along which the supernet is split into one for each operation.
            `auto` alone: an edge and two groups of its operations, by their gradients.
        split_epochs: for which each of these is trained on.
        split_levels: splits one after the other, each part of one being split again, so many
            times; with 1 named edges are split together.
        split_batches: of which gradients are compared for `auto`.
        control: train the whole supernet on for as many steps as all parts have together.
        norm_scale: whether batch norms of what is designed have scale and shift in the supernet;
            networks of their own always have them.
        augmentation: of training images, as `Recipe.augmentation` has it.
        mixture: of all operations in the place of paths; None for paths. The rate then falls from
            epoch to epoch, and momentum is the plain one.
    """

    epochs: int = 250
    batch_size: int = 64
    optimiser: str = MOMENTUM
    learning_rate: float = 0.025
    least_rate: float = 0.001
    first_period: int = 0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    gradient_norm: float = 5.0
    paths: str = UNIFORM
    statistics: str = RECALIBRATED
    recalibration_batches: int = 16
    agent_updates: int = 0
    agent_batch: int = 1
    split: tuple[str, ...] = ()
    split_epochs: int = 0
    split_levels: int = 1
    split_batches: int = 100
    control: bool = False
    norm_scale: bool = True
    augmentation: str = "none"
    mixture: MixtureSettings | None = None

    @property
    def finds_split(self) -> bool:
        """Whether the edges that it is split along are found by gradients."""
        return self.split == (AUTO,)

    def __post_init__(self) -> None:
        """Makes a tuple, and settings, of what JSON has as a list and an object."""
        object.__setattr__(self, "split", tuple(self.split))
        given: Any = self.mixture
        if isinstance(given, dict):
            object.__setattr__(self, "mixture", MixtureSettings(**given))

    def layout_of(self, layout: Layout) -> Layout:
        """The layout in which the supernet has its designs.

        Args:
            layout: of networks of their own.

        Returns:
            The same, with or without scale and shift of batch norms.
        """
        return dataclasses.replace(layout, unscaled=not self.norm_scale)

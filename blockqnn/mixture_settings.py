"""How a mixture of all operations of a space is trained, and how a design follows from it."""

from __future__ import annotations

import dataclasses

FIRST, SECOND, ALTERNATING, JOINT = "first_order", "second_order", "alternating", "joint"
"""What the weights of operations follow: the gradient of the loss on their own half of the images
where the other weights are, or where those would be after a step; or, as the paper's controls, that
on all images, in turn with the other weights or at once with them."""
EXACT, DIFFERENCE, EITHER = "exact", "difference", "auto"
"""How the mixed second derivative is found: exactly, by a finite difference, or as can be."""
STRONGEST, PERTURBATION = "strongest", "perturbation"
"""How a design is derived at the end."""


@dataclasses.dataclass(frozen=True)
class MixtureSettings:
    """A mixture; the defaults are those of Liu, Simonyan and Yang's code.

    Attributes:
        bilevel: what the weights of operations, alpha, follow.
        hessian: how `second_order` finds the mixed second derivative.
        alpha_rate: learning rate of alpha, by Adam.
        alpha_beta1: Adam's decay of the first moment.
        alpha_beta2: of the second moment.
        alpha_decay: d of `d / 2 |alpha|^2`, which is added to the loss.
        alpha_deviation: standard deviation of the first alpha.
        frozen_epochs: first epochs in which alpha stays as it is.
        partial_channels: one in so many channels goes through the operations; 1 for all.
        rematerialise: compute what an edge does once more on the way back, not keep it.
        eigenvalue_every: epochs from one measurement of the largest eigenvalue of the validation
            loss's Hessian in alpha to the next; 0 for none.
        eigenvalue_steps: of the power iteration; it goes on from the last vector.
        stop_ratio: stop where the mean of the last five eigenvalues is more than so many times
            what it was four measurements before; 0 for never.
        stop_skips: stop where a normal cell has so many skip connections; 0 for never.
        stop_unchanged: stop where the derived design has not changed for so many epochs; 0 for
            never.
        selection: how a design is derived at the end.
        perturbation_epochs: for which the mixture is trained on after each decision of the
            selection by perturbation.
    """

    bilevel: str = FIRST
    hessian: str = EITHER
    alpha_rate: float = 3e-4
    alpha_beta1: float = 0.5
    alpha_beta2: float = 0.999
    alpha_decay: float = 1e-3
    alpha_deviation: float = 1e-3
    frozen_epochs: int = 0
    partial_channels: int = 1
    rematerialise: bool = False
    eigenvalue_every: int = 1
    eigenvalue_steps: int = 4
    stop_ratio: float = 0.0
    stop_skips: int = 0
    stop_unchanged: int = 0
    selection: str = STRONGEST
    perturbation_epochs: int = 5

    @property
    def on_all_images(self) -> bool:
        """Whether both kinds of weights follow the loss on the same images."""
        return self.bilevel in (ALTERNATING, JOINT)

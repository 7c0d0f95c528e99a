"""How batch norm is trained. Nothing here imports JAX."""

from __future__ import annotations

import dataclasses

BATCH_NORM_MOMENTUM = 0.9
"""Share of the old running statistics that a training step keeps."""
BATCH_NORM_EPSILON = 1e-5


@dataclasses.dataclass(frozen=True)
class NormSettings:
    """How batch norm is trained, where that is not as usual.

    What is trained with another epsilon is used like all other networks: the variance that is
    normalised by, and whose running average is kept, has the difference of the two epsilons
    added to it, so that `variance + BATCH_NORM_EPSILON` is what it should be.

    Attributes:
        momentum: share of the old running statistics that a training step keeps.
        epsilon: that is added to variances.
    """

    momentum: float = BATCH_NORM_MOMENTUM
    epsilon: float = BATCH_NORM_EPSILON

    @property
    def more(self) -> float:
        """What is added to variances besides the usual epsilon; may be negative."""
        return self.epsilon - BATCH_NORM_EPSILON


USUAL_NORMS = NormSettings()

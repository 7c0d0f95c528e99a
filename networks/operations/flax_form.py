"""How operations are named for Flax; nothing here imports it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from blockqnn.networks.operations.steps import loaded


@dataclasses.dataclass(frozen=True)
class FlaxForm:
    """How the Flax module of a child holds and computes an operation.

    Attributes:
        attribute: of the layer's module, under which its weights are named.
        module: class of that attribute, as `package.module:name`; made of the
            placed layer, the compute dtype and `nnx.Rngs`, and called with the
            inputs. It has the operation's arrays as attributes of their names.
    """

    attribute: str
    module: str

    @property
    def load(self) -> Callable:
        """The class itself; imports Flax."""
        return loaded(self.module)

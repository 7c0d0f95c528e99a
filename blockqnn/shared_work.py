"""What workers do with weights that designs share, besides scoring designs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from blockqnn.networks.spaces.contract import Code


@dataclasses.dataclass(frozen=True)
class BankEpoch:
    """An epoch of training weights that designs share.

    Attributes:
        start: name of the bank that it goes on from; empty for a new one.
        renewed: whether the optimiser begins anew.
        end: name of the bank that it writes.
        epoch: which one, from 0, of the schedule of learning rates.
        epochs: of that schedule.
        paths: the design of each step.
    """

    start: str
    renewed: bool
    end: str
    epoch: int
    epochs: int
    paths: tuple[Code, ...]


@dataclasses.dataclass(frozen=True)
class GradientMatch:
    """A comparison of the gradients that the operations of each edge give to shared weights.

    Attributes:
        end: name of the file beside the banks that it writes.
        edges: with the operations that are compared.
        designs: one for each batch, whose operations are exchanged one by one.
    """

    end: str
    edges: Mapping[str, tuple[str, ...]]
    designs: tuple[Code, ...]


@dataclasses.dataclass(frozen=True)
class MixtureEpoch:
    """An epoch of training a mixture of all operations, or a look at it without training.

    Attributes:
        start: name of the bank that it goes on from; empty for a new one.
        end: name of the bank that it writes; empty where nothing is trained.
        epoch: which one, from 0, of the schedule of learning rates.
        epochs: of that schedule; later epochs have its last rate.
        fixed: by the names of rows what is decided already: the operation of an edge, or of a row
            that stands for a node the edges that are left, with commas between them.
        probed: name of the row each of whose choices is left out once, to see what that costs; of
            a node, each of whose edges is.
        measures: whether the largest eigenvalue is measured.
        settled: whether alpha stays as it is.
        left: to a part of a mixture that was split, by the name of a row the operations of its
            edge; all of them on other edges.
        renewed: whether it goes on from a bank of its parent, with optimisers that begin anew.
        before: epochs that its parents were trained for; images are drawn as in epochs after them.
        matched: name of the file beside the banks that gets distances of gradients, for each edge
            in `compared`, over as many batches as `batches` says; empty where they are not wanted.
        compared: by the name of a row the operations that are compared.
        batches: see `matched`.
    """

    start: str
    end: str
    epoch: int
    epochs: int
    fixed: dict[str, str] = dataclasses.field(default_factory=dict)
    probed: str = ""
    measures: bool = False
    settled: bool = False
    left: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    renewed: bool = False
    before: int = 0
    matched: str = ""
    compared: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    batches: int = 0

    def __post_init__(self) -> None:
        """Makes tuples of what JSON has as lists."""
        for name in ("left", "compared"):
            own = {row: tuple(each) for row, each in getattr(self, name).items()}
            object.__setattr__(self, name, own)

"""The families of whole networks: what is decided for each layer, a row of a table.

- NAS: Zoph and Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017
  (arXiv 1611.01578), section 3.1 and appendix; with strides or without.
- ENAS: Pham et al., "Efficient Neural Architecture Search via Parameter Sharing", ICML 2018
  (arXiv 1802.03268), section 2.3, as its authors' code has it.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from types import MappingProxyType

from blockqnn.networks import graph as graphs


@dataclasses.dataclass(frozen=True)
class Question:
    """What is decided once for each layer.

    Attributes:
        name: in words.
        answers: as codes are written, by number.
    """

    name: str
    answers: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Family:
    """A search space of whole networks.

    Layer n, from 1, has an answer to each question, and then n - 1 bits, yes or no: which earlier
    maps it reads.

    Attributes:
        name: of the space.
        title: what it designs, as a phrase.
        number: tells its codes from those of other families.
        questions: of a layer, in order.
        bit: what a bit decides, in words, with the number of the map in it.
        first_map: number of the map that the first bit is about.
        usual_layers: of a network, unless another number is asked for.
    """

    name: str
    title: str
    number: int
    questions: tuple[Question, ...]
    bit: str
    first_map: int
    usual_layers: int

    @property
    def most_answers(self) -> int:
        """Of any decision, bits included."""
        return max(2, *(len(question.answers) for question in self.questions))

    def length(self, layers: int) -> int:
        """Decisions of a code of so many layers."""
        return len(self.questions) * layers + layers * (layers - 1) // 2


SIDES = ("1", "3", "5", "7")
STRIDES = ("1", "2", "3")
FILTERS = ("24", "36", "48", "64")
NARROWEST = int(FILTERS[0])
"""Filters of which all others are multiples."""

MOST_LAYERS = 100
"""Of a code that is read: more than any paper has."""

_HEIGHT, _WIDTH = Question("height", SIDES), Question("width", SIDES)
_STRIDES = Question("stride height", STRIDES), Question("stride width", STRIDES)
_FILTERS = Question("filters", FILTERS)
_READS = "reads layer {}"

NAS = Family(
    "nas",
    "networks of NAS",
    1,
    (_HEIGHT, _WIDTH, _FILTERS),
    _READS,
    first_map=1,
    usual_layers=20,
)
NAS_STRIDES = dataclasses.replace(
    NAS,
    name="nas_strides",
    title="networks of NAS with strides",
    number=2,
    questions=(_HEIGHT, _WIDTH, *_STRIDES, _FILTERS),
)


class Kind(enum.Enum):
    """What an operation of ENAS's layers is made of."""

    CONVOLUTION = graphs.CONVOLUTION
    SEPARABLE = "separable convolution"
    AVERAGE_POOLING = graphs.AVERAGE_POOLING
    MAX_POOLING = graphs.MAX_POOLING


@dataclasses.dataclass(frozen=True)
class LayerOperation:
    """What a layer of ENAS's networks may do.

    Attributes:
        name: a short text without blanks, such as `sep5`.
        kind: what it is made of.
        kernel: side of its window in pixels.
    """

    name: str
    kind: Kind
    kernel: int

    @property
    def label(self) -> str:
        """A short text for people, such as `sep 5x5`."""
        return f"{self.name[:-1]} {self.kernel}x{self.kernel}"


OPERATIONS = (
    LayerOperation("conv3", Kind.CONVOLUTION, 3),
    LayerOperation("sep3", Kind.SEPARABLE, 3),
    LayerOperation("conv5", Kind.CONVOLUTION, 5),
    LayerOperation("sep5", Kind.SEPARABLE, 5),
    LayerOperation("avg3", Kind.AVERAGE_POOLING, 3),
    LayerOperation("max3", Kind.MAX_POOLING, 3),
)
"""By the numbers that ENAS's codes have."""

ENAS_MACRO = Family(
    "enas_macro",
    "networks of ENAS",
    3,
    (Question("operation", tuple(operation.name for operation in OPERATIONS)),),
    "adds map {}",
    first_map=0,
    usual_layers=12,
)

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {family.name: family for family in (NAS, NAS_STRIDES, ENAS_MACRO)}
)
"""Name to family."""

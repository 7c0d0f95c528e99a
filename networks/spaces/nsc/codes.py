"""Network Structure Codes: reading, checking and writing blocks.

A block is a tuple of layers, each the five integers of Table 1 of Zhong et
al., "Practical Block-wise Neural Network Architecture Generation", CVPR 2018:
`(index, type, kernel, pred1, pred2)`. The last layer is always Terminal.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from blockqnn.networks.spaces.action_list import Field
from blockqnn.networks.spaces.contract import MAX_LAYERS, CodeError


class LayerType(enum.IntEnum):
    """The second number of a layer, as in Table 1 of the paper."""

    CONVOLUTION = 1
    MAX_POOLING = 2
    AVERAGE_POOLING = 3
    IDENTITY = 4
    ADD = 5
    CONCAT = 6
    TERMINAL = 7

    @property
    def title(self) -> str:
        """The name in words, for messages and listings."""
        return self.name.capitalize().replace("_", " ")

    @property
    def kernels(self) -> tuple[int, ...]:
        """The kernel sizes that the type may have; 0 stands for none."""
        return _KERNELS[self]

    @property
    def arity(self) -> int:
        """The number of predecessors of a layer of this type."""
        return _ARITY[self]


_KERNELS = {
    LayerType.CONVOLUTION: (1, 3, 5),
    LayerType.MAX_POOLING: (1, 3),
    LayerType.AVERAGE_POOLING: (1, 3),
    LayerType.IDENTITY: (0,),
    LayerType.ADD: (0,),
    LayerType.CONCAT: (0,),
    LayerType.TERMINAL: (0,),
}
_ARITY = dict.fromkeys(LayerType, 1) | {
    LayerType.ADD: 2,
    LayerType.CONCAT: 2,
    LayerType.TERMINAL: 0,
}


class LayerCode(NamedTuple):
    """One layer of a block.

    Attributes:
        index: position in the block, from 1.
        type: what the layer computes, a `LayerType`.
        kernel: side of a convolution or pooling window in pixels, else 0.
        pred1: index of the first predecessor; 0 is the block's input.
        pred2: index of the second predecessor of Add and Concat, else 0.
    """

    index: int  # type: ignore[assignment]  # the paper's word, and tuple's method
    type: int
    kernel: int
    pred1: int
    pred2: int

    @property
    def predecessors(self) -> tuple[int, ...]:
        """The indices that the layer reads, 0 being the block's input."""
        return (self.pred1, self.pred2)[: LayerType(self.type).arity]


Code = tuple[LayerCode, ...]
"""A block: its layers in order of index, Terminal last."""


def terminal(index: int) -> LayerCode:
    """The Terminal layer at position `index`."""
    return LayerCode(index, LayerType.TERMINAL, 0, 0, 0)


def parse(text: str, max_layers: int = MAX_LAYERS) -> Code:
    """Reads a block from text.

    Args:
        text: the paper's form `[(1,4,0,0,0),...]` or a JSON list of lists.
        max_layers: largest number of layers, Terminal not counted.

    Returns:
        The checked block, Terminal last, predecessors in ascending order.

    Raises:
        CodeError: if the text is no block; the message says what is wrong.
    """
    return check(_rows(_inside(text)), max_layers)


def check(rows: Iterable[Sequence[int]], max_layers: int = MAX_LAYERS) -> Code:
    """Checks a block given as rows of five integers.

    Args:
        rows: the layers in order of index; a last Terminal is optional.
        max_layers: largest number of layers, Terminal not counted.

    Returns:
        The block, Terminal last, predecessors in ascending order.

    Raises:
        CodeError: naming the layer, the field, what was given and what is allowed.
    """
    layers: list[LayerCode] = []
    terminated = False
    for position, row in enumerate(rows, start=1):
        if terminated:
            raise CodeError(
                f"Layer {position}: nothing may follow Terminal, which is layer {position - 1}."
            )
        if position > max_layers + 1:
            raise _too_long(max_layers)
        layer = _check_layer(position, row)
        terminated = layer.type == LayerType.TERMINAL
        if position > max_layers and not terminated:
            raise _too_long(max_layers)
        layers.append(layer)
    if len(layers) == terminated:
        raise CodeError("A block needs at least one layer before Terminal; none was given.")
    if not terminated:
        layers.append(terminal(len(layers) + 1))
    return tuple(layers)


def parse_prefix(text: str, max_layers: int = MAX_LAYERS) -> Code:
    """Reads the beginning of a block: layers without a Terminal, perhaps none.

    Args:
        text: a form that `parse` reads, or nothing for the empty beginning.
        max_layers: largest number of layers.

    Returns:
        The checked layers, predecessors in ascending order.

    Raises:
        CodeError: if no block begins like this; the message says what is wrong.
    """
    if text.strip() in ("", "[]"):
        return ()
    rows = _rows(_inside(text))
    if rows and len(rows[-1]) == len(_FIELDS) and rows[-1][1] == LayerType.TERMINAL:
        before = write(LayerCode(*row) for row in rows[:-1] if len(row) == len(_FIELDS))
        raise CodeError(
            f"Layer {len(rows)}: a prefix has no Terminal, which ends a block; allowed: "
            f"{_shorten(before)}, what stands before it."
        )
    return check(rows, max_layers)[:-1]


def write(code: Iterable[LayerCode]) -> str:
    """The paper's text form of a block, without spaces."""
    return "[" + ",".join("({},{},{},{},{})".format(*layer) for layer in code) + "]"


def as_lists(code: Iterable[LayerCode]) -> list[list[int]]:
    """A block as a list of lists, which JSON can hold and `check` reads."""
    return [[int(field) for field in layer] for layer in code]


def describe(layer: LayerCode) -> str:
    """A layer in words, such as "Convolution 3x3 of layer 2"."""
    kind = LayerType(layer.type)
    size = f" {layer.kernel}x{layer.kernel}" if layer.kernel else ""
    sources = ["the input" if p == 0 else f"layer {p}" for p in layer.predecessors]
    return f"{kind.title}{size}" + (f" of {' and '.join(sources)}" if sources else "")


def fields_of(layer: LayerCode) -> tuple[Field, ...]:
    """What a layer says: its type, the kernel of that type, and pointers to what it reads."""
    kernel = f"kernel of {LayerType(layer.type).title}"
    kernels = (Field(kernel, layer.kernel),) if layer.kernel else ()
    read = (Field("predecessor", source, source) for source in layer.predecessors)
    return (Field("type", layer.type), *kernels, *read)


_ROW = re.compile(r"\s*(?:\(([^()\[\]]*)\)|\[([^()\[\]]*)\])\s*(,|$)")
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,9}\s*", re.ASCII)
_FIELDS = LayerCode._fields


def _inside(text: str) -> str:
    """What stands between the outer brackets."""
    body = text.strip()
    if not (body.startswith("[") and body.endswith("]") and len(body) >= 2):
        raise CodeError(
            f"A code starts with '[' and ends with ']', like [(1,1,3,0,0),(2,7,0,0,0)]; "
            f"given: {_shorten(text)}."
        )
    return body[1:-1].strip()


def _rows(body: str) -> list[list[int]]:
    """Splits the inside of the outer brackets into rows of integers."""
    rows: list[list[int]] = []
    position, comma = 0, "," if body else ""
    while comma:
        match = _ROW.match(body, position)
        if match is None:
            raise CodeError(
                f"Layer {len(rows) + 1}: expected (index,type,kernel,pred1,pred2), "
                f"given: {_shorten(body[position:])}."
            )
        inside = match[1] if match[1] is not None else match[2]
        cells = inside.split(",")
        for cell in cells:
            if _INTEGER.fullmatch(cell) is None:
                raise CodeError(
                    f"Layer {len(rows) + 1}: the fields are five integers of at most nine digits, "
                    f"given: {_shorten(inside)}."
                )
        rows.append([int(cell) for cell in cells])
        position, comma = match.end(), match[3]
    return rows


def _check_layer(position: int, row: Sequence[int]) -> LayerCode:
    """Checks one layer on its own; its position tells what it may refer to."""
    if isinstance(row, (str, bytes)) or not isinstance(row, Sequence) or len(row) != len(_FIELDS):
        raise CodeError(
            f"Layer {position}: a layer has five fields (index,type,kernel,pred1,pred2), "
            f"given: {_shorten(str(row))}."
        )
    for name, value in zip(_FIELDS, row, strict=True):
        if not isinstance(value, int) or isinstance(value, bool):
            raise CodeError(f"Layer {position}: {name} must be an integer, given {value!r}.")
    layer = LayerCode(*(int(value) for value in row))
    if layer.index != position:
        raise _refusal(position, "index", layer.index, f"{position}, since indices count up from 1")
    if layer.type not in list(LayerType):
        names = ", ".join(f"{kind.value} ({kind.title})" for kind in LayerType)
        raise _refusal(position, "type", layer.type, names)
    kind = LayerType(layer.type)
    if layer.kernel not in kind.kernels:
        allowed = " or ".join(map(str, kind.kernels))
        raise _refusal(position, f"kernel of {kind.title}", layer.kernel, allowed)
    highest = position - 1 if kind.arity else 0
    for name, value in (("pred1", layer.pred1), ("pred2", layer.pred2)):
        wanted = kind.arity == 2 or (kind.arity == 1 and name == "pred1")
        top = highest if wanted else 0
        if not 0 <= value <= top:
            allowed = f"0 to {top}" if top else "0"
            meaning = ", where 0 is the block's input" if wanted else ""
            raise _refusal(position, f"{name} of {kind.title}", value, allowed + meaning)
    if kind.arity == 2 and layer.pred1 == layer.pred2:
        raise _refusal(
            position,
            f"pred2 of {kind.title}",
            layer.pred2,
            f"any of 0 to {highest} other than pred1, {layer.pred1}"
            if highest
            else "a second layer, and there is none yet",
        )
    if kind.arity == 2:
        layer = layer._replace(
            pred1=min(layer.pred1, layer.pred2), pred2=max(layer.pred1, layer.pred2)
        )
    return layer


def _refusal(position: int, field: str, given: int, allowed: str) -> CodeError:
    return CodeError(f"Layer {position}: {field} is {given}; allowed: {allowed}.")


def _too_long(max_layers: int) -> CodeError:
    return CodeError(
        f"Layer {max_layers + 1}: the block has more than {max_layers} layers before Terminal; "
        f"allowed: 1 to {max_layers} (--max_layers)."
    )


def _shorten(text: str, length: int = 60) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= length else text[: length - 3] + "...")

"""Hypothesis strategies for blocks, and rewritings of a block that keep what it means."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from blockqnn.networks.spaces.nsc.codes import Code, LayerCode, LayerType, check

LAYERS = tuple(kind for kind in LayerType if kind is not LayerType.TERMINAL)
NO_OPERATIONS = (
    (LayerType.IDENTITY, 0),
    (LayerType.MAX_POOLING, 1),
    (LayerType.AVERAGE_POOLING, 1),
)
UNBOUNDED = 10_000


@st.composite
def blocks(
    draw: st.DrawFn,
    min_layers: int = 1,
    max_layers: int = 8,
    types: Sequence[LayerType] = LAYERS,
    kernels: Sequence[int] = (0, 1, 3, 5),
) -> Code:
    """Legal blocks of the given types and kernels, and among them many with twins."""
    rows: list[tuple[int, ...]] = []
    for index in range(1, draw(st.integers(min_layers, max_layers)) + 1):
        if rows and draw(st.integers(0, 4)) == 0:
            rows.append((index, *draw(st.sampled_from(rows))[1:]))
            continue
        kind = draw(st.sampled_from([kind for kind in types if kind.arity < 2 or index > 1]))
        kernel = draw(st.sampled_from([kernel for kernel in kind.kernels if kernel in kernels]))
        pred1 = draw(st.integers(0, index - 1))
        pred2 = 0
        if kind.arity == 2:
            pred2 = draw(st.integers(0, index - 1).filter(lambda source, p=pred1: source != p))
        rows.append((index, kind, kernel, pred1, pred2))
    return check(rows, UNBOUNDED)


@st.composite
def rewritings(draw: st.DrawFn, code: Code, insertions: int = 3) -> Code:
    """Blocks that mean the same: other numbers, and more layers that compute nothing."""
    for _ in range(draw(st.integers(0, insertions))):
        code = with_no_operation(draw, code)
    return renumbered(draw, code)


def renumbered(draw: st.DrawFn, code: Code) -> Code:
    """The same layers in a random legal order."""
    waiting = {layer.index: layer for layer in code[:-1]}
    place = {0: 0}
    rows = []
    while waiting:
        ready = [i for i, layer in waiting.items() if all(p in place for p in layer.predecessors)]
        layer = waiting.pop(draw(st.sampled_from(ready)))
        place[layer.index] = len(place)
        rows.append(moved(layer, place))
    return check(rows, UNBOUNDED)


def with_no_operation(draw: st.DrawFn, code: Code) -> Code:
    """The same block with a layer that computes nothing on one link, or after one leaf."""
    layers = code[:-1]
    used = {source for layer in layers for source in layer.predecessors}
    links = [(layer.index, layer.pred1, "pred1") for layer in layers]
    links += [
        (layer.index, layer.pred2, "pred2") for layer in layers if len(layer.predecessors) > 1
    ]
    links += [(len(code), layer.index, "") for layer in layers if layer.index not in used]
    reader, source, field = draw(st.sampled_from(links))
    kind, kernel = draw(st.sampled_from(NO_OPERATIONS))
    place = {index: index + (index >= reader) for index in range(len(code))}
    rows = [moved(layer, place) for layer in layers]
    if field:
        rows[reader - 1] = rows[reader - 1]._replace(**{field: reader})
    rows.insert(reader - 1, LayerCode(reader, kind, kernel, source, 0))
    return check(rows, UNBOUNDED)


@st.composite
def near_misses(draw: st.DrawFn, code: Code) -> Code:
    """Blocks in which one field of one layer is another, most of which mean something else."""
    layer = draw(st.sampled_from(code[:-1]))
    kind = LayerType(layer.type)
    changes: list[dict[str, int]] = [{"kernel": kernel} for kernel in kind.kernels]
    for field in ("pred1", "pred2")[: kind.arity]:
        others = {p for p in layer.predecessors if p != getattr(layer, field)}
        changes += [{field: source} for source in range(layer.index) if source not in others]
    if kind.arity == 2:
        changes += [{"type": LayerType.ADD}, {"type": LayerType.CONCAT}]
    changes = [change for change in changes if layer._replace(**change) != layer] or [{}]
    rows = list(code)
    rows[layer.index - 1] = layer._replace(**draw(st.sampled_from(changes)))
    return check(rows, UNBOUNDED)


def moved(layer: LayerCode, place: dict[int, int]) -> LayerCode:
    """A layer whose index and predecessors have new places."""
    return layer._replace(
        index=place[layer.index],
        pred1=place[layer.pred1],
        pred2=place[layer.pred2] if len(layer.predecessors) > 1 else 0,
    )

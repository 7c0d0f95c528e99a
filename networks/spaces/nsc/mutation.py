"""Small changes of a block that always leave a legal block.

Codes are sequences, so a layer that is put in or taken out moves the numbers
of all that follow; here the predecessors are rewritten with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from blockqnn.networks.spaces.nsc.codes import Code, LayerCode, LayerType, check

_TYPES = tuple(kind for kind in LayerType if kind is not LayerType.TERMINAL)


def mutated_block(code: Code, random: np.random.Generator, max_layers: int) -> Code:
    """Changes one thing about a block.

    One of four changes, each as likely as another where it is possible: a
    layer gets another type or kernel, a layer reads something else, a new layer
    is put in, a layer is taken out. What read a layer that is taken out reads
    its first predecessor. A layer that is put in is drawn type first.

    Args:
        code: the block.
        random: source of randomness.
        max_layers: most layers of the result, Terminal not counted.

    Returns:
        A legal block other than `code`.
    """
    layers = list(code[:-1])
    changes: list[Callable[[list[LayerCode], np.random.Generator], list[LayerCode]]] = [_altered]
    if len(layers) > 1:
        changes += [_rewired, _shortened]
    if len(layers) < max_layers:
        changes.append(_lengthened)
    while True:
        change = changes[int(random.integers(len(changes)))]
        changed = check(change(layers, random), max_layers)
        # Rewiring the layers of some blocks can only give the same again.
        if changed != code:
            return changed


def _altered(layers: list[LayerCode], random: np.random.Generator) -> list[LayerCode]:
    """Another type or kernel for one layer; its predecessors stay as far as they can."""
    place = int(random.integers(len(layers)))
    old = layers[place]
    options = [
        (kind, kernel)
        for kind in _TYPES
        for kernel in kind.kernels
        if (kind, kernel) != (old.type, old.kernel) and (kind.arity < 2 or place > 0)
    ]
    kind, kernel = options[int(random.integers(len(options)))]
    first, second = old.pred1, 0
    if kind.arity == 2:
        second = old.pred2 if LayerType(old.type).arity == 2 else _other(random, place + 1, first)
    return [
        *layers[:place],
        LayerCode(place + 1, kind, kernel, first, second),
        *layers[place + 1 :],
    ]


def _rewired(layers: list[LayerCode], random: np.random.Generator) -> list[LayerCode]:
    """Another predecessor for one layer after the first."""
    place = int(random.integers(1, len(layers)))
    layer = layers[place]
    if LayerType(layer.type).arity == 1:
        new = layer._replace(pred1=_other(random, place + 1, layer.pred1))
    else:
        kept = layer.predecessors[int(random.integers(2))]
        new = layer._replace(pred1=kept, pred2=_other(random, place + 1, kept))
    return [*layers[:place], new, *layers[place + 1 :]]


def _lengthened(layers: list[LayerCode], random: np.random.Generator) -> list[LayerCode]:
    """A new layer somewhere; half the time a layer that read its source now reads it."""
    place = int(random.integers(len(layers) + 1))
    index = place + 1
    kinds = [kind for kind in _TYPES if kind.arity < 2 or index > 1]
    kind = kinds[int(random.integers(len(kinds)))]
    kernel = kind.kernels[int(random.integers(len(kind.kernels)))]
    source = int(random.integers(index))
    other = _other(random, index, source) if kind.arity == 2 else 0
    later = [_moved(layer, lambda p: p + (p >= index)) for layer in layers[place:]]
    readers = [i for i, layer in enumerate(later) if source in layer.predecessors]
    if readers and random.random() < 0.5:
        i = readers[int(random.integers(len(readers)))]
        later[i] = later[i]._replace(**{"pred1" if later[i].pred1 == source else "pred2": index})
    return [*layers[:place], LayerCode(index, kind, kernel, source, other), *later]


def _shortened(layers: list[LayerCode], random: np.random.Generator) -> list[LayerCode]:
    """One layer less."""
    place = int(random.integers(len(layers)))
    gone = layers[place]

    def target(source: int) -> int:
        source = gone.pred1 if source == gone.index else source
        return source - (source > gone.index)

    later = []
    for layer in layers[place + 1 :]:
        moved = _moved(layer, target)
        if LayerType(moved.type).arity == 2 and moved.pred1 == moved.pred2:
            # It would read one layer twice. Where there is another one, it reads that.
            if moved.index == 1:
                moved = LayerCode(1, LayerType.IDENTITY, 0, 0, 0)
            else:
                moved = moved._replace(pred2=_other(random, moved.index, moved.pred1))
        later.append(moved)
    return [*layers[:place], *later]


def _moved(layer: LayerCode, target: Callable[[int], int]) -> LayerCode:
    """A layer with other predecessors, and the index that it then gets."""
    sources: Sequence[int] = [target(p) for p in layer.predecessors]
    # Both uses move what lies behind the change by one place.
    index = target(layer.index)
    return LayerCode(index, layer.type, layer.kernel, *(*sources, 0, 0)[:2])


def _other(random: np.random.Generator, count: int, taken: int) -> int:
    """One of `0 ... count - 1` other than `taken`, or `taken` where there is no other."""
    if count < 2:
        return taken
    drawn = int(random.integers(count - 1))
    return drawn + (drawn >= taken)

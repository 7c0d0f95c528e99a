"""Auxiliary heads: published sizes, where they stand, what they compute."""

import jax
import numpy as np
import pytest

from blockqnn.children.whole_program import forward
from blockqnn.networks.cost import auxiliary_parameters, cost
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan_counts import parameters
from blockqnn.networks.spaces.registry import (
    auxiliary_head,
    design_of,
    design_plan,
    parse,
    published,
)
from tests.networks.spaces.pairs.test_published_networks import AMOEBANET_OF_DARTS

EPSILON = 1e-5


def layout(filters, cells, rules="", classes=10, size=None, side=32):
    kind = "cells" if size is None else "cells_imagenet"
    side = size or side
    return Layout("cifar", (filters,), 1, side, side, 3, classes, cells, rules).of_kind(kind)


def design(name):
    return design_of(published()[name] if name in published() else parse(name))


@pytest.mark.parametrize(
    ("name", "setting", "wanted"),
    [
        ("nasnet-a", {"filters": 32, "cells": 20}, 1_631_498),
        ("darts-v1", {"filters": 36, "cells": 20}, 476_426),
        ("darts-v2", {"filters": 36, "cells": 20}, 476_426),
        ("nasnet-a-paper", {"filters": 36, "cells": 20, "rules": "darts"}, 457_994),
        ("pnasnet-5", {"filters": 36, "cells": 20, "rules": "darts"}, 494_858),
        (AMOEBANET_OF_DARTS, {"filters": 36, "cells": 20, "rules": "darts"}, 457_994),
        ("enas-micro", {"filters": 36, "cells": 17}, 494_848),
        # 528 x 128, 4 x 4 x 128 x 768, 768 x 1000, batch norms and biases.
        ("nasnet-a", {"filters": 44, "cells": 14, "classes": 1000, "size": 224}, 2_411_240),
        # 768 x 128, 2 x 2 x 128 x 768, 768 x 1000, one batch norm and biases.
        ("darts-v2", {"filters": 48, "cells": 14, "classes": 1000, "size": 224}, 1_260_776),
    ],
)
def test_the_parameters_of_a_head_are_the_published_ones(name, setting, wanted):
    where = layout(**setting)
    assert parameters(auxiliary_head(design(name), where)) == wanted
    assert auxiliary_parameters(design(name), where) == wanted


def test_the_network_is_counted_without_its_head():
    for name, filters, wanted in (("nasnet-a", 32, 3_346_538), ("darts-v2", 36, 3_349_342)):
        assert cost(design(name), layout(filters, 20)).parameters == wanted


def read(name, where):
    """The cell that a head reads, and its shapes."""
    plan, head = (of(design(name), where) for of in (design_plan, auxiliary_head))
    (source,) = head[0].inputs
    own = [layer.inputs for layer in head[1:]]
    assert own == [(len(plan) + i,) for i in range(len(own))]
    words = [layer.name.split("/") for layer in head]
    assert all(word[0] == "auxiliary" for word in words)
    assert len({word[1] for word in words}) == len(words)
    assert not any(layer.name.startswith("auxiliary") for layer in plan)
    return "/".join(plan[source].name.split("/")[:2]), [layer.shape for layer in head]


def test_where_the_heads_stand():
    place, shapes = read("nasnet-a", layout(32, 20))
    # The last of the cells before the second reduction, which is cell 13 of 0 to 19.
    assert place == "stage2/cell7"
    assert list(dict.fromkeys(shapes)) == [
        (16, 16, 384), (4, 4, 384), (4, 4, 128), (1, 1, 768), (768,), (10,)
    ]  # fmt: skip
    place, shapes = read("darts-v2", layout(36, 20))
    assert place == "stage3/cell1"
    assert list(dict.fromkeys(shapes)) == [
        (8, 8, 576), (2, 2, 576), (2, 2, 128), (1, 1, 768), (768,), (10,)
    ]  # fmt: skip
    place, shapes = read("enas-micro", layout(36, 20))
    assert place == "stage3/cell2"
    assert list(dict.fromkeys(shapes)) == [
        (8, 8, 720), (2, 2, 720), (2, 2, 128), (2, 2, 768), (768,), (10,)
    ]  # fmt: skip
    # Of large images: 7x7 pixels, pooled with a stride of 2, and 42 of 331.
    place, shapes = read("darts-v2", layout(48, 14, size=224))
    assert (place, shapes[:2]) == ("stage3/cell1", [(7, 7, 768), (2, 2, 768)])
    place, shapes = read("nasnet-a", layout(168, 20, rules="nasnet_large", size=331))
    assert (place, shapes[:2]) == ("stage2/cell7", [(21, 21, 2016), (6, 6, 2016)])


@pytest.mark.parametrize(
    ("name", "where", "words"),
    [
        ("darts-v2", layout(4, 6, side=16), "window of 5x5 pixels, and the maps .* are 4x4"),
        ("nasnet-a", Layout("cells", (4, 8), 2), "at the second reduction, and this network has 1"),
        ("enas-micro", layout(4, 3), "the cell after the second reduction, and there is none"),
        ("residual", Layout(), "The space nsc has no auxiliary head"),
        ("nsc in cells", Layout("cifar"), "cannot stand in the layout cifar"),
    ],
)
def test_a_network_without_a_place_for_a_head_says_why(name, where, words):
    name = "darts-v2" if name == "nsc in cells" else name
    with pytest.raises(LayoutError, match=words):
        auxiliary_head(design(name), where)
    assert auxiliary_parameters(design(name), where) == 0


SMALL = (
    "nasnet normal 2 conv1(1)+avg3(0) 3 id(0)+id(0) 4 id(0)+id(0) 5 id(0)+id(0) 6 id(0)+id(0) "
    "out 2 "
    "reduction 2 max3(1)+conv1(0) 3 id(0)+id(0) 4 id(0)+id(0) 5 id(0)+id(0) 6 id(0)+id(0) out 2"
)


def relu(x):
    return np.maximum(x, 0)


def norm(x, of):
    scaled = (x - of["mean"]) / np.sqrt(of["variance"] + EPSILON)
    return scaled * of["scale"] + of["bias"]


def by_hand(x, of, rules):
    """A head in NumPy, from the map that it reads to its logits."""
    x, stride = relu(x), 3
    rows, columns = (range(0, length - 4, stride) for length in x.shape[1:3])
    pooled = np.stack(
        [np.stack([x[:, i : i + 5, j : j + 5].mean((1, 2)) for j in columns], 1) for i in rows], 1
    )
    y = relu(norm(pooled @ of["narrow"]["kernel"][0, 0], of["narrow_norm"]))
    kernel = of["wide"]["kernel"]
    height, width = y.shape[1:3]
    if rules == "enas":
        # A window as large as the map at each pixel; of an even one the centre is early.
        top, left = (height - 1) // 2, (width - 1) // 2
        padded = np.pad(y, ((0, 0), (top, height), (left, width), (0, 0)))
        places = [(i, j) for i in range(height) for j in range(width)]
    else:
        padded, places = y, [(0, 0)]
    seen = [padded[:, i : i + height, j : j + width] for i, j in places]
    wide = np.stack([np.einsum("bhwi,hwio->bo", window, kernel) for window in seen], 1)
    z = relu(norm(wide, of["wide_norm"])).mean(1)
    return z @ of["linear"]["kernel"] + of["linear"].get("bias", 0)


@pytest.mark.parametrize(("rules", "side"), [("nasnet", 16), ("darts", 32), ("enas", 32)])
def test_a_head_computes_what_numpy_does(rules, side):
    where = Layout("cells", (2, 4, 8), 2, side, side + 12, 1, 3, 4, rules)
    plan, head = (of(design(SMALL), where) for of in (design_plan, auxiliary_head))
    whole, random = (*plan, *head), np.random.default_rng(0)
    weights, running = initial_parameters(whole, 1), initial_statistics(whole)
    for arrays in (*weights, *running):
        for name, array in arrays.items():
            if array.ndim == 1:
                array[:] = random.uniform(0.5, 1.5, array.shape) - (name in ("bias", "mean"))
    images = random.standard_normal((2, side, side + 12, 1)).astype(np.float32)
    end = head[0].inputs[0] + 1

    @jax.jit
    def read_and_written(images):
        parts = (whole[:end], weights[:end], running[:end]), (whole, weights, running)
        return [forward(*part, images, training=False)[0] for part in parts]

    read, found = read_and_written(images)
    of = {
        layer.name.split("/")[1]: arrays | statistics
        for layer, arrays, statistics in zip(
            head, weights[len(plan) :], running[len(plan) :], strict=True
        )
    }
    np.testing.assert_allclose(found, by_hand(np.asarray(read), of, rules), rtol=1e-3, atol=1e-4)

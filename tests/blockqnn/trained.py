"""Trained networks as tests make them up: weights, checkpoints, images."""

import numpy as np

from blockqnn.children.checkpoint import write_checkpoint
from blockqnn.children.checkpoint_metadata import Metadata
from blockqnn.children.named_weights import by_name
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layout import IMAGENET, Layout
from blockqnn.networks.spaces.nsc.codes import check
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from blockqnn.networks.spaces.registry import design_of, design_plan, parse, write

# Every operation: sums of equal and of different widths, pooling of both kinds, all kernels.
ALL = check(
    [
        (1, 1, 3, 0, 0),
        (2, 1, 5, 1, 0),
        (3, 5, 0, 1, 2),
        (4, 2, 3, 3, 0),
        (5, 3, 3, 1, 0),
        (6, 6, 0, 4, 5),
        (7, 1, 1, 6, 0),
        (8, 5, 0, 6, 7),
        (9, 6, 0, 0, 7),
    ]
)
CIFAR = Layout(filters=(4, 8), repeats=1, height=11, width=9, channels=3, classes=5)
IMAGE = Layout(IMAGENET, (4, 8), repeats=1, height=17, width=16, channels=1, classes=3)
CELL = parse("|avg_pool_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|")
CELLS = Layout("nasbench201", (4, 8), repeats=1, height=10, width=8, channels=3, classes=4)
# Between them all operations, with odd sides.
NASNET = parse(
    "nasnet normal 2 c13(1)&dconv3(0) 3 max5(2)+c17(1) 4 conv1(0)+max7(3) 5 id(2)&conv3(4) "
    "6 sep7(5)+avg3(1) reduction 2 id(1)&c17(0) 3 dconv3(0)+avg3(1) 4 c13(1)+max5(0) "
    "5 conv3(2)+id(3) 6 max3(2)+id(2)"
)
NASNET_LAYOUT = Layout("cells", (2, 4), 1, 9, 10, 3, 4, cells=3, rules="enas")
DARTS = parse(
    "darts normal 2 dil5(0)+max3(1) 3 avg3(2)+sep5(0) 4 id(1)+dil3(3) 5 sep3(4)+id(0) "
    "reduction 2 dil3(0)+id(1) 3 avg3(1)+dil5(0) 4 sep5(1)+max3(2) 5 id(3)+id(4)"
)
DARTS_LAYOUT = Layout("cells_imagenet", (4, 8), 1, 35, 32, 1, 3, cells=2, rules="nasnet")
NAS = parse("1 (1,3,1,1,36;0) 2 (3,1,3,2,24;0) 3 (3,3,1,1,24;1,2)")
NAS_LAYOUT = Layout("whole", (4,), 1, 9, 10, 3, 4, rules="zeros_around")
ENAS = parse("3 4:1")
ENAS_LAYOUT = Layout("whole", (2, 3), 1, 9, 10, 1, 3, rules="concat_skips")
NETWORKS = {
    "cifar": (ALL, CIFAR),
    "imagenet": (PUBLISHED["residual"], IMAGE),
    "cells": (CELL, CELLS),
    "pairs": (NASNET, NASNET_LAYOUT),
    "pairs on imagenet": (DARTS, DARTS_LAYOUT),
    "whole of layers": (NAS, NAS_LAYOUT),
    "whole of operations": (ENAS, ENAS_LAYOUT),
}
"""A block and a layout of each kind."""
NOT_REPEATED = tuple(
    write(code) for name, (code, _) in NETWORKS.items() if name.startswith(("pairs", "whole"))
)
"""Codes of those whose designs stand in no list of which one could be taken: cells that read two
maps, and whole networks."""


def trained_weights(plan, seed=0):
    """Weights of which none is what an initial one would be."""
    random = np.random.default_rng(seed)
    parameters = initial_parameters(plan, seed)
    for arrays in parameters:
        for name in {"scale", "bias"} & set(arrays):
            arrays[name] = (arrays[name] + random.normal(0, 0.3, arrays[name].shape)).astype("f4")
    statistics = initial_statistics(plan)
    for arrays in statistics:
        for name, array in arrays.items():
            lowest = 0.5 if name == "variance" else -0.5
            arrays[name] = (lowest + random.uniform(0, 1, array.shape)).astype(np.float32)
    return parameters, statistics


def write_trained(path, network_layout, code=ALL, **changes):
    """Writes a checkpoint of made-up weights."""
    plan = design_plan(design_of(code), network_layout)
    parameters, statistics = trained_weights(plan)
    fields = {
        "code": write(code),
        "hash": design_of(code).hash,
        "title": "my block",
        "layout": {**vars(network_layout), "filters": list(network_layout.filters)},
        "recipe": {"epochs": 2},
        "data": {"source": {"dataset": "digits"}},
        "mean": [120.5, 60.25, 30.125][: network_layout.channels],
        "deviation": [60.0, 50.0, 40.0][: network_layout.channels],
        "class_names": [f"class {i}" for i in range(network_layout.classes)],
        "seed": 3,
        "step": 20,
        "steps_per_epoch": 10,
        "history": [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": float("nan")}],
        "epoch_seconds": 0.0,
        "flags": {},
    }
    weights = {"parameters": by_name(plan, parameters), "statistics": by_name(plan, statistics)}
    write_checkpoint(path, Metadata(**fields | changes), weights, {"step": np.int32(20)})
    return path


def pixels(layout, count=7):
    random = np.random.default_rng(1)
    return random.integers(0, 256, (count, *layout.image_shape), np.uint8)

"""Networks of cells computed again by NumPy, so that an exchanged input or pool is noticed.

The second implementation reads the table form of a code by itself and has loops over taps;
it shares names of layers with the plan and nothing else.
"""

import itertools
import re

import numpy as np
import pytest

from blockqnn.children.whole_program import forward
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import (
    design_of,
    design_plan,
    parse,
    published,
    space_named,
    write,
)

EPSILON = 1e-5
SIDE, FILTERS = 10, 4
LIKE_NASNET = ("nasnet", "amoeba")
NASNET = (
    "nasnet normal 2 c13(1)&dconv3(0) 3 max5(2)+c17(1) 4 conv1(0)+max7(3) 5 id(2)&conv3(4) "
    "6 sep7(5)+avg3(1) reduction 2 id(1)&c17(0) 3 dconv3(0)+avg3(1) 4 c13(1)+max5(0) "
    "5 conv3(2)+id(3) 6 max3(2)+id(2)"
)
DARTS = (
    "darts normal 2 dil5(0)+max3(1) 3 avg3(2)+sep5(0) 4 id(1)+dil3(3) 5 sep3(4)+id(0) "
    "reduction 2 dil3(0)+id(1) 3 avg3(1)+dil5(0) 4 sep5(1)+max3(2) 5 id(3)+id(4)"
)
_SUM = "4 id(2)+id(3) 5 id(4)+id(4) 6 id(5)+id(5)"
NARROW = (
    f"nasnet normal 2 c13(1)+dconv3(0) 3 conv3(1)+id(0) {_SUM} "
    f"reduction 2 c17(0)+dconv3(1) 3 conv3(0)+c13(1) {_SUM}"
)
OF_C, OF_B = (space_named(name).example for name in ("nasnet_c", "nasnet_b"))
CODES = {"nasnet-a": "", "darts-v2": "", "enas-micro": "", "pnasnet-5": "", "own nasnet": NASNET,
         "own darts": DARTS, "nasnet_c": OF_C, "nasnet_b": OF_B}  # fmt: skip


class Network:
    """Weights by the names of layers, and what is done with them."""

    def __init__(self, plan, seed):
        random = np.random.default_rng(seed)
        self.parameters, self.statistics = initial_parameters(plan, seed), initial_statistics(plan)
        for arrays in (*self.parameters, *self.statistics):
            for name, array in arrays.items():
                if array.ndim == 1:
                    low = 0.5 if name in ("scale", "variance") else -0.5
                    array[:] = random.uniform(low, low + 1, array.shape)
        self.of = {
            layer.name: arrays | running
            for layer, arrays, running in zip(plan, self.parameters, self.statistics, strict=True)
        }

    def norm(self, name, x):
        own = self.of[name]
        scaled = (x - own["mean"]) / np.sqrt(own["variance"] + EPSILON)
        return scaled * own["scale"] + own["bias"]

    def convolved(self, x, kernel, strides=(1, 1), dilation=1):
        down, across = kernel.shape[:2]
        pads = [(dilation * (side // 2),) * 2 for side in (down, across)]
        padded = np.pad(x, ((0, 0), *pads, (0, 0)))
        height, width = x.shape[1:3]
        y = 0
        for i in range(down):
            for j in range(across):
                rows = slice(i * dilation, i * dilation + height, strides[0])
                columns = slice(j * dilation, j * dilation + width, strides[1])
                y = y + padded[:, rows, columns] @ kernel[i, j]
        return y

    def pooled(self, x, side, stride, reduce, outside):
        half = side // 2
        padded = np.pad(x, ((0, 0), (half, half), (half, half), (0, 0)), constant_values=outside)
        windows = [
            padded[:, i : i + x.shape[1] : stride, j : j + x.shape[2] : stride]
            for i in range(side)
            for j in range(side)
        ]
        return reduce(np.stack(windows), axis=0)

    def separable(self, name, x, stride, dilation=1):
        own = self.of[name]
        side, channels = own["depthwise"].shape[0], x.shape[-1]
        diagonal = np.zeros((side, side, channels, channels))
        for i in range(side):
            for j in range(side):
                diagonal[i, j] = np.diag(own["depthwise"][i, j, 0])
        x = self.convolved(relu(x), diagonal, (stride, stride), dilation)
        return self.norm(name, x @ own["kernel"][0, 0])

    def pointwise(self, name, x, stride=1):
        x = relu(x)[:, ::stride, ::stride]
        return self.norm(name, x @ self.of[name]["kernel"][0, 0])

    def factorised(self, name, x):
        x = relu(x)
        odd = np.zeros_like(x)
        odd[:, :-1, :-1] = x[:, 1:, 1:]
        halves = [
            half[:, ::2, ::2] @ self.of[name][kernel][0, 0]
            for half, kernel in ((x, "kernel"), (odd, "kernel_shifted"))
        ]
        return self.norm(name, np.concatenate(halves, -1))


def relu(x):
    return np.maximum(x, 0)


def operated(net, name, word, x, stride, filters, rules):
    """One half of a node."""
    kind, side = re.fullmatch(r"([a-z]+)(\d*)", word).groups()
    side = int(side or 0)
    if kind == "id":
        if stride == 1 and x.shape[-1] == filters:
            return x
        factorises = stride > 1 and rules not in LIKE_NASNET
        return net.factorised(name, x) if factorises else net.pointwise(name, x, stride)
    if kind == "max":
        return to_width(net, name, net.pooled(x, side, stride, np.max, -np.inf), filters)
    if kind == "avg":
        real = net.pooled(np.ones_like(x), side, stride, np.sum, 0)
        total = net.pooled(x, side, stride, np.sum, 0)
        return to_width(net, name, total / real, filters)
    if kind == "sep":
        first = net.separable(f"{name}/layer1", x, stride)
        return net.separable(f"{name}/layer2", first, 1)
    if kind == "dil":
        return net.separable(name, x, stride, 2)
    if rules == "amoeba" and side > 1:
        return narrowed(net, name, kind, side, x, stride, filters)
    kernel = net.of[name]["kernel"]
    if kind == "c":
        across = net.convolved(relu(x), kernel, (1, stride))
        return net.norm(name, net.convolved(across, net.of[name]["kernel_down"], (stride, 1)))
    dilation = 2 if kind == "dconv" else 1
    return net.norm(name, net.convolved(relu(x), kernel, (stride, stride), dilation))


def narrowed(net, name, kind, side, x, stride, filters):
    """A convolution between two of 1x1, each after a ReLU and before a norm."""
    x = net.pointwise(f"{name}/before", x)
    assert x.shape[-1] == (filters * 3 // 8 if (kind, side) == ("c", 13) else filters // 4)
    passes = [((1, stride), 1), ((stride, 1), 1)] if kind == "c" else [((stride, stride), 1)]
    for number, (strides, dilation) in enumerate(passes, start=1):
        own = f"{name}/layer{number}"
        dilation = 2 if kind == "dconv" else dilation
        x = net.norm(own, net.convolved(relu(x), net.of[own]["kernel"], strides, dilation))
    return net.pointwise(f"{name}/after", x)


def to_width(net, name, x, filters):
    if x.shape[-1] == filters:
        return x
    return net.norm(f"{name}/norm", x @ net.of[f"{name}/width"]["kernel"][0, 0])


def cell(net, name, family, text, older, newer, filters, stride, rules):
    """One cell; `text` is its part of a code's table form."""
    nodes = re.findall(r"(\w+)\((\d)\)([+&])(\w+)\((\d)\)(:\w+)?", text)
    if family == "nasnet_b":
        given = [net.pointwise(f"{name}/input{i}", x) for i, x in enumerate(newer)]
        return combined(net, name, nodes, given, filters, stride, rules)[0][4:]
    listed = re.search(r"out ([\d,]+)", text)
    if older is None:
        first = newer
    elif older.shape[1] != newer.shape[1]:
        first = net.factorised(f"{name}/older", older)
    elif older.shape[-1] != filters or rules == "darts":
        first = net.pointwise(f"{name}/older", older)
    else:
        first = older
    if rules == "enas" and newer.shape[-1] != filters:
        newer = net.pointwise(f"{name}/newer_width", newer)
    given = [first, net.pointwise(f"{name}/newer", newer)]
    states, read = combined(net, name, nodes, given, filters, stride, rules)
    if listed:
        out = [int(state) for state in listed.group(1).split(",")]
    elif family == "darts":
        out = range(2, len(states))
    else:
        out = [s for s in range(0 if family == "enas_micro" else 2, len(states)) if s not in read]
    outputs = []
    for state in out:
        x = states[state]
        if state < 2:
            whole = f"{name}/output{state}"
            x = net.factorised(whole, x) if stride == 2 else to_width(net, whole, x, filters)
        outputs.append(x)
    return np.concatenate(outputs, -1)


def combined(net, name, nodes, given, filters, stride, rules):
    """All states of a cell, and which of them are read."""
    states, read = list(given), set()
    for number, (left, i, sign, right, j, norm) in enumerate(nodes, start=len(given)):
        halves, reading = [], [(int(i), left), (int(j), right)]
        if sign == "+":
            # Layers are named after the design, in which the lower half is the first.
            reading.sort()
        for side, (state, word) in zip(("first", "second"), reading, strict=True):
            read.add(state)
            own = stride if state < len(given) else 1
            own_name = f"{name}/node{number}/{side}"
            halves.append(operated(net, own_name, word, states[state], own, filters, rules))
        whole = np.concatenate(halves, -1) if sign == "&" else halves[0] + halves[1]
        if norm:
            axes = {":layer": (1, 2, 3), ":instance": (1, 2)}[norm]
            own = net.of[f"{name}/node{number}/output_norm"]
            whole = whole - whole.mean(axes, keepdims=True)
            whole = whole / np.sqrt((whole**2).mean(axes, keepdims=True) + EPSILON)
            whole = whole * own["scale"] + own["bias"]
        states.append(whole)
    return states, read


def logits(net, text, cells, images, rules):
    """The whole network."""
    family, *parts = re.split(r" (?:normal|reduction) ", text)
    if not parts:
        family, *parts = text.split(maxsplit=1)
    normal, reduction = parts[0], parts[-1]
    kernel = net.of["stem/convolution/convolution"]["kernel"]
    stem = net.norm("stem/convolution/norm", net.convolved(images, kernel))
    older, newer = (None if rules in LIKE_NASNET else stem), stem
    if family == "nasnet_b":
        newer = [stem] * 4
    stage, place, filters = 1, 0, FILTERS
    for number in range(cells):
        reduces = number in (cells // 3, 2 * cells // 3)
        if reduces:
            stage, place, filters = stage + 1, 0, 2 * filters
        place += 1
        name = f"stage{stage}/cell{place}"
        written = reduction if reduces else normal
        output = cell(net, name, family, written, older, newer, filters, 1 + reduces, rules)
        older, newer = newer, output
    if family == "nasnet_b":
        newer = np.concatenate(newer, -1)
    x = newer if rules == "darts" else relu(newer)
    own = net.of["head/linear"]
    return x.mean((1, 2)) @ own["kernel"] + own.get("bias", 0)


@pytest.mark.parametrize(
    ("name", "rules"),
    [*itertools.product(CODES, ("nasnet", "darts", "enas")), ("narrow", "amoeba")],
)
def test_networks_compute_what_numpy_computes(name, rules):
    text = NARROW if name == "narrow" else CODES[name]
    code = parse(text) if text else published()[name]
    count = 3 if name == "narrow" else 5
    layout = Layout("cells", (FILTERS,), 1, SIDE, SIDE, 3, 7, cells=count, rules=rules).of_kind(
        "cells"
    )
    design = design_of(code)
    plan = design_plan(design, layout)
    net = Network(plan, seed=1)
    images = np.random.default_rng(2).standard_normal((2, SIDE, SIDE, 3)).astype(np.float32)
    found, _ = forward(plan, net.parameters, net.statistics, images, training=False)
    wanted = logits(net, write(code), count, images.astype(np.float64), rules)
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=2e-3 * np.abs(wanted).max())


def test_the_second_implementation_notices_exchanged_pools():
    text = write(published()["darts-v1"])
    layout = Layout("cells", (FILTERS,), 1, SIDE, SIDE, 3, 7, cells=3).of_kind("cells")
    plan = design_plan(design_of(parse(text)), layout)
    net = Network(plan, seed=1)
    images = np.random.default_rng(2).standard_normal((2, SIDE, SIDE, 3))
    right = logits(net, text, 3, images, "darts")
    wrong = logits(net, text.replace("avg3", "max3"), 3, images, "darts")
    assert np.abs(right - wrong).max() > 0.02 * np.abs(right).max()

"""Whole networks computed again by NumPy, so that an exchanged input or repair is noticed.

The second implementation reads the text form of a code by itself; it shares names of layers with
the plan, and the loops over taps with that of cells.
"""

import re

import numpy as np
import pytest

from blockqnn.children.whole_program import forward
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, design_plan, parse, write
from tests.networks.spaces.pairs.test_forward_pass import Network, relu

SIDE, CLASSES = 11, 7
BODY = "whole/network"

NAS_CODES = [
    "1 (1,3,24;0) 2 (3,7,36;0) 3 (7,1,48;0) 4 (5,3,24;1) 5 (3,3,64;2,4)",
    "1 (3,1,3,2,24;0) 2 (3,3,1,1,24;0) 3 (5,3,2,1,36;2) 4 (1,7,1,3,48;1,2,3) 5 (3,3,1,2,24;4)",
    "1 (3,3,1,1,24;0) 2 (3,5,2,3,36;1) 3 (3,1,1,1,24;1,2) 4 (1,7,2,2,48;1,3) 5 (3,3,1,1,24;2,4)",
]
ENAS_CODES = ["0 3:0 4:10 2:001 5:1010 1:01101", "2 5:1 0:01 4:110 3:0000 1:11111 2:000010"]


def grown(x, height, width, rules):
    down, across = height - x.shape[1], width - x.shape[2]
    top, left = (down // 2, across // 2) if rules == "zeros_around" else (0, 0)
    wide = np.zeros((len(x), height, width, x.shape[-1]))
    wide[:, top : top + x.shape[1], left : left + x.shape[2]] = x
    return wide


def joined(maps, rules):
    height, width = (max(x.shape[axis] for x in maps) for axis in (1, 2))
    return np.concatenate([grown(x, height, width, rules) for x in maps], -1)


def nas_logits(net, text, images, stages, rules):
    """A network of NAS."""
    rows = re.findall(r"(\d+) \(([\d,]+);([\d,]+)\)", text)
    first_late = 1 + len(rows) // stages if stages == 2 else len(rows) + 1
    maps, late, unread = {0: images}, {}, set()

    def seen(source, number):
        if number < first_late or source >= first_late:
            return maps[source]
        if source not in late:
            late[source] = net.pooled(maps[source], 3, 2, np.max, -np.inf)
        return late[source]

    for number, answers, inputs in rows:
        here, answers = int(number), [int(each) for each in answers.split(",")]
        read = [int(each) for each in inputs.split(",")]
        unread -= set(read)
        unread.add(here)
        x = joined([seen(each, here) for each in read], rules)
        strides = tuple(answers[2:4]) if len(answers) == 5 else (1, 1)
        name = f"{BODY}/layer{here}"
        kernel = net.of[f"{name}/convolution"]["kernel"]
        assert kernel.shape[:2] == tuple(answers[:2])
        maps[here] = relu(net.norm(f"{name}/norm", net.convolved(x, kernel, strides)))
    x = joined([seen(each, len(rows)) for each in sorted(unread)], rules)
    own = net.of["head/linear"]
    return x.mean((1, 2)) @ own["kernel"] + own["bias"]


def enas_layer(net, name, kind, x, rules):
    """A layer without what it joins."""
    word = ["conv3", "sep3", "conv5", "sep5", "avg3", "max3"][kind]
    name, side = f"{name}/{word}", int(word[-1])
    if rules == "sum_skips":
        x = net.norm(f"{name}/norm", x @ net.of[f"{name}/width"]["kernel"][0, 0])
    else:
        x = net.pointwise(f"{name}/width", x)
    if word == "avg3":
        x = relu(x) if rules == "sum_skips" else x
        real = net.pooled(np.ones_like(x), side, 1, np.sum, 0)
        return net.pooled(x, side, 1, np.sum, 0) / real
    if word == "max3":
        x = relu(x) if rules == "sum_skips" else x
        return net.pooled(x, side, 1, np.max, -np.inf)
    window = f"{name}/window"
    if word.startswith("sep") and rules != "as_in_code":
        x = net.separable(window, x, 1)
    else:
        x = net.norm(window, net.convolved(relu(x), net.of[window]["kernel"]))
    return relu(x) if rules == "sum_skips" else x


def reduced(net, name, x):
    """Two convolutions of every fourth pixel, of even and of odd rows and columns."""
    odd = np.zeros_like(x)
    odd[:, :-1, :-1] = x[:, 1:, 1:]
    halves = [
        half[:, ::2, ::2] @ net.of[name][kernel][0, 0]
        for half, kernel in ((x, "kernel"), (odd, "kernel_shifted"))
    ]
    return net.norm(name, np.concatenate(halves, -1))


def enas_logits(net, text, images, rules):
    """A network of ENAS with three stages."""
    rows = [word.partition(":") for word in text.split()]
    kernel = net.of["stem/convolution"]["kernel"]
    maps = [net.norm("stem/norm", net.convolved(images, kernel))]
    for number, (kind, _, bits) in enumerate(rows):
        for stage in (1, 2):
            if number == stage * (len(rows) // 3):
                maps = [reduced(net, f"{BODY}/reduction{stage}/map{place}", x)
                        for place, x in enumerate(maps)]  # fmt: skip
        name = f"{BODY}/layer{number + 1}"
        x = enas_layer(net, name, int(kind), maps[-1], rules)
        read = [maps[place] for place, bit in enumerate(bits) if bit == "1"]
        if number and rules == "sum_skips":
            x = net.norm(f"{name}/join/norm", sum(read, x))
        elif number:
            x = net.pointwise(f"{name}/join/width", np.concatenate([x, *read], -1))
        maps.append(x)
    return maps[-1].mean((1, 2)) @ net.of["head/linear"]["kernel"]


def found_and_net(code, filters, rules):
    layout = Layout("whole", filters, 1, SIDE, SIDE, 3, CLASSES, rules=rules)
    plan = design_plan(design_of(code), layout)
    net = Network(plan, seed=1)
    images = np.random.default_rng(2).standard_normal((2, SIDE, SIDE, 3)).astype(np.float32)
    found, _ = forward(plan, net.parameters, net.statistics, images, training=False)
    return found, net, images.astype(np.float64)


def assert_equal(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=2e-3 * np.abs(wanted).max())


@pytest.mark.parametrize("text", NAS_CODES)
@pytest.mark.parametrize("filters", [(4,), (4, 6)])
@pytest.mark.parametrize("rules", ["zeros_after", "zeros_around"])
def test_networks_of_nas_compute_what_numpy_computes(text, filters, rules):
    code = parse(text)
    # Layers are named after the design, whose order is that of the text here.
    assert [layer.inputs for layer in design_of(code).layers] == [
        tuple(map(int, inputs.split(","))) for inputs in re.findall(r";([\d,]+)\)", text)
    ]
    found, net, images = found_and_net(code, filters, rules)
    assert_equal(found, nas_logits(net, write(code), images, len(filters), rules))


@pytest.mark.parametrize("text", ENAS_CODES)
@pytest.mark.parametrize("rules", ["concat_skips", "sum_skips", "as_in_code"])
def test_networks_of_enas_compute_what_numpy_computes(text, rules):
    code = parse(text)
    found, net, images = found_and_net(code, (4,), rules)
    assert_equal(found, enas_logits(net, write(code), images, rules))


def test_the_second_implementation_notices_what_is_exchanged():
    found, net, images = found_and_net(parse(NAS_CODES[2]), (4,), "zeros_after")
    other = nas_logits(net, NAS_CODES[2], images, 1, "zeros_around")
    assert np.abs(found - other).max() > 0.01 * np.abs(found).max()
    found, net, images = found_and_net(parse(ENAS_CODES[1]), (4,), "concat_skips")
    # Two joined maps in each other's place.
    text = ENAS_CODES[1].replace("2:000010", "2:000100")
    other = enas_logits(net, text, images, "concat_skips")
    assert np.abs(found - other).max() > 0.01 * np.abs(found).max()

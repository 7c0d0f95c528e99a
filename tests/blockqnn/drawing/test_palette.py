"""Colours of drawings: legible, and apart for those who see few colours or none."""

import itertools

import numpy as np
import pytest

from blockqnn.drawing.palette import COLOURS, INPUT, LINE, MARKS, OUTPUT
from blockqnn.drawing.scene import outline
from blockqnn.networks.graph import KINDS
from blockqnn.networks.spaces.nsc.codes import LayerType, parse
from tests.drawn import arrange

GROUNDS = ("#ffffff", "#000000")
# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color
# Vision Deficiency", 2009: complete loss of one sort of cones, on linear RGB.
VISION = {
    "full": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def linear(colour):
    """The three components of #rrggbb as amounts of light, 0 to 1."""
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def luminance(colour):
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    """The ratio of the Web Content Accessibility Guidelines, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lab(light):
    """CIELAB of linear RGB, for the white point D65."""
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    x, y, z = np.cbrt(to_xyz @ np.clip(light, 0, 1) / [0.95047, 1.0, 1.08883])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_the_measures_by_hand():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert lab(linear("#ffffff")) == pytest.approx([100, 0, 0], abs=0.02)
    assert lab(linear("#0000ff")) == pytest.approx([32.30, 79.19, -107.86], abs=0.02)


def test_every_kind_of_layer_has_a_colour():
    assert set(COLOURS) == set(KINDS)
    assert {kind.name.lower() for kind in LayerType} - {"terminal"} < set(KINDS)


@pytest.mark.parametrize("kind", COLOURS)
def test_labels_are_legible(kind):
    assert contrast(COLOURS[kind].fill, COLOURS[kind].text) >= 4.5


@pytest.mark.parametrize("ground", GROUNDS)
def test_what_stands_outside_nodes_is_legible_on_light_and_on_dark_ground(ground):
    assert contrast(LINE, ground) >= 4.5
    for mark in MARKS.values():
        assert contrast(mark.colour, ground) >= 3
    for colour in COLOURS.values():
        assert max(contrast(colour.border, ground), contrast(colour.fill, ground)) >= 3


def test_signs_are_legible_on_their_marks():
    for mark in MARKS.values():
        assert contrast(mark.colour, "#ffffff") >= 3


@pytest.mark.parametrize("vision", VISION)
def test_kinds_of_layers_are_apart_in_every_sort_of_vision(vision):
    seen = {
        kind: lab(VISION[vision] @ linear(colour.fill))
        for kind, colour in COLOURS.items()
        if kind not in (INPUT, OUTPUT)
    }
    for one, other in itertools.combinations(seen, 2):
        # 2.3 is just noticeable.
        assert np.linalg.norm(seen[one] - seen[other]) > 14, (one, other)


def test_kinds_are_told_apart_without_any_colour():
    kinds = [kind for kind in COLOURS if kind != OUTPUT]
    looks = {(COLOURS[kind].outline, COLOURS[kind].dashed) for kind in kinds}
    assert len(looks) == len(kinds)
    assert COLOURS[INPUT] == COLOURS[OUTPUT], "which stand first and last, and are labelled"
    signs = {(mark.sign, mark.dashed) for mark in MARKS.values()}
    assert len(signs) == len(MARKS)


def test_outlines_are_different_shapes_within_the_nodes_box():
    node = arrange(parse("[(1,1,3,0,0)]")).nodes[1]
    shapes = ("rectangle", "trapezium", "hexagon", "ellipse", "round")
    paths = {outline(node, shape) for shape in shapes}
    assert len(paths) == len(shapes)
    for path in paths:
        points = np.array([point for _, points in path for point in points])
        assert points.min(axis=0) == pytest.approx(
            [node.x - node.width / 2, node.y - node.height / 2]
        )
        assert points.max(axis=0) == pytest.approx(
            [node.x + node.width / 2, node.y + node.height / 2]
        )

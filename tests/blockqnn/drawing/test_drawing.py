"""Drawings of blocks: where things stand, in every format."""

import io
import itertools
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from blockqnn.drawing.difference import beside
from blockqnn.drawing.dot import dot
from blockqnn.drawing.labels import width_text
from blockqnn.drawing.palette import COLOURS, LINE
from blockqnn.drawing.raster import MOST_DOTS, pdf, png
from blockqnn.drawing.scene import Path, Text, scene
from blockqnn.drawing.svg import svg
from blockqnn.errors import UserError
from blockqnn.networks.layout import Layout
from blockqnn.networks.matching import Matching
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.graph import block_graph
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from tests.blockqnn.reading_dot import read_dot
from tests.drawn import arrange
from tests.strategies import UNBOUNDED, blocks

LAYOUT = Layout(filters=(12, 24), repeats=1)
SVG = "{http://www.w3.org/2000/svg}"
drawn_blocks = st.one_of(
    blocks(max_layers=23), blocks(min_layers=20, max_layers=23), blocks().map(canonical_form)
)


def box(node):
    """Left, top, right and bottom of a node."""
    a, b = node.width / 2, node.height / 2
    return node.x - a, node.y - b, node.x + a, node.y + b


def meets(start, end, rectangle):
    """Whether a segment passes through the inside of a rectangle (Liang and Barsky)."""
    (x, y), (to_x, to_y) = start, end
    left, top, right, bottom = rectangle
    first, last = 0.0, 1.0
    for delta, low, high in ((to_x - x, left - x, right - x), (to_y - y, top - y, bottom - y)):
        if delta == 0:
            if not low < 0 < high:
                return False
            continue
        enter, leave = sorted((low / delta, high / delta))
        first, last = max(first, enter), min(last, leave)
    return last - first > 1e-9


def test_the_measure_of_segments_by_hand():
    rectangle = (10, 10, 20, 20)
    assert meets((0, 15), (30, 15), rectangle)
    assert meets((0, 0), (30, 30), rectangle)
    assert meets((15, 15), (16, 16), rectangle)
    assert not meets((0, 5), (30, 5), rectangle)
    assert not meets((0, 10), (30, 10), rectangle)
    assert not meets((0, 20), (10, 30), rectangle)
    assert not meets((0, 15), (10, 15), rectangle)


def curve_points(commands, steps=12):
    """Points along a path, close enough together to see where it goes."""
    here = commands[0][1][0]
    yield here
    for letter, points in commands[1:]:
        if letter == "L":
            yield points[0]
        elif letter == "C":
            p, q, end = points
            for step in range(1, steps + 1):
                t = step / steps
                weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
                yield tuple(
                    sum(w * value for w, value in zip(weights, values, strict=True))
                    for values in zip(here, p, q, end, strict=True)
                )
        if points:
            here = points[-1]


def test_a_drawing_by_hand():
    arrangement = arrange(parse("[(1,1,3,0,0),(2,2,3,1,0),(3,1,5,1,0)]"), Layout(filters=(7,)))
    nodes = arrangement.nodes
    assert [(node.index, node.kind, node.label) for node in nodes] == [
        (0, "input", "input"),
        (1, "convolution", "conv 3x3"),
        (2, "max_pooling", "max 3x3"),
        (3, "convolution", "conv 5x5"),
        (4, "output", "output: concat, 14"),
    ]
    assert nodes[0].y < nodes[1].y < nodes[2].y == nodes[3].y < nodes[4].y
    assert nodes[0].x == nodes[1].x
    assert nodes[1].x == pytest.approx((nodes[2].x + nodes[3].x) / 2)
    ends = {(edge.source, edge.target): edge for edge in arrangement.edges}
    assert sorted(ends) == [(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)]
    assert {edge.channels for edge in arrangement.edges} == {7}
    assert len(ends[0, 1].points) == 2
    (x, y), (to_x, to_y) = ends[0, 1].points
    assert x == to_x == nodes[0].x
    assert y == box(nodes[0])[3]
    assert to_y == box(nodes[1])[1]


def test_the_other_labels():
    arrangement = arrange(parse("[(1,4,0,0,0),(2,3,1,1,0),(3,5,0,1,2),(4,6,0,2,3)]"))
    assert [node.label for node in arrangement.nodes] == [
        *("input", "identity", "avg 1x1", "add", "concat", "output"),
    ]
    assert [node.kind for node in arrangement.nodes][1:5] == [
        *("identity", "average_pooling", "add", "concat"),
    ]
    assert {edge.channels for edge in arrangement.edges} == {None}


# Two edges of this block igraph puts into one place.
TIED = (
    "[(1,4,0,0,0),(2,1,1,1,0),(3,4,0,0,0),(4,1,1,3,0),(5,1,1,3,0),(6,4,0,0,0),(7,5,0,3,5),"
    "(8,1,1,1,0),(9,5,0,4,7),(10,1,1,1,0),(11,1,1,3,0)]"
)


@settings(max_examples=250)
@example(parse(TIED))
@given(drawn_blocks)
def test_what_holds_of_every_arrangement(block):
    arrangement = arrange(block, LAYOUT)
    graph = block_graph(block, 12)
    nodes = arrangement.nodes
    assert [node.index for node in nodes] == list(range(graph.output + 1))
    boxes = [box(node) for node in nodes]
    for left, top, right, bottom in boxes:
        assert 0 < left < right < arrangement.width
        assert 0 < top < bottom < arrangement.height
    for one, other in itertools.combinations(boxes, 2):
        apart = (one[2] - other[0], other[2] - one[0], one[3] - other[1], other[3] - one[1])
        assert min(apart) <= -10, "two nodes overlap or nearly touch"
    assert Counter((e.source, e.target) for e in arrangement.edges) == Counter(graph.ends)
    channels = graph.widths
    for edge in arrangement.edges:
        assert edge.channels == channels[edge.source]
        start, end = edge.points[0], edge.points[-1]
        left, _, right, bottom = boxes[edge.source]
        assert start == (nodes[edge.source].x, bottom)
        left, top, right, _ = boxes[edge.target]
        assert left + 10 <= end[0] <= right - 10
        assert end[1] == top
        for here, there in itertools.pairwise(edge.points):
            assert there[1] > here[1]
            assert 0 < there[0] < arrangement.width
            for node, rectangle in zip(nodes, boxes, strict=True):
                assert not meets(here, there, rectangle), (edge, node)
    arrivals = [(edge.target, edge.points[-1][0]) for edge in arrangement.edges]
    assert len(set(arrivals)) == len(arrivals), "two edges arrive at one place"


@given(blocks(min_layers=8, max_layers=23))
def test_painted_curves_pass_through_no_node(block):
    arrangement = arrange(block)
    lines = [item for item in scene(arrangement) if isinstance(item, Path) and not item.fill]
    lines = [line for line in lines if line.stroke == LINE]
    assert len(lines) == len(arrangement.edges)
    for line in lines:
        for here, there in itertools.pairwise(curve_points(line.commands)):
            assert there[1] >= here[1]
            assert not any(meets(here, there, box(node)) for node in arrangement.nodes)


@given(blocks(max_layers=23))
def test_the_same_block_is_always_drawn_alike(block):
    assert svg(arrange(block, LAYOUT)) == svg(arrange(block, LAYOUT))


def test_a_width_is_exact_while_it_is_short():
    assert [width_text(n) for n in (1, 999_999, 1_048_576)] == ["1", "999999", "1.05 M"]
    rows = ["(1,4,0,0,0)", *(f"({i},6,0,{i - 2},{i - 1})" for i in range(2, 900))]
    graph = block_graph(parse(f"[{','.join(rows)}]", UNBOUNDED), 32)
    assert len(width_text(graph.widths[-1])) < 12


def root_of(text):
    return ElementTree.fromstring(text)


@given(drawn_blocks)
def test_every_layer_is_in_the_svg_and_no_more(block):
    arrangement = arrange(block, LAYOUT)
    root = root_of(svg(arrangement))
    assert root.tag == f"{SVG}svg"
    left, top, width, height = map(float, root.get("viewBox").split())
    assert (left, top) == (0, 0)
    assert (width, height) == pytest.approx((arrangement.width, arrangement.height), abs=0.01)
    texts = Counter(element.text for element in root.iter(f"{SVG}text"))
    sources = {edge.source: edge.channels for edge in arrangement.edges}
    assert texts == Counter(node.label for node in arrangement.nodes) + Counter(
        map(str, sources.values())
    )
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "path", "text", "title"}
    assert not any("id" in element.attrib for element in root.iter())


def test_a_title_is_text_whatever_it_holds():
    title = "</title><script>alert(1)</script>&amp;\"' \x00\x1b\ufffe é"
    text = svg(arrange(PUBLISHED["residual"]), title)
    assert "<script" not in text
    shown = root_of(text).find(f"{SVG}title").text
    assert shown == "</title><script>alert(1)</script>&amp;\"' \ufffd\ufffd\ufffd é"


@pytest.mark.parametrize("name", PUBLISHED)
def test_png_shows_what_svg_shows(name):
    arrangement = arrange(PUBLISHED[name], LAYOUT)
    image = Image.open(io.BytesIO(png(arrangement, dots_per_inch=144)))
    assert image.mode == "RGBA"
    assert image.size == (int(arrangement.width * 2), int(arrangement.height * 2))
    assert image.getpixel((0, 0))[3] == 0, "the ground is transparent"
    for node in arrangement.nodes:
        place = (round(2 * node.x), round(2 * (node.y + node.height / 2 - 3)))
        assert "#{:02x}{:02x}{:02x}".format(*image.getpixel(place)[:3]) == COLOURS[node.kind].fill
    for edge in arrangement.edges:
        x, y = edge.points[0]
        found = image.getpixel((round(2 * x), round(2 * y + 8)))
        assert found[3] > 200
        assert max(abs(value - int(LINE[1:3], 16)) for value in found[:3]) < 25


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the browser Chromium")
def test_a_browser_paints_svg_as_png_is_painted(tmp_path):
    block = PUBLISHED["block-qnn-s"]
    arrangement = arrange(block, LAYOUT)
    nothing = Matching((), (), tuple(range(1, 15)), (), (), tuple(block_graph(block).ends))
    both = beside(arrangement, arrangement, nothing, ("one", "other"))
    page = tmp_path / "page.html"
    page.write_text(f'<body style="margin:0;background:#fff">{svg(both)}</body>')
    words = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    words += [f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={tmp_path / 'page.png'}"]
    # A point is 4/3 of a browser's pixels.
    words += ["--force-device-scale-factor=1.5", "--window-size=1700,700", page.as_uri()]
    subprocess.run(words, check=True, capture_output=True)
    with Image.open(io.BytesIO(png(both, dots_per_inch=144))) as image:
        wanted = Image.new("RGBA", image.size, "white")
        wanted.alpha_composite(image)
    with Image.open(tmp_path / "page.png") as image:
        shown = image.convert("RGB").crop((0, 0, *wanted.size))
    difference = np.asarray(ImageChops.difference(wanted.convert("RGB"), shown)).max(axis=2)
    for text in (item for item in scene(both) if isinstance(item, Text)):
        # Letters have other edges, and where DejaVu Sans is missing they are another font's.
        half = len(text.text) * text.size
        left, right = int(2 * max(0, text.x - half)), int(2 * (text.x + half))
        difference[int(2 * (text.y - text.size)) : int(2 * text.y + text.size), left:right] = 0
    assert (difference > 100).mean() < 0.0005


def test_more_dots_than_memory_holds_are_refused():
    arrangement = arrange(PUBLISHED["residual"])
    with pytest.raises(UserError, match="--dots_per_inch"):
        png(arrangement, 10**6)
    largest = (MOST_DOTS / arrangement.width / arrangement.height) ** 0.5 * 72
    assert largest > 1200, "print has 1200 dots an inch"


@pytest.mark.parametrize("name", PUBLISHED)
def test_pdf_is_one_page_of_the_drawings_size(name):
    arrangement = arrange(PUBLISHED[name], LAYOUT)
    content = pdf(arrangement)
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    boxes = re.findall(rb"/MediaBox \[ 0 0 ([0-9.]+) ([0-9.]+) \]", content)
    assert len(boxes) == 1
    assert tuple(map(float, boxes[0])) == pytest.approx((arrangement.width, arrangement.height))
    assert content == pdf(arrangement)
    assert b"CreationDate" not in content


@given(drawn_blocks)
def test_dot_has_every_node_and_edge(block):
    arrangement = arrange(block, LAYOUT)
    nodes, edges = read_dot(dot(arrangement, "a title"))
    assert {name: attributes["label"] for name, attributes in nodes.items()} == {
        f"n{node.index}": node.label for node in arrangement.nodes
    }
    for node in arrangement.nodes:
        assert nodes[f"n{node.index}"]["fillcolor"] == COLOURS[node.kind].fill
    assert Counter((a, b, c["label"]) for a, b, c in edges) == Counter(
        (f"n{edge.source}", f"n{edge.target}", str(edge.channels)) for edge in arrangement.edges
    )


@given(st.text())
def test_dot_quotes_any_title(title):
    nodes, _ = read_dot(dot(arrange(PUBLISHED["residual"]), title))
    assert len(nodes) == 6

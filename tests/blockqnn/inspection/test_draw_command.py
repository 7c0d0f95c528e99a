"""The verb `draw`: one block or two, as text and in every format."""

import io
import itertools
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

from blockqnn.drawing.difference import beside
from blockqnn.drawing.palette import ADDED, MARKS, REMOVED
from blockqnn.drawing.svg import svg
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import write
from blockqnn.networks.spaces.nsc.graph import block_graph
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from tests.blockqnn.reading_dot import read_dot
from tests.drawn import arrange, in_text, match
from tests.strategies import blocks

SUFFIXES = ("svg", "png", "pdf", "dot")
LAYOUT = Layout(repeats=2)
CHANGED = "[(1,4,0,0,0),(2,1,5,1,0),(3,1,3,2,0),(4,5,0,1,3),(5,2,3,2,0)]"
"""The residual block with 5x5 for the first 3x3, and a pool that is a second leaf."""
SVG = "{http://www.w3.org/2000/svg}"


def drew(blockqnn, *arguments):
    status, out, err = blockqnn("draw", *arguments)
    assert (status, err) == (0, "")
    return out


def texts(path):
    return [element.text for element in ElementTree.parse(path).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", PUBLISHED)
def test_without_out_the_drawing_is_printed(blockqnn, name):
    assert drew(blockqnn, name) == in_text(PUBLISHED[name], layout=LAYOUT) + "\n"
    assert blockqnn.files() == []


@pytest.mark.parametrize("suffix", [*SUFFIXES, "SVG"])
@pytest.mark.parametrize("words", [["block-qnn-s"], ["block-qnn-s", "inception"]])
def test_every_format_is_written_and_nothing_else(blockqnn, suffix, words):
    path = blockqnn.directory / f"block.{suffix}"
    path.write_text("what was there before")
    out = drew(blockqnn, *words, f"--out={path}")
    assert out.startswith(f"Drew {' and '.join(words)}: {path}, ")
    assert blockqnn.files() == [path]
    content = path.read_bytes()
    assert content.startswith(
        {"svg": b"<svg ", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph "}[suffix.lower()]
    )
    drew(blockqnn, *words, f"--out={path}")
    assert path.read_bytes() == content


def test_the_svg_is_that_of_the_arrangement(blockqnn):
    drew(blockqnn, "inception", "--out=a.svg", "--filters=5,6")
    content = (blockqnn.directory / "a.svg").read_text()
    arrangement = arrange(PUBLISHED["inception"], Layout(filters=(5, 6)))
    assert content == svg(arrangement, f"inception: {write(PUBLISHED['inception'])}") + "\n"


def test_every_format_has_the_same_size(blockqnn):
    for suffix in SUFFIXES[:3]:
        out = drew(blockqnn, "inception", f"--out=a.{suffix}", "--dots_per_inch=72")
        assert out.endswith(", 294 x 410 points.\n")
    with Image.open(blockqnn.directory / "a.png") as image:
        assert image.size == (294, 410)
    root = ElementTree.parse(blockqnn.directory / "a.svg").getroot()
    assert (root.get("width"), root.get("height")) == ("294pt", "410pt")
    assert b"[ 0 0 294 410 ]" in (blockqnn.directory / "a.pdf").read_bytes()


def test_canonical_draws_what_the_code_means(blockqnn):
    assert "identity" in drew(blockqnn, "residual")
    assert "identity" not in drew(blockqnn, "residual", "--canonical")
    drew(blockqnn, "residual", "--canonical", "--out=a.svg")
    assert "identity" not in texts(blockqnn.directory / "a.svg")
    twice = "[(1,4,0,0,0),(2,5,0,0,1)]"
    assert "reads the input twice" in drew(blockqnn, twice, "--canonical")


def test_a_runs_block_is_drawn_with_the_layout_of_its_run(blockqnn):
    flags = ["--epsilon_schedule=1.0:3", "--filters=4,8", "--repeats=2", "--max_layers=2"]
    blockqnn.search("--preset=smoke", "--run_dir=run", "--mu=4", *flags)
    for name in ("1", "best"):
        lines = drew(blockqnn, f"run#{name}", "--filters=64").splitlines()
        assert lines[0].split()[-1] == "4"
    drew(blockqnn, "run#1", "--out=one.svg", "--filters=64")
    assert "64" not in texts(blockqnn.directory / "one.svg")
    assert "4" in texts(blockqnn.directory / "one.svg")


def test_two_blocks_side_by_side(blockqnn):
    out = drew(blockqnn, "residual", CHANGED, "--out=two.dot")
    assert out.splitlines()[1:] == [
        "- red, only in residual: 1 layer, 0 edges",
        "+ green, only in code: 2 layers, 2 edges",
    ]
    nodes, edges = read_dot((blockqnn.directory / "two.dot").read_text())
    one = [f"n{index}" for index in range(6)]
    other = [f"n{index}" for index in range(6, 13)]
    assert [nodes[name]["label"] for name in one] == [
        *("input", "identity", "- conv 3x3", "conv 3x3", "add", "output, 32"),
    ]
    assert [nodes[name]["label"] for name in other] == [
        *("input", "identity", "+ conv 5x5", "conv 3x3", "add", "+ max 3x3"),
        "output: concat, 64",
    ]
    assert nodes["n2"]["color"] == MARKS[REMOVED].colour
    assert nodes["n8"]["color"] == MARKS[ADDED].colour
    assert "dashed" in nodes["n2"]["style"]
    marked = {(a, b) for a, b, attributes in edges if "color" in attributes}
    assert marked == {("n8", "n11"), ("n11", "n12")}
    assert nodes["caption0"]["label"] == "residual (\u2212)"
    assert nodes["caption1"]["label"] == "code (+)"


def test_two_blocks_as_text(blockqnn):
    out = drew(blockqnn, "residual", CHANGED)
    lines = out.splitlines()
    assert lines[0] == "residual:"
    assert [line for line in lines if " - " in line] == ["├─■ - 2  conv 3x3      32"]
    assert [line.split()[-3:] for line in lines if " + " in line] == [
        ["conv", "5x5", "32"],
        ["max", "3x3", "32"],
    ]
    assert lines[-2:] == [
        "- red, only in residual: 1 layer, 0 edges",
        "+ green, only in code: 2 layers, 2 edges",
    ]


def test_two_blocks_of_one_name_are_told_apart(blockqnn):
    out = drew(blockqnn, write(PUBLISHED["residual"]), CHANGED)
    assert "first code:\n" in out
    assert "second code:\n" in out
    assert "only in first code: 1 layer" in out
    assert "only in second code: 2 layers" in out


def test_text_needs_no_library_that_takes_long_to_import(blockqnn):
    program = (
        "import sys\n"
        "from blockqnn.__main__ import main\n"
        "assert main(['draw', 'inception']) == 0\n"
        "assert main(['show', 'inception']) == 0\n"
        "slow = {'igraph', 'matplotlib', 'jax', 'pandas', 'plotly', 'gymnasium', 'tensorboardX'}\n"
        "assert not slow & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(("encoding", "crossing"), [("utf-8", "├─│─■"), ("ascii", "+-|-*")])
def test_what_the_terminal_cannot_write_is_not_written(blockqnn, encoding, crossing):
    for verb in ("draw", "show"):
        words = [sys.executable, "-m", "blockqnn", verb, "inception"]
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        done = subprocess.run(words, check=True, capture_output=True, env=environment)
        assert done.stderr == b""
        assert crossing in done.stdout.decode(encoding)


def test_red_and_green_are_in_the_picture_with_their_signs(blockqnn):
    drew(blockqnn, "residual", CHANGED, "--out=two.svg")
    content = (blockqnn.directory / "two.svg").read_text()
    red, green = MARKS[REMOVED].colour, MARKS[ADDED].colour
    assert content.count(f'stroke="{red}"') == 1
    assert content.count(f'stroke="{green}"') == 4, "two layers and two edges"
    assert texts(blockqnn.directory / "two.svg").count("\u2212") == 1
    assert texts(blockqnn.directory / "two.svg").count("+") == 2
    drew(blockqnn, "residual", CHANGED, "--out=two.png")
    colours = Image.open(io.BytesIO((blockqnn.directory / "two.png").read_bytes())).getcolors(10**6)
    found = {"#{:02x}{:02x}{:02x}".format(*colour[:3]) for _, colour in colours}
    assert {red, green} <= found


def test_a_block_and_itself_differ_in_nothing(blockqnn):
    assert drew(blockqnn, "inception", "inception").splitlines()[-1] == "Nothing differs."
    drew(blockqnn, "inception", "inception", "--out=two.svg")
    content = (blockqnn.directory / "two.svg").read_text()
    assert not [mark for mark in MARKS.values() if mark.colour in content]


@settings(max_examples=40)
@given(blocks(max_layers=14), blocks(max_layers=14))
def test_what_holds_of_two_blocks_side_by_side(one, other):
    first, second = arrange(one, LAYOUT), arrange(other, LAYOUT)
    found = match(one, other)
    both = beside(first, second, found, ("x" * 300, ""))
    size = len(first.nodes)
    assert [node.index for node in both.nodes] == list(range(size + len(second.nodes)))
    left, right = both.nodes[:size], both.nodes[size:]
    assert max(n.x + n.width / 2 for n in left) < min(n.x - n.width / 2 for n in right)
    assert [node.index for node in left if node.mark == REMOVED] == list(found.only_first)
    assert [node.index - size for node in right if node.mark == ADDED] == list(found.only_second)
    marked = sorted((e.source, e.target) for e in both.edges if e.mark == REMOVED)
    assert marked == list(found.edges_only_first)
    marked = sorted((e.source - size, e.target - size) for e in both.edges if e.mark == ADDED)
    assert marked == list(found.edges_only_second)
    assert not any(node.mark == ADDED for node in left)
    assert not any(node.mark == REMOVED for node in right)
    assert len(both.edges) == len(block_graph(one).ends) + len(block_graph(other).ends)
    for edge in both.edges:
        assert edge.points[0][0] == pytest.approx(both.nodes[edge.source].x)
        for (_, y), (_, to_y) in itertools.pairwise(edge.points):
            assert y < to_y
    assert all(n.x - n.width / 2 > 0 and n.x + n.width / 2 < both.width for n in both.nodes)
    assert all(n.y + n.height / 2 < both.height for n in both.nodes)
    assert all(
        caption.y < min(node.y - node.height / 2 for node in both.nodes)
        for caption in both.captions
    )


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(blocks(max_layers=23))
def test_any_code_can_be_drawn(blockqnn, code):
    drew(blockqnn, write(code), "--out=any.svg", "--filters=3")
    arrangement = arrange(code, Layout(filters=(3,)))
    labels = [node.label for node in arrangement.nodes]
    drawn = texts(blockqnn.directory / "any.svg")
    assert sorted(text for text in drawn if text in labels) == sorted(labels)
    assert drew(blockqnn, write(code), "--canonical", "--filters=3") == (
        in_text(canonical_form(code), layout=Layout(filters=(3,))) + "\n"
    )


def test_a_run_alone_is_its_best_block(blockqnn):
    blockqnn.search("--preset=smoke", "--run_dir=run")
    assert drew(blockqnn, "run") == drew(blockqnn, "run#best")


def test_two_blocks_have_the_widths_of_one_layout(blockqnn):
    """The filters of a run are 3, and the block of no run has them too."""
    blockqnn.search("--preset=smoke", "--run_dir=narrow", "--filters=3,6")
    blockqnn.search("--preset=smoke", "--run_dir=wide", "--filters=8,16")
    alone = in_text(PUBLISHED["residual"], layout=Layout(filters=(3,))).splitlines()
    for pair in (("narrow", "residual"), ("residual", "narrow")):
        text = drew(blockqnn, *pair)
        widths = [line.split()[-1] for line in alone if line.split()[-1].isdecimal()]
        at = text.index("residual:\n")
        shown = [line.split()[-1] for line in text[at:].splitlines()[2 : 2 + len(alone)]]
        assert shown == widths
        assert "Widths of" not in text
    both = drew(blockqnn, "narrow#1", "wide#1")
    assert both.endswith("Widths of wide#1 too are those of narrow#1.\n")

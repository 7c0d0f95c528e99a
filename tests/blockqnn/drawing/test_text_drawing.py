"""Drawings as text, which are read back and must give the block again."""

import io
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockqnn.drawing.terminal import ASCII, BOX_DRAWING
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import LayerType, parse
from blockqnn.networks.spaces.nsc.graph import block_graph
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from tests.drawn import for_stream, in_text
from tests.strategies import blocks

LAYOUT = Layout(filters=(32,))
ANSI = re.compile("\033\\[[0-9;]*m")
NAMES = {"conv": LayerType.CONVOLUTION, "max": LayerType.MAX_POOLING}
NAMES |= {"avg": LayerType.AVERAGE_POOLING, "identity": LayerType.IDENTITY}
NAMES |= {"add": LayerType.ADD, "concat": LayerType.CONCAT}


def read(text):
    """The layers as (type, kernel) and the edges that a drawing shows, and its widths."""
    layers, edges, channels = [], Counter(), []
    columns = {}
    lines = text.splitlines()
    for node, line in enumerate(lines):
        match = re.search(
            r"(?:^|\s)(?:(\d+)  )?(input|output(?:: concat)?|[a-z]+)(?: (\d)x\d)?"
            r"(?:\s+(\S+(?: [kMGT])?))?(?:  \(reads (.*)\))?$",
            line,
        )
        number, name, kernel, width, repeated = match.groups()
        picture = line[: match.start()]
        layers.append((name, int(kernel or 0)))
        channels.append(width)
        assert number == (str(node) if 0 < node < len(lines) - 1 else None)
        own, reads = None, []
        for column, sign in enumerate(picture[::2]):
            if sign in "●■▼▽○⊕⊞*":
                assert own is None
                own = column
            elif sign in "├┤┼+╯╰┴'":
                reads.append(columns[column])
                if sign in "╯╰┴'":
                    del columns[column]
            elif sign in "│|":
                assert column in columns
            else:
                assert sign in " ─-"
                assert column not in columns
        if own in columns:
            reads.append(columns[own])
        columns[own] = node
        edges.update((source, node) for source in reads)
        for what, times in re.findall(r"(the input|layer \d+) (twice|\d+ times)", repeated or ""):
            source = 0 if what == "the input" else int(what.split()[1])
            assert source in reads
            count = 2 if times == "twice" else int(times.split()[0])
            edges[source, node] += count - 1
    return layers, edges, channels


def wanted(block):
    graph = block_graph(block, 32)
    names = {kind.name.lower(): name for name, kind in NAMES.items()}
    layers = [(names[layer.kind], layer.kernel) for layer in graph.layers]
    output = "output: concat" if len(graph.outputs) > 1 else "output"
    channels = [str(width) for width in graph.widths]
    return [("input", 0), *layers, (output, 0)], Counter(graph.ends), channels


def test_the_residual_block():
    assert in_text(PUBLISHED["residual"]).splitlines() == [
        "●       input",
        "○    1  identity",
        "├─■  2  conv 3x3",
        "│ ■  3  conv 3x3",
        "⊕─╯  4  add",
        "●       output",
    ]


def test_crossings_in_ascii():
    block = parse("[(1,1,1,0,0),(2,2,3,0,0),(3,3,3,1,0),(4,5,0,0,2),(5,1,5,1,0)]")
    drawn = in_text(block, layout=Layout(filters=(8,)), strokes=ASCII)
    assert drawn.splitlines() == [
        "*           input                8",
        "+-*      1  conv 1x1             8",
        "+-|-*    2  max 3x3              8",
        "| +-|-*  3  avg 3x3              8",
        "*-|-' |  4  add                  8",
        "| *   |  5  conv 5x5             8",
        "*-'---'     output: concat      24",
    ]


@settings(max_examples=100)
@given(
    st.one_of(blocks(max_layers=23), blocks(max_layers=12).map(canonical_form)),
    st.sampled_from([BOX_DRAWING, ASCII]),
)
def test_a_drawing_can_be_read_back(block, strokes):
    assert read(in_text(block, layout=LAYOUT, strokes=strokes)) == wanted(block)


@settings(max_examples=100)
@given(blocks(min_layers=20, max_layers=23))
def test_the_largest_blocks_keep_within_80_columns(block):
    text = in_text(block, layout=LAYOUT, marks={1: "added"})
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) == block_graph(block).output + 1


def test_a_block_of_leaves_alone_keeps_within_80_columns():
    block = parse("[" + ",".join(f"({i},1,3,0,0)" for i in range(1, 24)) + "]")
    assert max(map(len, in_text(block, layout=LAYOUT, marks={}).splitlines())) <= 80


@pytest.mark.parametrize("name", PUBLISHED)
def test_colours_add_nothing_but_colours(name):
    plain, coloured = in_text(PUBLISHED[name]), in_text(PUBLISHED[name], colour=True)
    assert coloured != plain
    assert ANSI.sub("", coloured) == plain


class Stream(io.StringIO):
    """A stream of some encoding, which may be a terminal."""

    def __init__(self, encoding, terminal=False):
        super().__init__()
        self._encoding, self._terminal = encoding, terminal

    @property
    def encoding(self):
        return self._encoding

    def isatty(self):
        return self._terminal


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "no such one"])
def test_an_encoding_without_box_drawing_gets_ascii(encoding):
    text = for_stream(PUBLISHED["inception"], LAYOUT, Stream(encoding))
    assert text == in_text(PUBLISHED["inception"], layout=LAYOUT, strokes=ASCII)
    assert text.isascii()


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-16", None])
def test_an_encoding_with_box_drawing_gets_it(encoding):
    text = for_stream(PUBLISHED["inception"], LAYOUT, Stream(encoding))
    assert text == in_text(PUBLISHED["inception"], layout=LAYOUT)


def test_only_a_terminal_that_wants_colours_gets_them(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")

    def coloured(terminal=True):
        text = for_stream(PUBLISHED["inception"], LAYOUT, Stream("utf-8", terminal))
        return "\033" in text

    assert coloured()
    assert not coloured(terminal=False)
    monkeypatch.setenv("TERM", "dumb")
    assert not coloured()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured()


def test_marks_have_signs_and_colours():
    marks = {2: "removed", 4: "added"}
    lines = in_text(PUBLISHED["residual"], marks=marks).splitlines()
    assert [line[4] for line in lines] == [" ", " ", "-", " ", "+", " "]
    coloured = in_text(PUBLISHED["residual"], colour=True, marks=marks)
    assert "\033[1;38;5;160m-\033[0m" in coloured
    assert "\033[1;38;5;34m+\033[0m" in coloured

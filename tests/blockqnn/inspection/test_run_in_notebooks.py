"""A run and its blocks as a notebook or terminal shows them: words, HTML, drawings."""

import dataclasses
import html.parser
import xml.etree.ElementTree

import PIL.Image
import pytest

import blockqnn as package
from blockqnn.errors import UserError
from blockqnn.inspection.block import Block, Blocks
from blockqnn.listing import DRY_NOTICE
from blockqnn.networks.spaces.nsc.codes import parse, write
from blockqnn.runs.run_directory import record
from blockqnn.runs.store import FILE_NAME, Store
from blockqnn.settings import RunSettings, WorkerSettings
from blockqnn.trial import Status, Trial
from tests.blockqnn.small_searches import CONV3, LAYOUT

POISON = '<script>alert("1")</script>'


class Tags(html.parser.HTMLParser):
    """The tags and the text of a piece of HTML, which must be well formed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open = set(), "", []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag != "br":
            self.open.append(tag)
        assert not any(name.startswith("on") for name, _ in attributes)

    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_a_drawing_is_a_picture_in_a_notebook_and_text_elsewhere(run):
    block = run.block("best")
    drawing = block.draw()
    root = xml.etree.ElementTree.fromstring(drawing._repr_svg_())
    assert root.tag.endswith("svg")
    texts = [element.text for element in root.iter() if element.text and element.text.strip()]
    assert f"Trial {block.number}" in texts
    assert str(run.layout.filters[0]) in texts
    assert len(repr(drawing).splitlines()) == len(block.code) + 1
    bare = xml.etree.ElementTree.fromstring(block.draw(widths=False).svg)
    assert str(run.layout.filters[0]) not in [element.text for element in bare.iter()]


def test_the_canonical_form_can_be_drawn(blockqnn):
    trial = Trial(1, 1, 1.0, parse("[(1,4,0,0,0),(2,1,3,1,0)]"), "0", 0, Status.FAILED, *[1] * 5)
    block = Block(trial, LAYOUT, False)
    assert "identity" in repr(block.draw())
    assert "identity" not in repr(block.draw(canonical=True))


def test_two_blocks_are_drawn_side_by_side():
    codes = ("[(1,1,3,0,0),(2,1,5,1,0)]", "[(1,4,0,0,0),(2,1,3,1,0)]")
    blocks = [
        Block(Trial(n, 1, 1.0, parse(code), "0", 0, Status.FAILED, *[1] * 5), LAYOUT, False)
        for n, code in enumerate(codes, start=1)
    ]
    drawing = blocks[0].compare(blocks[1])
    texts = [e.text for e in xml.etree.ElementTree.fromstring(drawing.svg).iter() if e.text]
    assert texts.count("conv 3x3") == 2
    assert texts.count("conv 5x5") == 1
    assert {"Trial 1 (\u2212)", "Trial 2 (+)"} <= set(texts)
    first, second = repr(drawing).split("Trial 2:")
    assert "conv 5x5" in first
    assert "conv 5x5" not in second
    (line,) = [line for line in first.splitlines() if " - " in line]
    assert "conv 5x5" in line
    same = blocks[0].compare(blocks[0])
    assert repr(same).count("conv 5x5") == 2


def test_a_drawing_can_be_saved(run, tmp_path):
    drawing = run.block("best").draw()
    starts = {".svg": b"<svg", ".png": b"\x89PNG", ".PDF": b"%PDF", ".dot": b"digraph"}
    for suffix, start in starts.items():
        path = tmp_path / f"block{suffix}"
        drawing.save(path)
        assert path.read_bytes().startswith(start)
    PIL.Image.open(tmp_path / "block.png").load()
    with pytest.raises(UserError, match=r"\.svg, \.png, \.pdf, \.dot; given '.*block\.gif'"):
        drawing.save(str(tmp_path / "block.gif"))
    assert not (tmp_path / "block.gif").exists()
    with pytest.raises(UserError, match="cannot be written: No such file or directory"):
        drawing.save(tmp_path / "nowhere" / "block.svg")


def test_words_for_a_terminal(run):
    counts = run.trials["status"].value_counts()
    first, second, third = repr(run).splitlines()
    assert first == (
        f"Run 'run': {len(run)} trials, {counts['trained']} trained, {counts['known']} known, "
        f"{counts['infeasible']} infeasible, 0 failed; the agent learned from 4 iterations"
    )
    best = run.block("best")
    assert second.startswith(f"  best: trial {best.number}, reward {best.reward:.2f}, accuracy ")
    assert second.endswith(write(best.code))
    assert third.strip() == DRY_NOTICE
    words = repr(best).splitlines()
    assert words[0] == f"Block of trial {best.number} (trained): {write(best.code)}"
    assert words[1].startswith(f"  reward {best.reward:.2f}, accuracy {best.accuracy:.2f} %, ")
    assert repr(run.best(2)).splitlines()[:3] == words
    assert repr(Blocks()) == "no blocks"


def test_html_for_a_notebook(run):
    page = Tags(run._repr_html_())
    assert {"table", "tr", "th", "td"} <= page.tags
    for block in run.best(5):
        assert write(block.code) in page.text
    assert DRY_NOTICE in page.text
    page = Tags(run.block("best")._repr_html_())
    assert {"svg", "table"} <= page.tags
    assert write(run.block("best").code) in page.text
    page = Tags(run.best(3)._repr_html_())
    assert page.text.count("trial ") == 3
    assert "no blocks" in Tags(Blocks()._repr_html_()).text


def test_text_of_a_store_stays_text(tmp_path):
    path = tmp_path / f"a&b<i>{'x'}"
    path.mkdir()
    store = Store.create_or_open(path / FILE_NAME)
    settings = RunSettings(path, "inline", 1, 1, WorkerSettings(), 1.0, {"dataset": POISON}, "")
    record(store, settings, {"layout": dataclasses.asdict(LAYOUT), "dry": False})
    trial = Trial(1, 1, 1.0, CONV3, POISON, 0, Status.FAILED, 1.0, 1, 1, 1, 1, reason=POISON)
    store.add_trial(trial)
    store.add_trial(dataclasses.replace(trial, number=2, status=Status.COMPLETED, reward=1.0))
    store.close()
    run = package.open_run(path)
    assert run.trials.loc[1, "reason"] == POISON
    for text in (run._repr_html_(), run.block(1)._repr_html_(), run.best(1)._repr_html_()):
        page = Tags(text)
        assert not page.tags & {"script", "i"}
        assert "<script" not in text
    assert POISON in Tags(run.block(1)._repr_html_()).text
    steering = dataclasses.replace(trial, reason="\x1b[31mred\nnext")
    assert r"reason \x1b[31mred\nnext" in repr(Block(steering, LAYOUT, False))
    assert str(path) in Tags(run._repr_html_()).text

"""Tables of lowerings: which candidate is taken where, and where tables come from."""

import json
import pathlib

import pytest

from blockqnn.networks import lowerings
from blockqnn.networks.lowerings import (
    PLAIN,
    USUAL,
    LoweringError,
    LoweringTable,
    Row,
    Shape,
    applies,
    in_use,
    measured_on,
    own_table,
)

HERE = Shape(3, 16, 16, 32, 32)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of a kind that nobody has measured, and its user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(lowerings, "kind_of_processor", lambda: "strange")
    monkeypatch.setattr(lowerings, "_in_use", None)
    return tmp_path


def keep_own(**changes):
    row = {"shape": list(HERE), "value": {"pairs": 0.5}, "kernel_gradient": {"exchanged": 0.5}}
    own_table().parent.mkdir(parents=True, exist_ok=True)
    own_table().write_text(json.dumps({"kind": "strange", "rows": [row | changes]}))


def test_the_fastest_candidate_is_taken_if_it_saves_a_tenth():
    ratios = {"plain": 1.0, "pieces of 8": 0.7, "pieces of 16": 0.6, "exchanged": 0.95}
    table = LoweringTable("t", (Row(HERE, {"pairs": 0.91, "plain": 1.0}, ratios),))
    assert table.value(HERE) == PLAIN
    assert table.kernel_gradient(HERE) == "pieces of 16"
    assert LoweringTable("none").value(HERE) == PLAIN
    assert LoweringTable("none").kernel_gradient(HERE) == PLAIN


def test_winograds_products_have_to_save_a_fifth():
    """They take longer to compile than the others."""
    just, enough = ({"plain": 1.0, "winograd": ratio} for ratio in (0.81, 0.79))
    assert LoweringTable("t", (Row(HERE, just, {}),)).value(HERE) == PLAIN
    assert LoweringTable("t", (Row(HERE, enough, {}),)).value(HERE) == "winograd"
    # Of what is best without them, too.
    just, enough = ({"pieces of 8": 0.5, "winograd": ratio} for ratio in (0.41, 0.39))
    assert LoweringTable("t", (Row(HERE, {}, just),)).kernel_gradient(HERE) == "pieces of 8"
    assert LoweringTable("t", (Row(HERE, {}, enough),)).kernel_gradient(HERE) == "winograd"


def test_the_nearest_shape_decides():
    rows = [
        Row(Shape(3, 16, 16, 16, 16), {"pairs": 0.5}, {}),
        Row(Shape(3, 4, 4, 16, 16), {}, {"exchanged": 0.5}),
        Row(Shape(5, 16, 16, 16, 16), {"quads": 0.5}, {}),
        Row(Shape(3, 16, 16, 256, 16), {}, {"pieces of 8": 0.5}),
    ]
    table = LoweringTable("t", tuple(rows))
    # Sides from 8 on are nearer to 16 than to 4 in octaves, or as near and earlier.
    assert [table.value(Shape(3, side, 32, 16, 16)) for side in (5, 8, 12, 32)] == [
        *("plain", "pairs", "pairs", "pairs")
    ]
    assert table.kernel_gradient(Shape(3, 5, 5, 16, 16)) == "exchanged"
    # Another kernel is further away than any map or channels.
    assert table.value(Shape(5, 4, 4, 256, 16)) == "quads"
    assert table.value(Shape(7, 16, 16, 16, 16)) == "quads"
    # 16 to 256 channels: the half is at 64.
    assert table.kernel_gradient(Shape(3, 16, 16, 63, 16)) == "plain"
    assert table.kernel_gradient(Shape(3, 16, 16, 65, 16)) == "pieces of 8"


@pytest.mark.parametrize(
    ("name", "shape", "does"),
    [
        ("dense", Shape(3, 2, 2, 8, 8), True),
        ("dense", Shape(3, 2, 4, 8, 8), True),
        # The matrix would be larger than map and kernel.
        ("dense", Shape(3, 2, 5, 8, 8), False),
        ("dense", Shape(3, 3, 3, 8, 8), False),
        ("dense", Shape(5, 4, 4, 8, 8), True),
        ("pairs", Shape(3, 5, 6, 8, 8), True),
        ("pairs", Shape(3, 6, 5, 8, 8), False),
        ("quads", Shape(3, 5, 6, 8, 8), False),
        ("quads", Shape(3, 5, 8, 8, 8), True),
        ("exchanged", Shape(3, 5, 5, 8, 8), True),
        ("winograd", Shape(3, 8, 5, 8, 8), True),
        ("winograd", Shape(3, 6, 8, 8, 8), False),
        ("winograd", Shape(5, 6, 5, 8, 8), True),
        ("winograd", Shape(5, 5, 6, 8, 8), False),
        # A kernel of 7 rows has as many products as taps.
        ("winograd", Shape(7, 8, 8, 8, 8), False),
    ],
)
def test_what_cannot_be_done_is_not_taken(name, shape, does):
    assert applies(name, shape) is does
    row = Row(shape, {name: 0.1}, {})
    assert LoweringTable("t", (row,)).value(shape) == (name if does else PLAIN)


def test_the_usual_table_knows_small_maps_and_parts_large_ones():
    taken = {
        (kernel, side): USUAL.kernel_gradient(Shape(kernel, side, side, 16, 48))
        for kernel in (3, 5)
        for side in (2, 4, 8, 16, 32, 64)
    }
    assert taken == {
        (3, 2): "dense",
        (3, 4): "plain",
        (3, 8): "pieces of 16",
        (5, 2): "dense",
        (5, 4): "dense",
        (5, 8): "pieces of 16",
        **{(kernel, side): "pieces of 8" for kernel in (3, 5) for side in (16, 32, 64)},
    }
    assert USUAL.value(Shape(3, 2, 2, 16, 16)) == "dense"
    assert USUAL.value(Shape(3, 4, 4, 16, 16)) == PLAIN


def test_the_own_table_is_taken_if_there_is_one_and_kept(machine, monkeypatch):
    assert in_use() is USUAL
    keep_own()
    # A process does not change its mind.
    assert in_use() is USUAL
    monkeypatch.setattr(lowerings, "_in_use", None)
    table = in_use()
    assert table.name == "own" and in_use() is table
    assert (table.value(HERE), table.kernel_gradient(HERE)) == ("pairs", "exchanged")


def test_a_kind_that_was_measured_has_its_table(machine, monkeypatch):
    """Where vectors have 16 numbers, pairs of pixels fill them; a gradient goes in pieces."""
    monkeypatch.setattr(lowerings, "kind_of_processor", lambda: "avx512")
    table = in_use()
    assert table.name == "avx512" and table.digest == measured_on("avx512").digest
    assert table.value(Shape(5, 16, 16, 16, 16)) == "pairs"
    assert table.value(Shape(3, 16, 16, 32, 32)) == PLAIN
    assert table.value(Shape(3, 16, 16, 64, 64)) == "winograd"
    assert table.value(Shape(3, 2, 2, 64, 64)) == "dense"
    assert "pieces" in table.kernel_gradient(Shape(3, 32, 32, 32, 16))
    assert measured_on("strange") is None


def test_the_own_table_goes_before_that_of_the_kind(machine, monkeypatch):
    keep_own()
    monkeypatch.setattr(lowerings, "kind_of_processor", lambda: "avx512")
    path = own_table()  # Its name has the kind in it.
    path.write_text(json.dumps({"kind": "avx512", "rows": []}))
    assert in_use().name == "own"


@pytest.mark.parametrize("path", sorted(lowerings._TABLES.glob("*.json")), ids=lambda p: p.stem)
def test_tables_that_are_shipped_are_of_their_kinds(path):
    content = json.loads(path.read_text())
    assert content["kind"] == path.stem and content["processor"] and content["jax"]
    assert len(measured_on(path.stem).rows) == len(content["rows"]) > 10


def test_each_processor_has_a_table_of_its_own(machine, monkeypatch):
    first = own_table()
    assert first.parent == machine / "blockqnn"
    monkeypatch.setattr(lowerings, "processor_name", lambda: "Other (R) CPU/5 @ 3 GHz")
    assert own_table().name == "lowerings-other-r-cpu-5-3-ghz-strange.json" != first.name
    assert own_table({"XDG_CACHE_HOME": ""}).is_relative_to(pathlib.Path("~/.cache").expanduser())


def test_a_table_that_may_not_be_read_is_none(machine, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    keep_own()
    monkeypatch.setattr(pathlib.Path, "read_text", refuse)
    assert in_use() is USUAL


def test_a_digest_names_what_a_table_says():
    rows = [Row(HERE, {"pairs": 0.5}, {"exchanged": ratio}) for ratio in (0.5, 0.6, 0.5)]
    one, other, again = (LoweringTable("own", (row,)).digest for row in rows)
    assert one == again != other and len(one) == 16
    assert LoweringTable("usual", (rows[0],)).digest == one


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [3, 16, 16, 32]},
        {"shape": [3, 16, 16, 0, 32]},
        {"shape": None},
        {"value": {"magic": 0.5}},
        {"value": {"pairs": "fast"}},
        {"kernel_gradient": [0.5]},
    ],
)
def test_a_table_that_is_damaged_is_refused_in_one_sentence(machine, changes):
    keep_own(**changes)
    with pytest.raises(LoweringError, match=r"is no table of lowerings .*measure it again"):
        in_use()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"kind": "k"}', '{"kind": "k", "rows": [3]}'])
def test_a_file_that_is_no_table_is_refused(machine, text):
    keep_own()
    own_table().write_text(text)
    with pytest.raises(LoweringError, match="is no table of lowerings"):
        in_use()

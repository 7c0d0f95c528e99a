"""The verb `bench`: what it prints, and the counts behind its figures."""

import importlib.util
import json
import math
import re
import sys

import pytest

from blockqnn.bench import child, clock
from blockqnn.bench.child import JAX, MeasuredSetting
from blockqnn.bench.floor import PresetChildren, Rates, floor_seconds, step_bytes, step_flops
from blockqnn.bench.process import MeasuringProcess
from blockqnn.data.datasets import load_search_parts, search_part_sizes
from blockqnn.errors import UserError
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.stacking import make_plan
from blockqnn.settings import DataSettings, Recipe
from tests.blockqnn.test_wrong_input import LONG, refused

TINY = (
    "bench",
    "--blocks=residual",
    "--filters=4,8",
    "--repeats=1",
    "--batch_size=8",
    "--steps=1",
    "--preset=smoke",
)
FIELDS = {
    "parameters",
    "flops",
    "lower_seconds",
    "compile_cold_seconds",
    "compile_warm_seconds",
    "wait_cold_seconds",
    "wait_warm_seconds",
    "step_seconds",
    "fastest_step_seconds",
    "images_per_second",
    "gflops_per_second",
    "of_peak",
    "floor_seconds",
    "of_floor",
    "evaluation_seconds",
    "child_seconds",
    "children_per_hour",
}
TORCH_FIELDS = {"torch_step", "torch_fastest_step", "ratio_to_torch"}
POINTWISE = make_plan(
    canonical_form(parse("[(1,1,1,0,0)]")),
    Layout(filters=(2,), repeats=1, height=2, width=2, channels=1, classes=3),
)


def facts_of(blockqnn, *arguments):
    """What a tiny bench prints in JSON."""
    before = blockqnn.files()
    status, out, err = blockqnn(*TINY, "--format=json", *arguments)
    assert status == 0
    assert err.startswith("Device:  ") and "\nBlocks:  " in err
    assert "(1 of " in err.splitlines()[2], "what is being measured is told beside it"
    assert out.count("\n") == 1
    assert blockqnn.files() == before
    return json.loads(out)


def assert_row(row, fields):
    assert set(row) == fields | {"block", "filters"}
    for name in fields:
        assert math.isfinite(row[name]), name
        assert row[name] > 0, name


@pytest.mark.long
def test_json_is_one_object_with_every_figure_finite_and_positive(blockqnn):
    code = "[(1,1,3,0,0),(2,7,0,0,0)]"
    facts = facts_of(blockqnn, f"--blocks=residual,{code}")
    first, second = facts["rows"]
    assert (first["block"], second["block"]) == ("residual", code)
    for row in facts["rows"]:
        assert_row(row, FIELDS)
        # The cold process found nothing, so XLA was slower than reading the cache.
        assert row["compile_warm_seconds"] < row["compile_cold_seconds"]
        assert row["images_per_second"] == pytest.approx(8 / row["step_seconds"])
        done = 3 * row["flops"] * 8 / row["step_seconds"]
        assert row["gflops_per_second"] == pytest.approx(done / 1e9)
        assert row["of_peak"] == pytest.approx(done / facts["flops_per_second"])
        assert row["of_floor"] == pytest.approx(row["floor_seconds"] / row["step_seconds"])
        steps = facts["training_images"] // 8
        seconds = row["wait_warm_seconds"] + facts["epochs"] * (
            steps * row["step_seconds"] + row["evaluation_seconds"]
        )
        assert row["child_seconds"] == pytest.approx(seconds)
        assert row["children_per_hour"] == pytest.approx(3600 / seconds)
    assert 0 < facts["idle_share"] < 1
    assert (facts["preset"], facts["epochs"], facts["training_images"]) == ("smoke", 1, 400)
    assert facts["bytes_per_second"] > 0
    assert facts["load"] >= 0
    assert facts["cores"] >= 1


@pytest.mark.long
def test_the_table_has_a_line_for_each_block(blockqnn):
    status, out, err = blockqnn(*TINY, "--execution=whole", "--bfloat16")
    assert status == 0
    told = err.splitlines()[2:]
    assert [line.partition(" (1 of 1): ")[2].partition(" ")[0] for line in told] == [
        *("compiling", "measuring", "compiling", "training", "")
    ]
    header, row, empty, *notes = out.splitlines()
    for title in ("step ms", "images/s", "GFLOP/s", "of floor %", "children/h"):
        assert title in header
    assert header.endswith("  block")
    titles = [title for title in re.split(r"  +", header) if title]
    assert len(set(titles)) == len(titles), "no two columns have one name"
    assert row.endswith("  residual")
    assert empty == ""
    assert "bfloat16" in out
    assert any(note.startswith("idle") for note in notes)


def test_pytorch_is_measured_in_turn(blockqnn):
    pytest.importorskip("torch")
    facts = facts_of(blockqnn, "--against=torch", "--steps=2")
    (row,) = facts["rows"]
    assert_row(row, FIELDS | TORCH_FIELDS)
    assert row["ratio_to_torch"] == pytest.approx(row["step_seconds"] / row["torch_step"])
    assert row["torch_fastest_step"] <= row["torch_step"]
    assert facts["torch_device"]


def test_where_pytorch_is_missing_the_command_says_how_to_get_it(blockqnn, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install torch" in refused(blockqnn, [*TINY, "--against=torch"])


@pytest.mark.parametrize(
    "flag",
    [
        "--blocks=resnet",
        "--blocks=",
        "--blocks=residual,",
        "--blocks=residual,Inception",
        "--blocks=[(1,9,0,0,0)]",
        "--blocks=[(1,1,3,0,0)",
        f"--blocks={LONG}",
        "--blocks=nowhere#1",
        "--image_size=1",
        "--image_size=0",
        "--filters=4,8,16,32,64",
        "--filters=",
        "--steps=0",
        "--steps=x",
        "--batch_size=0",
        "--repeats=0",
        "--against=tensorflow",
        "--against=",
        "--preset=nope",
        "--execution=fast",
        "--format=csv",
        "--bfloat16=2",
        "word",
    ],
)
def test_what_cannot_be_measured_is_refused(blockqnn, flag):
    refused(blockqnn, [*TINY, flag])


def test_what_a_process_cannot_do_is_reported_in_a_sentence(tmp_path):
    setting = MeasuredSetting(
        JAX, Layout(filters=(2,), repeats=1, height=2, width=2), Recipe(), 8, 1
    )
    with (
        MeasuringProcess(setting, tmp_path / "log", None, share=False) as process,
        pytest.raises(
            UserError, match=r"^jax fails at 'train': AssertionError: there is a child\.$"
        ),
    ):
        process.train(0, 1)
    assert "Traceback" in (tmp_path / "log").read_text()


def test_a_process_that_cannot_start_says_why(monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_PLATFORMS", "nonsense")
    setting = MeasuredSetting(JAX, Layout(), Recipe(), 8, 1)
    with pytest.raises(UserError, match=r"^JAX_PLATFORMS is nonsense, but JAX cannot"):
        MeasuringProcess(setting, tmp_path / "log", None, share=False)


def test_a_process_that_dies_is_reported_with_its_last_words(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", tmp_path / "python")
    (tmp_path / "python").write_text("#!/bin/sh\necho out of luck. >&2\nexit 3\n")
    (tmp_path / "python").chmod(0o755)
    setting = MeasuredSetting(JAX, Layout(), Recipe(), 8, 1)
    with pytest.raises(UserError, match=r"status 3 at 'starting': out of luck\.$"):
        MeasuringProcess(setting, tmp_path / "log", None, share=False)


def test_flops_and_bytes_of_a_step_by_hand():
    # Four pixels: the stem multiplies 9 x 1 x 2, the block 1 x 2 x 2, the classifier 2 x 3.
    assert step_flops(POINTWISE, batch_size=5) == 3 * 5 * 2 * (4 * 18 + 4 * 4 + 6)
    # Image 4; stem, block and ReLU 8 each; pooling 2; logits 3.
    activations = 4 + 3 * 8 + 2 + 3
    # Stem 18; block 4, scale 2, bias 2; classifier 6 + 3.
    parameters = 18 + 8 + 9
    for size in (2, 4):
        wanted = 6 * activations * 5 * size + 6 * parameters * 4
        assert step_bytes(POINTWISE, 5, size) == wanted


@pytest.mark.parametrize(("rates", "seconds"), [((10.0, 1e12), 282.0), ((1e12, 1.0), 4800.0)])
def test_the_floor_is_the_longer_of_computing_and_moving(rates, seconds):
    assert floor_seconds(POINTWISE, 5, 4, Rates(*rates)) == pytest.approx(seconds)


def test_a_presets_child_trains_whole_batches_and_evaluates_after_every_epoch():
    children = PresetChildren("digits", 4, 1250, 250)
    assert children.training_seconds(0.1, 2.0, 64) == pytest.approx(4 * (19 * 0.1 + 2.0))
    assert children.training_seconds(0.1, 2.0, 5000) == pytest.approx(4 * (0.1 + 2.0))


@pytest.mark.parametrize("name", ["digits", "synthetic:2x2x1:3:72"])
@pytest.mark.parametrize("train_examples", [0, 40])
def test_the_sizes_of_a_searchs_parts_are_those_that_are_read(name, train_examples):
    settings = DataSettings(
        name, train_examples=train_examples, validation_examples=train_examples // 4
    )
    parts = load_search_parts(settings)
    for size, part in zip(search_part_sizes(settings), parts, strict=True):
        assert size == pytest.approx(len(part), abs=5)


def test_an_unknown_data_set_has_no_known_size():
    with pytest.raises(UserError, match="not known"):
        search_part_sizes(DataSettings("my_images"))


def test_steps_are_timed_by_the_clock_that_is_asked_for(monkeypatch):
    monkeypatch.setattr(clock, "_clocks", {"passing": lambda: 7.0, "processor": lambda: 3.0})
    monkeypatch.setattr(clock, "_read", lambda: 0.0)
    for name, seconds in (("processor", 3.0), ("passing", 7.0)):
        clock.use_clock(name)
        assert clock.now() == seconds


def test_the_processors_clock_is_for_processors():
    child._check_clock("passing", "NVIDIA H100")
    child._check_clock("processor", "cpu")
    with pytest.raises(UserError, match=r"^--clock=processor measures a CPU, and TPU v4 computes"):
        child._check_clock("processor", "TPU v4")

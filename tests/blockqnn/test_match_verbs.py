"""What the verbs say of a trial whose filters are its own."""

import dataclasses
import json
import pathlib

import pytest

import blockqnn as package
from blockqnn.bench.child import _answer, encode_block
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, design_plan
from blockqnn.report.columns import columns
from blockqnn.report.drawings import Drawings
from blockqnn.runs.run_record import read_run
from blockqnn.trial import Status

DRY = ("--preset=smoke", "--evaluator=dry", "--run_dir=run", "--epsilon_schedule=1.0:3")


@pytest.fixture
def run(blockqnn):
    blockqnn.search(*DRY, "--match=parameters:9k")
    return read_run(pathlib.Path("run"))


@pytest.fixture
def two(run):
    """Two trained trials of different filters."""
    trained = [trial for trial in run.trials if trial.status is Status.COMPLETED]
    other = next(t for t in trained if t.filters[0] != trained[0].filters[0])
    return trained[0], other


def test_show(blockqnn, run, two):
    for trial in two:
        _, out, _ = blockqnn("show", f"run#{trial.number}")
        assert f"filters {trial.filters_text}, " in out
        _, out, _ = blockqnn("show", f"run#{trial.number}", "--format=json")
        facts = json.loads(out)
        assert facts["layout"]["filters"] == list(trial.filters)
        assert facts["parameters"] == trial.parameters
    _, out, _ = blockqnn("show", "run", "--format=json")
    best = json.loads(out)["best"]
    filters = {trial.number: list(trial.filters) for trial in run.trials}
    assert [one["filters"] for one in best] == [filters[one["number"]] for one in best]
    for verb in ("show", "trials"):
        _, out, _ = blockqnn(verb, "run")
        assert "  filters  " in out
        assert f"  {two[0].filters_text}  " in out


def test_draw_has_the_widths_of_each(blockqnn, two):
    one, other = two
    _, out, _ = blockqnn("draw", f"run#{one.number}", f"run#{other.number}")
    assert out.endswith(
        f"Widths are those of each child's own filters: run#{one.number} has {one.filters_text}, "
        f"run#{other.number} has {other.filters_text}.\n"
    )
    for trial in two:
        _, alone, _ = blockqnn("draw", f"run#{trial.number}")
        assert str(trial.filters[0]) in alone.splitlines()[0]


def test_open_run(run, two):
    opened = package.open_run("run")
    for trial in two:
        block = opened.block(trial.number)
        assert block.layout == dataclasses.replace(run.layout, filters=trial.filters)


def test_the_page_has_them(run, two):
    found = columns(run.trials)
    assert found["filters"] == [trial.filters_text for trial in run.trials]
    drawings = Drawings(run.layout)
    plain = dataclasses.replace(two[0], filters=())
    assert drawings.packed(two[0]) != drawings.packed(plain)
    assert drawings.place(two[0]) != drawings.place(plain)
    assert drawings.place(two[0]) == drawings.place(dataclasses.replace(two[0], number=99))


def test_a_measuring_process_takes_them(two):
    class Takes:
        def prepare(self, plan):
            return plan

    request = encode_block(two[0].code, two[0].filters)
    layout = Layout(filters=(4, 8), repeats=1, height=8, channels=1)
    plan = _answer(Takes(), layout, json.loads(json.dumps(request)))
    wanted = dataclasses.replace(layout, filters=two[0].filters)
    assert plan == design_plan(design_of(two[0].code), wanted)


def test_export_has_them(blockqnn, two):
    status, _, err = blockqnn("export", f"run#{two[0].number}", "--to=out", "--framework=torch")
    assert (status, err) == (0, "")
    facts = json.loads(pathlib.Path("out/network.json").read_text(encoding="utf-8"))
    assert facts["layout"]["filters"] == list(two[0].filters)

"""What the report and TensorBoard say of a mixture."""

import contextlib
import json

import pytest

from blockqnn.networks.spaces.registry import space_named
from blockqnn.report.data import summary
from blockqnn.report.mixture import mixture
from blockqnn.runs.mixtures import EPOCHS
from blockqnn.runs.run_record import read_run
from blockqnn.runs.store import Store
from tests.blockqnn.reading_events import read, scalars
from tests.blockqnn.searching.test_mixture import ROWS, SMALL
from tests.blockqnn.trials_by_hand import run_record


def test_the_report_and_tensorboard_have_every_epoch(blockqnn):
    flags = (*SMALL, "--supernet_epochs=2", "--eigenvalue_every=2", "--tensorboard")
    assert blockqnn("search", *flags, "--run_dir=run")[0] == 0
    run = read_run(blockqnn.directory / "run")
    found = summary(run, 2)["mixture"]
    json.dumps(found, allow_nan=False)
    (part,) = found["parts"]
    assert (part["name"], part["epochs"]) == ("", [1, 2])
    (cell,) = part["cells"]
    assert cell["labels"] == [row.name.partition("/")[2] for row in ROWS]
    assert [len(own) for own in cell["shares"]] == [5] * 6
    for own in cell["shares"]:
        for epoch in range(2):
            assert sum(each[epoch] for each in own) == pytest.approx(1, abs=1e-3)
    assert part["curves"]["eigenvalue"][0] is None and part["curves"]["eigenvalue"][1]
    assert part["curves"]["derived_accuracy"] == pytest.approx(
        [trial.accuracy for trial in run.trials], abs=0.01
    )
    assert found["sentences"][0] == "The cell of epoch 2 is the result, trial 2."
    status, _out, err = blockqnn("report", "run")
    assert (status, err) == (0, "")
    events = scalars(read(blockqnn.directory / "run" / "tensorboard"))
    assert [step for step, _ in events["mixture/accuracy"]] == [1, 2]
    assert [step for step, _ in events["mixture/eigenvalue"]] == [2]
    counted = [
        sum(events[f"mixture/cell/{what}"][epoch][1] for what in ("skip", "pool", "convolution"))
        for epoch in range(2)
    ]
    assert all(0 <= count <= 6 for count in counted)
    # Written afterwards, they are the same.
    assert blockqnn("tensorboard", "run", "--out=later")[0] == 0
    later = scalars(read(blockqnn.directory / "later"))
    assert later["mixture/accuracy"] == events["mixture/accuracy"]


def test_a_store_that_cannot_say_has_no_such_part(blockqnn):
    assert blockqnn("search", *SMALL, "--supernet_epochs=1", "--run_dir=run")[0] == 0
    path = blockqnn.directory / "run"
    for wrong in ([1], [{}], [{"alpha": {"cell/1<-0": "x"}}], [{"alpha": 3, "tally": None}]):
        with contextlib.closing(Store.create_or_open(path / "store.sqlite")) as store:
            store.set_facts({EPOCHS: wrong})
        assert mixture(read_run(path)) is None
        assert blockqnn("report", "run")[0] == 0


def test_rows_that_weigh_edges_are_no_edges(tmp_path):
    rows = space_named("darts").mixture_rows(partial=4)
    epoch = {
        "alpha": {row.name: [0.0] * len(row.choices) for row in rows},
        "accuracy": 50.0,
        "derived_accuracy": 40.0,
        "none": 28,
        "tally": {"normal": {"skip": 0, "pool": 0, "convolution": 8}},
    }
    flags = {"weights": "mixture", "space": "darts", "partial_channels": "4"}
    found = mixture(run_record(tmp_path, [], flags=flags, epochs=(epoch,)))
    assert any(line.startswith("On 28 of 28 edges none") for line in found["sentences"])

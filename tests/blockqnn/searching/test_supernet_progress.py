"""How far a supernet is, and which figures are of its weights: in every place that says so."""

import contextlib
import json

import pytest

from blockqnn.report.supernet import supernet_of
from blockqnn.runs.run_record import read_run
from blockqnn.runs.store import Store
from blockqnn.runs.supernet_record import CHECK, EpochEnded, supernet_from_facts
from tests.blockqnn.reading_events import about, read, scalars
from tests.blockqnn.searching.test_supernet import BY_AGENT, SPLIT

ENAS = (*BY_AGENT, "--agent=reinforce", "--reinforce_children=2", "--tensorboard")


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Holds `enas`, three of whose designs were trained to check scores, and `split`."""
    from blockqnn.__main__ import main

    here = tmp_path_factory.mktemp("supernets")
    assert main(["search", *ENAS, f"--run_dir={here / 'enas'}"]) == 0
    with contextlib.closing(Store.create_or_open(here / "enas" / "store.sqlite")) as store:
        store.set_facts({CHECK: {str(n): {"accuracy": 10.0 * n} for n in (1, 3, 4)}})
    assert main(["search", *SPLIT, "--tensorboard", f"--run_dir={here / 'split'}"]) == 0
    return here


def test_status_says_how_far_the_supernet_is(blockqnn, directory):
    epochs = read_run(directory / "enas").supernet.epochs
    status, out, err = blockqnn("status", directory / "enas")
    assert (status, err) == (0, "")
    reward = 100 * epochs[-1].reward
    assert f"supernet: epoch 5 of 5, loss {epochs[-1].loss:.3f}, mean score {reward:.2f} %" in out
    assert "960 images in" in out
    fields = json.loads(blockqnn("status", directory / "enas", "--format=json")[1])
    assert EpochEnded.from_json(fields["supernet"]).all_images == 960
    _, out, _ = blockqnn("status", directory / "split")
    # Two epochs of the whole, one of each of five parts, five of the control; a part ends last.
    assert "supernet: epoch" in out and "12 of 12 in all" in out


def test_tensorboard_has_each_epoch_once_whoever_writes_it(blockqnn, directory):
    for run in ("enas", "split"):
        record = read_run(directory / run)
        assert blockqnn("tensorboard", directory / run, "--out=again")[0] == 0
        for events in (directory / run / "tensorboard", "again"):
            values = scalars(read(str(events)))
            for part in record.supernet.parts:
                losses = [about(epoch.loss) for epoch in record.supernet.of(part)]
                assert values[f"supernet/loss/{part}"] == list(enumerate(losses, start=1))
            rewards = [e.reward for e in record.supernet.epochs if e.reward is not None]
            found = [value for _, value in values.get("supernet/mean_score", [])]
            assert found == [about(100 * reward) for reward in rewards]
            assert ("supernet/agent/entropy" in values) == (run == "enas")
        for path in (blockqnn.directory / "again").iterdir():
            path.unlink()


def test_the_page_says_which_figures_are_scores(directory):
    run = read_run(directory / "enas")
    found = supernet_of(run)
    assert [(part["name"], part["from"], len(part["loss"])) for part in found["parts"]] == [
        ("whole", 0, 5)
    ]
    assert len(found["reward"]) == len(found["entropy"]) == 5
    assert "5 epochs trained shared weights on 960 images" in found["sentences"][0]
    assert "are scores by these weights" in found["sentences"][1]
    assert "own are the last column of the table below." in found["sentences"][1]
    scores = {t.number: t.accuracy for t in run.trials}
    assert {row["trial"]: row["own"] for row in found["checked"]} == {1: 10.0, 3: 30.0, 4: 40.0}
    assert all(
        row["score"] == pytest.approx(scores[row["trial"]], abs=0.01) for row in found["checked"]
    )
    assert found["checked"][0]["score"] == max(row["score"] for row in found["checked"])
    split = supernet_of(read_run(directory / "split"))
    assert split["reward"] is None and split["checked"] == []
    assert [part["from"] for part in split["parts"]] == [0] + [2] * 6
    assert "12 epochs of 7 supernets" in split["sentences"][0]
    assert "No network of its own has been trained yet." in split["sentences"][1]


def test_explain_counts_what_the_agent_learned_from(blockqnn, directory):
    status, out, err = blockqnn("explain", directory / "enas")
    assert (status, err) == (0, "")
    assert "5 trials and 5 epochs of scores by shared weights" in out
    # Three updates of two designs after each of five epochs, and five trials.
    assert "episodes 35" in " ".join(out.split())


def test_a_record_by_hand():
    epoch = {"part": "whole", "loss": 2.0, "seconds": 3.0, "images": 7}
    facts = {
        "supernet": [epoch, epoch | {"reward": 0.25, "agent": {"entropy": 1.5}}],
        "supernet_plan": {"whole": 3, "one": 4},
        "shared_check": {"9": {"accuracy": None}, "2": {"accuracy": 50}},
    }
    found = supernet_from_facts(facts)
    assert (found.parts, found.total) == (["whole", "one"], 7)
    assert (found.seconds, found.images) == (6.0, 14)
    assert [e.reward for e in found.epochs] == [None, 0.25]
    assert found.own == {9: None, 2: 50.0}
    # A store of an earlier version has no plan.
    assert supernet_from_facts({"supernet": [epoch]}).total == 1
    assert supernet_from_facts({"flags": {}}) is None
    with pytest.raises(ValueError, match="no finite number"):
        supernet_from_facts({"supernet": [epoch | {"loss": float("inf")}]})

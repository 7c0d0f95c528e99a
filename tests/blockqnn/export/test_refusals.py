"""What `export` refuses, and that nothing is written then."""

import json

import numpy as np
from safetensors.numpy import load_file

from blockqnn.networks.child import child_network
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nsc.codes import parse
from tests.blockqnn.trained import CIFAR, write_trained


def test_a_trial_of_a_run_has_no_weights_unless_fresh_ones_are_asked_for(blockqnn):
    blockqnn.search("--preset=smoke", "--run_dir=run")
    before = blockqnn.files()
    for reference in ("run", "run#best", "run#1", "residual"):
        status, out, err = blockqnn("export", reference, "--to=out")
        assert (status, out) == (2, "")
        assert "has no trained weights: a search keeps none. Train it" in err
        assert "--fresh_weights" in err
        assert len(err.splitlines()) == 1
    assert blockqnn.files() == before
    status, out, err = blockqnn("export", "run", "--to=out", "--fresh_weights", "--seed=4")
    assert (status, err) == (0, "")
    assert "NOT TRAINED: the weights are initial ones." in out
    facts = json.loads((blockqnn.directory / "out" / "network.json").read_text())
    best = json.loads(blockqnn("show", "run", "--format=json")[1])["best"][0]
    assert facts["hash"] == best["hash"]
    assert facts["layout"]["filters"] == [4, 8]
    assert (facts["trained"], facts["seed"]) == (False, 4)
    assert "not trained" in (blockqnn.directory / "out" / "README.md").read_text()
    assert "not\ntrained" in (blockqnn.directory / "out" / "network.py").read_text()
    layout = Layout(**facts["layout"] | {"filters": (4, 8)})
    child = child_network(parse(facts["code"]), layout, seed=4)
    weights = load_file(blockqnn.directory / "out" / "weights.safetensors")
    assert np.array_equal(weights["head_linear.kernel"], child.weights()[0][-1]["kernel"])


def refused(blockqnn, *words):
    before = blockqnn.files()
    status, out, err = blockqnn("export", *words)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert blockqnn.files() == before
    return err


def test_where_nothing_can_be_written_nothing_is(blockqnn):
    write_trained(blockqnn.directory / "trained", CIFAR)
    (blockqnn.directory / "full").mkdir()
    (blockqnn.directory / "full" / "mine.txt").write_text("keep")
    (blockqnn.directory / "file").write_text("keep")
    assert "--to full exists already" in refused(blockqnn, "trained", "--to=full")
    assert "--to file exists already" in refused(blockqnn, "trained", "--to=file")
    assert "--to file/x cannot be written" in refused(blockqnn, "trained", "--to=file/x")
    assert "cannot be written" in refused(blockqnn, "trained", "--to=" + "x" * 300)
    assert "export needs --to=DIR" in refused(blockqnn, "trained")
    assert "takes one CHECKPOINT" in refused(blockqnn, "--to=out")
    assert "takes one CHECKPOINT" in refused(blockqnn, "a", "b", "--to=out")


def test_a_write_that_fails_half_way_leaves_nothing(blockqnn, monkeypatch):
    write_trained(blockqnn.directory / "trained", CIFAR)

    def fails(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("blockqnn.export.forward.export_forward", fails)
    err = refused(blockqnn, "trained", "--to=out")
    assert err == "blockqnn: --to out cannot be written: No space left on device.\n"


def test_an_empty_folder_is_filled(blockqnn):
    write_trained(blockqnn.directory / "trained", CIFAR)
    (blockqnn.directory / "out").mkdir()
    assert blockqnn("export", "trained", "--to=out")[0] == 0
    assert sorted(path.name for path in (blockqnn.directory / "out").iterdir()) == [
        "README.md",
        "network.json",
        "network.py",
        "network.stablehlo",
        "weights.orbax",
        "weights.safetensors",
    ]
    assert not list(blockqnn.directory.glob(".out*"))


def test_a_title_cannot_speak_to_the_terminal(blockqnn):
    write_trained(blockqnn.directory / "trained", CIFAR, title="\x1b[2J\nTrained for 900 epochs.")
    out = blockqnn("export", "trained", "--to=out")[1]
    assert out.startswith("'\\x1b[2J\\nTrained for 900 epochs.': [(")
    assert "\x1b" not in out


def test_checkpoints_that_cannot_be_used_are_refused(blockqnn):
    (blockqnn.directory / "empty").mkdir()
    assert "There is no checkpoint in empty" in refused(blockqnn, "empty", "--to=out")
    assert "There is no checkpoint 'none'; allowed: the" in refused(blockqnn, "none", "--to=out")
    write_trained(blockqnn.directory / "damaged", CIFAR)
    (blockqnn.directory / "damaged" / "metadata.json").write_text("{}")
    assert "is damaged" in refused(blockqnn, "damaged", "--to=out")
    claimed = {"layout": {**vars(CIFAR), "filters": [4, 4]}}
    write_trained(blockqnn.directory / "other", CIFAR, **claimed)
    assert "holds the weights of another network" in refused(blockqnn, "other", "--to=out")
    for name, mean in (("short", [1.0]), ("nan", [1.0, 2.0, float("nan")]), ("text", ["a"] * 3)):
        write_trained(blockqnn.directory / name, CIFAR, mean=mean)
        assert "by which mean and deviation" in refused(blockqnn, name, "--to=out")

"""What `export` refuses, and that nothing is written then."""

import json
import re

import numpy as np
from safetensors.numpy import load_file

from blockqnn.networks.child import child_network
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nsc.codes import parse
from tests.blockqnn.trained import ALL, CIFAR, write_trained


def test_a_trial_of_a_run_is_exported_with_initial_weights(blockqnn):
    blockqnn.search("--preset=smoke", "--run_dir=run")
    status, out, err = blockqnn("export", "run", "--to=out", "--seed=4")
    assert (status, err) == (0, "")
    assert "NOT TRAINED: the weights are initial ones." in out
    facts = json.loads((blockqnn.directory / "out" / "network.json").read_text())
    best = json.loads(blockqnn("show", "run", "--format=json")[1])["best"][0]
    assert facts["hash"] == best["hash"]
    assert facts["layout"]["filters"] == [4, 8]
    assert (facts["trained"], facts["seed"]) == (False, 4)
    for name in ("README.md", "network.py"):
        text = (blockqnn.directory / "out" / name).read_text(encoding="utf-8")
        assert re.search(r"initial\s+ones,\s+not\s+trained", text)
    layout = Layout(**facts["layout"] | {"filters": (4, 8)})
    child = child_network(parse(facts["code"]), layout, seed=4)
    weights = load_file(blockqnn.directory / "out" / "weights.safetensors")
    assert np.array_equal(weights["head.kernel"], child.weights()[0][-1]["kernel"])
    # The same command as of earlier versions, and a trial and a name.
    assert blockqnn("export", "run#best", "--to=old", "--fresh_weights")[::2] == (0, "")
    assert blockqnn("export", "residual", "--to=name", "--filters=2", "--repeats=1")[0] == 0


def test_a_training_can_be_exported_with_initial_weights(blockqnn):
    write_trained(blockqnn.directory / "trained", CIFAR)
    status, out, err = blockqnn("export", "trained", "--to=out", "--fresh_weights", "--seed=2")
    assert (status, err) == (0, "")
    assert "NOT TRAINED" in out
    facts = json.loads((blockqnn.directory / "out" / "network.json").read_text())
    assert (facts["trained"], facts["seed"], facts["mean"]) == (False, 2, [120.5, 60.25, 30.125])
    weights = load_file(blockqnn.directory / "out" / "weights.safetensors")
    child = child_network(ALL, CIFAR, seed=2)
    assert np.array_equal(weights["head.kernel"], child.weights()[0][-1]["kernel"])


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
    assert "takes one TRAINING" in refused(blockqnn, "--to=out")
    assert "takes one TRAINING" in refused(blockqnn, "a", "b", "--to=out")


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
    assert "There is nothing to export at 'none'; allowed: the" in refused(
        blockqnn, "none", "--to=out"
    )
    write_trained(blockqnn.directory / "damaged", CIFAR)
    (blockqnn.directory / "damaged" / "metadata.json").write_text("{}")
    assert "is damaged" in refused(blockqnn, "damaged", "--to=out")
    claimed = {"layout": {**vars(CIFAR), "filters": [4, 4]}}
    write_trained(blockqnn.directory / "other", CIFAR, **claimed)
    assert "holds the weights of another network" in refused(blockqnn, "other", "--to=out")
    for name, mean in (("short", [1.0]), ("nan", [1.0, 2.0, float("nan")]), ("text", ["a"] * 3)):
        write_trained(blockqnn.directory / name, CIFAR, mean=mean)
        assert "by which mean and deviation" in refused(blockqnn, name, "--to=out")

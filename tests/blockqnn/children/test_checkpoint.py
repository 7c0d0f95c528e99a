"""Checkpoints: what they hold, and what is refused of them."""

import dataclasses
import json
import subprocess

import jax
import numpy as np
import pytest

from blockqnn.children.checkpoint import (
    METADATA,
    SUMS,
    DamagedError,
    checkpoints,
    load_checkpoint,
    verify,
    write_checkpoint,
)
from blockqnn.children.checkpoint_metadata import Metadata, read_metadata
from blockqnn.children.named_weights import by_layer, by_name
from blockqnn.errors import UserError
from blockqnn.networks.initial import initial_parameters, initial_statistics
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import write
from blockqnn.networks.spaces.nsc.stacking import make_plan
from tests.blockqnn.small_trainings import JOINED, LAYOUT, equal

PLAN = make_plan(canonical_form(JOINED), LAYOUT)


def metadata(**changes):
    """Of a network that was never trained."""
    facts = {
        "code": write(JOINED),
        "hash": canonical_form(JOINED).hash,
        "title": "joined",
        "layout": dataclasses.asdict(LAYOUT) | {"filters": list(LAYOUT.filters)},
        "recipe": {"epochs": 3},
        "data": {"source": {"dataset": "digits"}},
        "mean": [10.0],
        "deviation": [2.0],
        "class_names": [],
        "seed": 0,
        "step": 7,
        "steps_per_epoch": 5,
        "history": [{"epoch": 1, "loss": 0.5}],
        "epoch_seconds": 1.5,
        "flags": {"epochs": "3"},
    }
    return Metadata(**facts | changes)


def weights(seed=0):
    random = np.random.default_rng(seed)

    def changed(tree):
        return jax.tree.map(lambda a: random.uniform(0.5, 1.5, a.shape).astype(np.float32), tree)

    return {
        "parameters": by_name(PLAN, changed(initial_parameters(PLAN, 0))),
        "statistics": by_name(PLAN, changed(initial_statistics(PLAN))),
    }


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "checkpoints" / "step-000000007"
    write_checkpoint(path, metadata(), weights(), {"momentum": weights()["parameters"]})
    return path


def test_a_checkpoint_is_read_as_it_was_written(written, tmp_path):
    assert sorted(p.name for p in written.iterdir()) == sorted(
        [SUMS, METADATA, "training", "weights"]
    )
    for path in (written, tmp_path):  # Of a training's directory the newest is meant.
        found = load_checkpoint(path)
        assert (found.path, found.metadata) == (written, metadata())
        assert equal([found.parameters, found.statistics], list(weights().values()))
    kernel = weights()["parameters"]["stage1"]["block1"]["layer1"]["kernel"]
    assert found.parameters["stage1"]["block1"]["layer1"]["kernel"].dtype == np.float32
    assert np.array_equal(found.parameters["stage1"]["block1"]["layer1"]["kernel"], kernel)


def test_the_network_of_a_checkpoint_has_its_weights(written):
    checkpoint = load_checkpoint(written)
    network = checkpoint.network()
    parameters, statistics = network.weights()
    assert equal(by_name(PLAN, parameters), weights()["parameters"])
    assert equal(by_name(PLAN, statistics), weights()["statistics"])
    x = checkpoint.normalised(np.full((2, 8, 8, 1), 14, np.uint8))
    assert x.dtype == np.float32
    assert (x == 2.0).all()
    assert np.array_equal(network(x), network(x)), "it is in evaluation mode"


def test_names_and_layers_are_two_views_of_the_same_weights():
    layers = initial_parameters(PLAN, 5)
    assert equal(by_layer(PLAN, by_name(PLAN, layers)), layers)


def test_its_checksums_are_those_of_sha256sum(written):
    subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=written, check=True)


def files(path):
    return sorted(p for p in path.rglob("*") if p.is_file())


def test_any_change_of_any_file_is_found(written):
    assert len(files(written)) > 5
    for file in files(written):
        whole = file.read_bytes()
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 1
        for damage in (whole[:-2], bytes(flipped), b""):
            file.write_bytes(damage)
            with pytest.raises(DamagedError, match=f"The checkpoint {written} is damaged"):
                verify(written)
        file.unlink()
        with pytest.raises(DamagedError):
            verify(written)
        file.write_bytes(whole)
        verify(written)


def test_a_strange_file_is_damage(written):
    (written / "weights" / "more").write_text("")
    with pytest.raises(DamagedError, match="weights/more is not as it was written"):
        load_checkpoint(written)


def sealed(path):
    """Makes the checksums right again after a change."""
    lines = subprocess.run(
        ["sha256sum", *[f.relative_to(path) for f in files(path) if f.name != SUMS]],
        cwd=path,
        check=True,
        capture_output=True,
    )
    (path / SUMS).write_bytes(lines.stdout)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "is of format 2; this version reads format 1"),
        ({"code": "[(1,9,0,0,0)]"}, "does not describe a network"),
        ({"layout": {"kind": "x"}}, "does not describe a"),
        ({"new": 1}, "does not describe a checkpoint"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused(written, changes, words):
    facts = json.loads((written / METADATA).read_text())
    (written / METADATA).write_text(json.dumps(facts | changes))
    sealed(written)
    with pytest.raises(UserError, match=words):
        load_checkpoint(written)


@pytest.mark.parametrize("text", ["", "[]", "{}", "\x00", "null"])
def test_what_is_no_description_is_refused(tmp_path, text):
    (tmp_path / METADATA).write_text(text)
    with pytest.raises(UserError, match="does not describe a checkpoint"):
        read_metadata(tmp_path)


def test_where_there_is_none_it_is_said(tmp_path):
    with pytest.raises(UserError, match=f"There is no checkpoint in {tmp_path}"):
        load_checkpoint(tmp_path)


def test_only_whole_checkpoints_have_their_name(tmp_path, monkeypatch):
    path = tmp_path / "checkpoints" / "step-000000001"

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("blockqnn.children.checkpoint._digest", die)
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(path, metadata(), weights(), {"step": np.int32(1)})
    assert checkpoints(tmp_path) == []
    monkeypatch.undo()
    write_checkpoint(path, metadata(), weights(), {"step": np.int32(1)})
    assert checkpoints(tmp_path) == [path]
    verify(path)
    assert [p.name for p in path.parent.iterdir()] == [path.name]

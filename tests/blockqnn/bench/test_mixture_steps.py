"""`bench --mixture`: what a step of a mixture costs beside PyTorch's."""

import json
import re

import numpy as np
import pytest

from blockqnn.bench.mixture_child import MixtureChild
from blockqnn.bench.mixture_steps import in_words
from blockqnn.children.training import on_device
from blockqnn.data.images import Images
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import mixture_of
from blockqnn.settings import Recipe

TINY = ("bench", "--repeats=1", "--filters=2", "--steps=1", "--batch_size=8", "--image_size=4")


def test_a_mixture_is_measured_beside_pytorch(blockqnn):
    pytest.importorskip("torch")
    status, out, err = blockqnn(*TINY, "--mixture=nasbench201", "--format=json")
    assert status == 0, err
    assert "Mixture:  cells of NAS-Bench-201, 332 parameters, images 4x4x3, batches of 8" in err
    facts = json.loads(out)
    # Stem 3x3x3x2 and its norm, head's norm, 2 x 10 + 10, and six edges with 2x2 and 3x3x2x2.
    assert facts["parameters"] == 54 + 4 + 4 + 30 + 6 * (4 + 36) == 332
    assert (facts["space"], facts["cores"], facts["batch_size"]) == ("nasbench201", 1, 8)
    seconds = [facts[name] for name in ("step_seconds", "torch_step_seconds", "compile_seconds")]
    assert min(seconds) > 0 and facts["ratio"] > 0 and facts["fastest_ratio"] > 0


def test_its_child_trains_weights_and_alpha():
    layout = Layout("nasbench201", (2,), 1, 3, 3, 1, 3)
    pixels = np.random.default_rng(0).integers(0, 256, (16, 3, 3, 1), np.uint8)
    images = Images(pixels, np.arange(16) % 3)
    part = on_device(images, images)[0]
    child = MixtureChild(mixture_of("nasbench201", layout), Recipe(), 8, part)
    before = {key: own.parameters for key, own in child._bank.entries.items()}
    child.train_epoch(part, np.arange(16, dtype=np.int32).reshape(2, 8), 0.1)
    child.weights()
    changed = [
        not np.array_equal(own.parameters[name], before[key][name])
        for key, own in child._bank.entries.items()
        for name in own.parameters
    ]
    assert all(changed) and child._alpha.steps == 2
    assert all(row.any() for row in child._alpha.rows.values())


def test_what_it_measures_in_words():
    facts = {
        **{"space": "rows", "device": "cpu", "torch_device": "cpu too", "cores": 2},
        **{"step_seconds": 0.02, "torch_step_seconds": 0.0125, "ratio": 1.6},
        **{"fastest_ratio": 1.43, "compile_seconds": 7.0},
    }
    words = in_words(facts)
    assert re.search(r"20\.0 +12\.5 +1\.60 +1\.43 +7\.0 +rows\n", words)
    assert words.endswith("cpu, 2 of its cores; PyTorch: cpu too")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--mixture=nsc",), "designs of this space have no such edges; --mixture=nsc cannot be m"),
        (("--mixture=darts", "--designs=3"), "so --designs has no effect on it; leave it out"),
        (("--mixture=darts", "--supernet=darts"), "--supernet measures designs of darts"),
    ],
)
def test_what_cannot_be_measured_is_said(blockqnn, flags, words):
    status, out, err = blockqnn("bench", *flags)
    assert (status, out) == (2, "") and words in err and err.count("\n") == 1

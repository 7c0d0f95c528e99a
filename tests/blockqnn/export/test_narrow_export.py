"""Convolutions of one row and of one column, which rules of stacking bring, in source code."""

import contextlib
import importlib.util
import io
import sys

import numpy as np
import pytest

from blockqnn.__main__ import main
from blockqnn.children.checkpoint import load_checkpoint
from blockqnn.children.named_weights import by_layer
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import parse
from tests.blockqnn.trained import pixels, write_trained
from tests.networks.spaces.pairs.test_forward_pass import FILTERS, NARROW, Network, logits

LAYOUT = Layout("cells", tuple(FILTERS * 2**i for i in range(3)), 1, 9, 10, 3, 4, 3, "amoeba")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("narrow") / "step-00000020"
    return load_checkpoint(write_trained(path, LAYOUT, parse(NARROW), title="narrow"))


def exported(checkpoint, folder, framework):
    """The source code that export writes."""
    words = ["export", str(checkpoint.path), f"--framework={framework}", f"--to={folder}"]
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(words) == 0
    return (folder / "network.py").read_text()


def test_torch_computes_what_numpy_does(checkpoint, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    text = "".join(exported(checkpoint, tmp_path / "out", "torch").split())
    # The kernels of 1x7 and 7x1, in a reduction on a quarter of eight filters.
    assert "ReluWindowNorm(2,2,(1,7),(1,2)" in text
    assert "ReluWindowNorm(2,2,(7,1),(2,1)" in text
    found = importlib.util.spec_from_file_location("narrow", tmp_path / "out" / "network.py")
    module = importlib.util.module_from_spec(found)
    monkeypatch.setitem(sys.modules, "narrow", module)
    found.loader.exec_module(module)
    network = module.load(str(tmp_path / "out" / "weights.safetensors"))
    images = pixels(LAYOUT)
    with torch.no_grad():
        inputs = module.normalise(torch.from_numpy(np.moveaxis(images, -1, 1).copy()))
        written = network(inputs).numpy()
    plan = checkpoint.metadata.plan
    net = Network(plan, seed=0)
    weights = (by_layer(plan, arrays) for arrays in (checkpoint.parameters, checkpoint.statistics))
    net.of = {
        layer.name: trained | running
        for layer, trained, running in zip(plan, *weights, strict=True)
    }
    wanted = logits(net, NARROW, 3, checkpoint.normalised(images).astype(np.float64), "amoeba")
    np.testing.assert_allclose(written, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())

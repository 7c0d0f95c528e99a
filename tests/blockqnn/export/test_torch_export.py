"""Exported modules of PyTorch give the logits of the project's networks."""

import json
import re
import sys

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

from blockqnn.children.checkpoint import load_checkpoint
from blockqnn.export.architecture import architecture
from blockqnn.export.forward import compute_logits
from blockqnn.export.source import source_code
from blockqnn.export.subject import Subject
from blockqnn.export.torch_forms import TORCH
from blockqnn.export.weights import named_weights
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, design_plan
from tests.blockqnn.trained import NETWORKS, NOT_REPEATED, pixels, trained_weights, write_trained
from tests.strategies import blocks

torch = pytest.importorskip("torch")

TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(scope="module", params=NETWORKS)
def checkpoint(request, tmp_path_factory):
    """A checkpoint of each network."""
    code, layout = NETWORKS[request.param]
    path = tmp_path_factory.mktemp(request.param) / "step-00000020"
    return load_checkpoint(write_trained(path, layout, code))


def run_page(folder, monkeypatch):
    """Runs the code of an exported page, each block with names of its own."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    programs = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "network", raising=False)
    found = []
    for program in programs:
        names = {"__name__": "page"}
        exec(compile(program, "README.md", "exec"), names)
        found.append(names)
    monkeypatch.delitem(sys.modules, "network")
    return found


def test_the_code_of_the_page_gives_the_same_logits(blockqnn, checkpoint, monkeypatch, capsys):
    status, out, err = blockqnn("export", checkpoint.path, "--to=out", "--framework=torch")
    assert (status, err) == (0, "")
    assert "network.stablehlo" not in out
    folder = blockqnn.directory / "out"
    layout = checkpoint.metadata.child_layout
    images = pixels(layout)
    mode = {1: "L", 3: "RGB"}[layout.channels]
    image = Image.frombytes(mode, images.shape[2:0:-1], images[0].tobytes())
    image.save(folder / "photo.jpg", format="png")
    classify, own, *more = run_page(folder, monkeypatch)
    assert len(more) == (0 if checkpoint.metadata.code in NOT_REPEATED else 1)
    wanted = np.asarray(checkpoint.network()(checkpoint.normalised(images)))
    assert np.ptp(wanted) > 1
    np.testing.assert_allclose(classify["logits"], wanted[:1], **TOLERANCE)
    batch = torch.from_numpy(images).permute(0, 3, 1, 2)
    with torch.no_grad():
        found = classify["network"](classify["normalise"](batch))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, wanted, **TOLERANCE)
    assert own["logits"].shape == (2, 7)
    for trained in more:
        assert trained["maps"].ndim == 4
        assert trained["network"](torch.zeros(2, *images.shape[:0:-1])).shape == (2, 7)
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in printed] == checkpoint.metadata.class_names
    facts = json.loads((folder / "network.json").read_text())
    count = sum(p.numel() for p in classify["network"].parameters())
    assert count == facts["parameters"]


def imported(source):
    names = {"__name__": "exported"}
    exec(compile(source, "network.py", "exec"), names)
    return names


@settings(max_examples=8)
@given(blocks(min_layers=2, max_layers=9))
def test_any_block_has_the_logits_of_the_child_network(code):
    layout = Layout(filters=(2, 3), repeats=2, height=5, width=4, channels=2, classes=3)
    plan = design_plan(design_of(code), layout)
    parameters, statistics = trained_weights(plan)
    parts = architecture(code, layout)
    subject = Subject("t", code, layout, [], [], (0.0, 0.0), (1.0, 1.0), (), None, 0)
    network = imported(source_code(subject, parts, TORCH))["Network"]()
    weights = named_weights(parts, parameters, statistics, TORCH)
    network.load_state_dict({name: torch.from_numpy(a) for name, a in weights.items()})
    network.eval()
    images = np.random.default_rng(0).normal(size=(3, *layout.image_shape)).astype(np.float32)
    with torch.no_grad():
        found = network(torch.from_numpy(images).permute(0, 3, 1, 2))
    wanted = jax.jit(lambda x: compute_logits(plan, parameters, statistics, x))(images)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)


def test_a_new_network_starts_as_those_of_the_project_and_learns(blockqnn):
    small = ["--filters=16,32", "--repeats=1", "--image_size=8", "--framework=torch"]
    assert blockqnn("export", "residual", "--to=out", *small)[0] == 0
    module = imported((blockqnn.directory / "out" / "network.py").read_text(encoding="utf-8"))
    torch.manual_seed(0)
    network = module["Network"](classes=3)
    kernel = network.stage2[0].conv2.conv.weight
    assert kernel.std().item() == pytest.approx(np.sqrt(2 / (9 * 32)), rel=0.1)
    assert not network.head.bias.any()
    images = torch.randn(12, 3, 8, 8)
    labels = torch.arange(12) % 3
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    losses = []
    for _ in range(10):
        loss = torch.nn.functional.cross_entropy(network(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    assert module["Block"](channels=4, filters=6)(torch.zeros(1, 4, 5, 5)).shape == (1, 6, 5, 5)


def test_an_image_is_turned_and_put_on_white(blockqnn):
    small = ["--filters=2", "--repeats=1", "--image_size=4", "--framework=torch"]
    assert blockqnn("export", "residual", "--to=out", *small)[0] == 0
    module = imported((blockqnn.directory / "out" / "network.py").read_text(encoding="utf-8"))
    path = blockqnn.directory / "image.png"
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.putpixel((3, 0), (255, 0, 0, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # It is to be turned by a quarter clockwise.
    image.save(path, exif=exif)
    found = module["read_image"](path)
    assert (found.dtype, found.shape) == (torch.uint8, (1, 3, 4, 4))
    assert found[0, :, 3, 3].tolist() == [255, 0, 0]
    assert found.sum() == 255 * (15 * 3 + 1)

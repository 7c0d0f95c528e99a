"""Networks exported as ONNX give the project's logits in a runtime that knows neither framework."""

import importlib.util
import json
import re

import numpy as np
import pytest

from blockqnn.children.checkpoint import load_checkpoint
from tests.blockqnn.trained import NETWORKS, pixels, write_trained


def test_without_the_converter_a_sentence_says_what_to_install(blockqnn, monkeypatch):
    found = importlib.util.find_spec

    def without_onnx(name, *rest):
        return None if name in ("onnx", "onnxscript") else found(name, *rest)

    monkeypatch.setattr("blockqnn.export.onnx_file.importlib.util.find_spec", without_onnx)
    before = blockqnn.files()
    status, out, err = blockqnn("export", "residual", "--to=out", "--framework=onnx")
    assert (status, out) == (2, "")
    assert "pip install " in err and " onnx onnxscript." in err
    assert blockqnn.files() == before


@pytest.mark.parametrize("name", NETWORKS)
def test_onnxruntime_gives_the_same_logits(blockqnn, name, monkeypatch):
    for package in ("torch", "onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    code, layout = NETWORKS[name]
    path = write_trained(blockqnn.directory / "step-00000020", layout, code)
    status, _, err = blockqnn("export", path, "--to=out", "--framework=onnx")
    assert (status, err) == (0, "")
    folder = blockqnn.directory / "out"
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "network.json",
        "network.onnx",
    ]
    checkpoint = load_checkpoint(path)
    images = pixels(layout)
    np.save(folder / "images.npy", images)
    (program,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(folder)
    names = {}
    exec(program.replace("np.zeros", "np.load('images.npy') + 0 * np.zeros"), names)
    wanted = np.asarray(checkpoint.network()(checkpoint.normalised(images)))
    np.testing.assert_allclose(names["logits"], wanted, rtol=1e-4, atol=1e-4)
    (one,) = names["session"].run(None, {"pixels": images[:1]})
    np.testing.assert_allclose(one, wanted[:1], rtol=1e-4, atol=1e-4)
    assert json.loads((folder / "network.json").read_text())["trained"]

"""Networks whose batch norms have neither scale nor shift, in source code and as one program."""

import dataclasses
import importlib.util

import jax
import numpy as np
import pytest

from blockqnn.export.architecture import architecture
from blockqnn.export.flax_forms import FLAX
from blockqnn.export.forward import compute_logits
from blockqnn.export.source import source_code
from blockqnn.export.subject import Subject
from blockqnn.export.torch_forms import TORCH
from blockqnn.export.weights import named_weights, write_safetensors
from blockqnn.networks.child import ChildNetwork
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, design_plan, parse, space_named
from tests.blockqnn.trained import ALL, CELL, CELLS, CIFAR, DARTS, NASNET, trained_weights

ROUND = Layout("cells", (2, 4), 1, 9, 10, 3, 4, cells=3, rules="enas")
NETWORKS = {
    "block": (ALL, CIFAR),
    "cell": (CELL, CELLS),
    "nasnet": (NASNET, ROUND),
    "darts": (DARTS, dataclasses.replace(ROUND, rules="darts")),
    "layer and instance norm": (parse(space_named("nasnet_c").example), ROUND),
    "four inputs": (parse(space_named("nasnet_b").example), ROUND),
}


def imported(subject, parts, dialect, folder):
    path = folder / "written.py"
    path.write_text(source_code(subject, parts, dialect))
    spec = importlib.util.spec_from_file_location(f"written_{dialect.name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    weights = named_weights(parts, subject.parameters, subject.statistics, dialect)
    write_safetensors(folder / "weights.safetensors", weights)
    return module, module.load(str(folder / "weights.safetensors")), path.read_text()


@pytest.mark.parametrize(("code", "layout"), NETWORKS.values(), ids=NETWORKS)
def test_every_form_has_the_logits_of_the_child_network(code, layout, tmp_path):
    layout = dataclasses.replace(layout, unscaled=True)
    plan = design_plan(design_of(code), layout)
    trained, running = trained_weights(plan)
    zeros, ones = ((number,) * layout.channels for number in (0.0, 1.0))
    subject = Subject("t", code, layout, trained, running, zeros, ones, (), None, 0)
    parts = architecture(code, layout)
    images = np.random.default_rng(0).normal(size=(3, *layout.image_shape)).astype(np.float32)
    network = ChildNetwork(plan)
    network.set_weights(trained, running)
    network.eval()
    wanted = np.asarray(network(images))
    assert np.ptp(wanted) > 0.1
    found = jax.jit(lambda x: compute_logits(plan, trained, running, x))(images)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    _, flax, text = imported(subject, parts, FLAX, tmp_path)
    assert text.count("def unscaled_norm(") == 1
    # What people run it with.
    with jax.numpy_dtype_promotion("standard"):
        found = flax(images)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    torch = pytest.importorskip("torch")
    _, module, text = imported(subject, parts, TORCH, tmp_path)
    with torch.no_grad():
        found = module(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    count = sum(array.size for arrays in trained for array in arrays.values())
    assert sum(parameter.numel() for parameter in module.parameters()) == count


def test_source_of_networks_with_scale_says_nothing_of_it():
    subject = Subject("t", CELL, CELLS, [], [], (0.0,) * 3, (1.0,) * 3, (), None, 0)
    for dialect in (FLAX, TORCH):
        assert "nscaled" not in source_code(subject, architecture(CELL, CELLS), dialect)

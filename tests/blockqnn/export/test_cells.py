"""Recurrent cells exported: the source alone computes what the project computes."""

import importlib.util
import json
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from blockqnn.errors import UserError
from blockqnn.export.cell_command import CellSubject, write_cell
from blockqnn.export.cell_source import cell_source, weight_names
from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.recurrent.initial import initial_weights
from blockqnn.networks.recurrent.language_model import LanguageModel
from blockqnn.networks.spaces.registry import design_of, design_plan, published, write

CELLS = ["nas-cell", "enas-rnn", "darts-rnn-v2", "lstm", "gru"]
WORDS = jnp.asarray([[3, 0, 7, 7], [5, 5, 2, 9]])


def layout(**more):
    return Layout(LANGUAGE, (5, 4), 1, 1, 1, 1, 11, **more)


def exported(name, folder, **more):
    code = published()[name]
    plan = design_plan(design_of(code), layout(**more))
    weights = initial_weights(plan, 3, 0.5)
    words = tuple(f"w{n}" for n in range(11))
    write_cell(CellSubject(name, code, layout(**more), weights, 0, words, 12.5), folder, "flax")
    model = LanguageModel(plan)
    model.set_weights(weights)
    return model


def module_at(folder, name):
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), folder / "network.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", CELLS)
def test_the_source_computes_the_same_scores(name, tmp_path):
    model = exported(name, tmp_path, untied=name == "gru")
    loaded = module_at(tmp_path, name).load()
    read = nnx.jit(lambda model, words: model(words))
    ours, _ = read(model, WORDS)
    theirs, states = read(loaded, WORDS)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert len(states) == 2


def test_the_cell_alone_and_the_state_that_goes_on(tmp_path):
    exported("lstm", tmp_path)
    module = module_at(tmp_path, "alone")
    cell = module.Cell(3, 6, rngs=nnx.Rngs(0))
    y, state = cell(jnp.ones((2, 3)), cell.initial_state(2))
    assert y.shape == (2, 6) and [each.shape for each in state] == [(2, 6), (2, 6)]
    model = module.load()
    whole, _ = model(WORDS)
    first, states = model(WORDS[:, :2])
    second, _ = model(WORDS[:, 2:], states)
    np.testing.assert_allclose(whole, jnp.concatenate([first, second], 1), atol=1e-6)


def test_the_folder_needs_nothing_of_the_project(tmp_path):
    exported("darts-rnn-v1", tmp_path)
    program = (
        "import sys; sys.modules['blockqnn'] = None\n"
        "import jax.numpy as jnp\nfrom network import load\n"
        "print(load()(jnp.zeros((1, 2), jnp.int32))[0].shape)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout == "(1, 2, 11)\n"
    facts = json.loads((tmp_path / "network.json").read_text())
    assert facts["validation_perplexity"] == 12.5 and facts["trained"]
    assert facts["code"] == write(published()["darts-rnn-v1"])
    assert (tmp_path / "vocabulary.txt").read_text().splitlines()[2] == '"w2"'
    assert "12.50" in (tmp_path / "README.md").read_text()


def test_every_array_has_a_name_of_its_own():
    plan = design_plan(design_of(published()["nas-cell"]), layout())
    names = list(weight_names(plan).values())
    assert len(set(names)) == len(names) == sum(len(each.parameter_shapes) for each in plan)
    source = cell_source(plan, layout(), "nas_cell ...")
    assert "dropout" not in source and "highway" not in source


def test_other_frameworks_are_refused(tmp_path):
    code = published()["lstm"]
    with pytest.raises(UserError, match="exported to Flax alone; allowed: flax"):
        write_cell(CellSubject("lstm", code, layout(), None, 0), tmp_path, "torch")

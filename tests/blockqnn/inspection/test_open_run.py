"""A run from Python: data frame, blocks, drawings, modules."""

import dataclasses
import json
import pathlib
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from flax import nnx

import blockqnn as package
from blockqnn.errors import UserError
from blockqnn.inspection.block import Block
from blockqnn.inspection.trials_frame import trials_frame
from blockqnn.networks.cost import cost
from blockqnn.networks.initial import initial_parameters
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import CodeError, parse, write
from blockqnn.networks.spaces.nsc.stacking import make_plan
from blockqnn.runs.store import FILE_NAME
from blockqnn.trial import Status, Trial
from tests.blockqnn.small_searches import CONV3
from tests.drawn import motifs_of
from tests.paths import ROOT

SEARCH = ("--preset=smoke", "--max_layers=4", "--blocks_per_iteration=5", "--run_dir=run")


def test_importing_the_package_loads_nothing_heavy():
    program = (
        "import sys, blockqnn\n"
        "assert 'open_run' in dir(blockqnn)\n"
        "heavy = {'jax', 'flax', 'numpy', 'pandas', 'matplotlib', 'igraph', 'absl'}\n"
        "assert not heavy & set(sys.modules)\n"
        "import blockqnn.__main__\n"
        "heavy = {'jax', 'flax', 'optax', 'pandas', 'matplotlib', 'plotly', 'igraph', 'gymnasium',"
        " 'tensorboardX'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_opening_a_run_loads_no_jax(run):
    program = (
        "import sys, blockqnn\n"
        "run = blockqnn.open_run('run')\n"
        "run.trials, repr(run), run._repr_html_(), repr(run.best(2))\n"
        "assert not {'matplotlib', 'igraph'} & set(sys.modules)\n"
        "run.best(2)._repr_html_()\n"
        "assert not {'jax', 'flax', 'absl'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_type_checker_sees_the_types():
    assert (ROOT / "blockqnn" / "py.typed").is_file()
    assert 'blockqnn = ["py.typed"]' in (ROOT / "pyproject.toml").read_text()


def test_the_frame_has_the_trials(run, blockqnn):
    frame = run.trials
    facts = blockqnn.trials("run")
    assert frame.index.name == "number"
    listing = blockqnn("trials", "run", "--format=csv")[1].splitlines()[0]
    assert ",".join([frame.index.name, *frame.columns]) == listing
    assert frame["reward"].isna().tolist() == frame["accuracy"].isna().tolist()
    assert frame.index.tolist() == [fact["number"] for fact in facts]
    for name in set(frame.columns) - {"finished", "accuracies"}:
        theirs = [fact[name] for fact in facts]
        ours = [None if pd.isna(value) else value for value in frame[name].tolist()]
        assert ours == theirs, name
    assert [list(a) or None for a in frame["accuracies"]] == [f["accuracies"] for f in facts]
    assert all(isinstance(accuracies, tuple) for accuracies in frame["accuracies"])
    seconds = (frame["finished"] - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    assert seconds.tolist() == pytest.approx([fact["finished"] for fact in facts], abs=1e-5)
    fields = {field.name for field in dataclasses.fields(Trial)} - {"number", "sampled"}
    assert fields <= set(frame.columns)


TYPES = {
    "iteration": "int64",
    "epsilon": "float64",
    "status": "category",
    "accuracy": "float64",
    "accuracies": "object",
    "reward": "float64",
    "code": "string",
    "parameters": "int64",
    "flops": "int64",
    "seconds": "float64",
    "seed": "int64",
    "source": "Int64",
    "reason": "string",
    "worker": "Int64",
}


@pytest.mark.parametrize("count", [0, 1])
def test_the_columns_have_types_whatever_is_in_them(count):
    trials = [Trial(1, 1, 1.0, CONV3, "0", 0, Status.FAILED, 1.0, 1, 1, 1, 1, finished=1.5)]
    frame = trials_frame(trials[:count])
    assert len(frame) == count
    assert {name: str(frame[name].dtype) for name in TYPES} == TYPES
    assert list(frame["status"].cat.categories) == ["trained", "known", "infeasible", "failed"]
    assert isinstance(frame["finished"].dtype, pd.DatetimeTZDtype)
    assert frame.index.dtype == np.int64


def test_counts_beyond_64_bits_stay_exact():
    trial = Trial(1, 1, 1.0, CONV3, "0", 0, Status.INFEASIBLE, 1.0, 2**63, 10**400, 1, 1)
    frame = trials_frame([trial])
    assert frame["parameters"].tolist() == [2**63]
    assert frame["flops"].tolist() == [10**400]
    assert frame["block_flops"].dtype == np.int64


def test_the_frame_is_the_callers_own(run):
    frame = run.trials
    frame["reward"] = 0.0
    frame.loc[1, "code"] = "gone"
    assert run.trials["reward"].max() > 0
    assert run.trials.loc[1, "code"] != "gone"


def test_the_best_are_those_of_the_command_line(run, blockqnn):
    frame = run.trials
    trained = frame[frame["status"] == "trained"].sort_values("reward", ascending=False)
    assert [block.number for block in run.best(3)] == trained.index[:3].tolist()
    assert len(run.best(0)) == 0
    assert len(run.best(10**6)) == len(trained)
    assert run.block() == run.block("best") == run.best(1)[0]


def test_a_block_is_found_by_its_trial(run):
    for number in (1, "1", np.int64(1)):
        assert run.block(number).number == 1
    frame = run.trials
    for number in frame.index:
        block = run.block(number)
        assert isinstance(block, Block)
        assert write(block.code) == frame.loc[number, "code"]
        assert block.canonical == canonical_form(parse(frame.loc[number, "code"]))
        assert block.canonical.hash == frame.loc[number, "hash"]
        assert block.cost == cost(block.canonical, run.layout)
        assert block.motifs == motifs_of(block.canonical)
        assert block.cost.flops == frame.loc[number, "flops"]
        reward = frame.loc[number, "reward"]
        assert block.reward == (None if pd.isna(reward) else reward)


def test_a_network_is_the_child_that_was_trained(run):
    block = run.block("best")
    model = block.network()
    assert isinstance(model, nnx.Module)
    layout = run.layout
    images = jnp.ones((2, *layout.image_shape))
    logits = model(images)
    assert logits.shape == (2, layout.classes)
    count = sum(leaf.size for leaf in nnx.to_flat_state(nnx.state(model, nnx.Param)).leaves)
    assert count == block.cost.parameters
    # What the search trains begins with these arrays.
    weights = initial_parameters(make_plan(block.canonical, layout), block.trial.seed)
    for unit, arrays in zip(model.layers, weights[1:], strict=True):
        for part in ("convolution", "linear"):
            if hasattr(unit, part):
                np.testing.assert_array_equal(getattr(unit, part).kernel[...], arrays["kernel"])
    assert not np.array_equal(logits, block.network(seed=block.trial.seed + 1)(images))


def test_a_network_can_have_another_layout(run):
    block = run.block("best")
    model = block.network(filters=(8,), classes=7, height=16, width=12, channels=3)
    assert model(jnp.ones((1, 16, 12, 3))).shape == (1, 7)
    other = Layout(filters=(4,), repeats=1, height=8, width=8, channels=1, classes=3)
    assert block.network(other)(jnp.ones((1, 8, 8, 1))).shape == (1, 3)
    assert block.network(other, classes=2)(jnp.ones((1, 8, 8, 1))).shape == (1, 2)
    assert block.network(dtype=jnp.bfloat16).dtype == jnp.bfloat16
    with pytest.raises(LayoutError, match="filters of at least 1"):
        block.network(filters=(0,))
    with pytest.raises(TypeError):
        block.network(filter=(8,))


def test_a_module_is_the_block_alone(run):
    block = run.block("best")
    module = block.module()
    first = run.layout.filters[0]
    assert isinstance(module, package.Block)
    assert module(jnp.ones((1, 5, 4, first))).shape == (1, 5, 4, module.out_channels)
    wide = block.module(channels=3, filters=7, rngs=nnx.Rngs(1), dtype=jnp.bfloat16)
    assert (wide.dtype, wide.layers[0].operation) == (jnp.bfloat16, module.layers[0].operation)
    for wrong in ({"repeats": 4, "classes": 100}, {"filters": (8,)}, {"channels": run.layout}):
        with pytest.raises(UserError, match=r"module\(\) builds the block alone .* network\(\)"):
            block.module(**wrong)


def test_a_run_is_as_it_was_until_it_is_refreshed(run, blockqnn):
    count, best = len(run), run.block("best")
    blockqnn.search(*SEARCH, "--epsilon_schedule=1.0:4,0.1:4")
    assert len(run) == len(run.trials) == count
    assert run.block("best") == best
    assert run.refresh() is run
    assert len(run) == len(run.trials) == len(blockqnn.trials("run")) > count
    assert run.iterations == 8
    pathlib.Path("run", FILE_NAME).rename("elsewhere")
    with pytest.raises(UserError, match="There is no run in run"):
        run.refresh()
    assert run.iterations == 8


def test_reading_writes_nothing(run, blockqnn):
    def contents():
        # SQLite counts the readers of a store in its shared memory.
        return {
            path: path.is_file() and path.read_bytes()
            for path in blockqnn.files()
            if not path.name.endswith("-shm")
        }

    before = contents()
    again = package.open_run(pathlib.Path("run"))
    again.trials, again.best(3)._repr_html_(), again.block(1).draw().svg
    assert contents() == before


def test_what_the_run_is(run, blockqnn):
    assert run.flags["max_layers"] == "4"
    assert run.layout == Layout(
        filters=(4, 8), repeats=1, height=8, width=8, channels=1, classes=10
    )
    assert (run.dry, run.iterations, run.path) == (True, 4, pathlib.Path("run"))
    run.flags["max_layers"] = "5"
    assert run.flags["max_layers"] == "4"


def test_what_the_agent_knows(run, blockqnn):
    for prefix in ("", "[(1,1,3,0,0)]"):
        frame = run.explain(prefix)
        arguments = ["explain", "run", *([prefix] if prefix else []), "--format=json", "--top=1000"]
        status, out, _ = blockqnn(*arguments)
        assert status == 0
        facts = json.loads(out)["next"]
        assert facts
        names = ("title", "probability", "value", "visits", "trials")
        theirs = [(tuple(f["action"]), *(f[name] for name in names)) for f in facts]
        columns = ("meaning", *names[1:])
        ours = [
            (
                tuple(map(int, row.action[1:-1].split(","))),
                *(getattr(row, column) for column in columns),
            )
            for row in frame.itertuples()
            if row.visits or row.trials
        ]
        assert ours == theirs
        assert frame["value"].is_monotonic_decreasing
        assert frame["probability"].sum() == pytest.approx(1.0)
        assert frame.attrs["value"] == "Q-value"
    # 8 layers of each of two predecessors, Add and Concat of the two, and Terminal.
    assert len(frame) == 19
    meanings = dict(zip(frame["action"], frame["meaning"], strict=True))
    assert meanings["(2,1,5,1,0)"] == "Convolution 5x5 of layer 1"
    with pytest.raises(CodeError, match="a prefix has no Terminal"):
        run.explain("[(1,1,3,0,0),(2,7,0,0,0)]")


def test_errors_are_the_sentences_of_the_command_line(run, blockqnn):
    numbers = f"allowed: 1 to {len(run)}, best, or best_early."
    for which, name in ((0, "0"), (-1, "-1"), (10**6, "1000000"), ("first", "first")):
        with pytest.raises(UserError) as error:
            run.block(which)
        assert str(error.value) == f"The run in run has no trial '{name}'; {numbers}"
    with pytest.raises(TypeError):
        run.block(1.5)
    with pytest.raises(UserError, match="The number of blocks is -1; allowed: at least 0"):
        run.best(-1)
    for path in ("nowhere", "no\0where", "run/search.flags"):
        with pytest.raises(UserError, match="There is no run in"):
            package.open_run(path)
    pathlib.Path("text").mkdir()
    pathlib.Path("text", FILE_NAME).write_text("text")
    with pytest.raises(UserError, match="is not a store of blockqnn"):
        package.open_run("text")


def test_a_run_without_trained_blocks(blockqnn):
    assert blockqnn("search", *SEARCH, "--epsilon_schedule=1.0:1", "--max_parameters=1")[0] == 1
    run = package.open_run("run")
    assert len(repr(run).splitlines()) == 1
    assert "<table" not in run._repr_html_()
    assert run.best() == ()
    with pytest.raises(UserError, match="has no trained block yet"):
        run.block("best")

"""A search in which all children are of one size."""

import pathlib

import numpy as np

from blockqnn.children.training import on_device, train_child
from blockqnn.data.datasets import load_search_parts
from blockqnn.inspection.block_reference import resolve
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, design_plan
from blockqnn.runs.run_record import read_run
from blockqnn.settings import DataSettings, Recipe
from blockqnn.trial import Status

DRY = ("--preset=smoke", "--evaluator=dry", "--run_dir=run", "--epsilon_schedule=1.0:4")
REAL = ("--preset=smoke", "--run_dir=run", "--max_blocks=3", "--executor=inline")


def test_every_child_has_the_size_or_a_reason(blockqnn):
    blockqnn.search(*DRY, "--match=parameters:9k")
    run = read_run(pathlib.Path("run"))
    assert run.flags["match"] == "parameters:9000"
    sized = [trial for trial in run.trials if trial.status is Status.COMPLETED]
    assert len({trial.filters for trial in sized}) > 2
    for trial in sized:
        plan = design_plan(design_of(trial.code), trial.layout(run.layout))
        assert len(trial.filters) == len(run.layout.filters)
        assert trial.parameters == sum(
            int(np.prod(shape)) for layer in plan for shape in layer.parameter_shapes.values()
        )
        assert 8_100 <= trial.parameters <= 9_900
    for trial in run.trials:
        if trial.status is Status.INFEASIBLE and trial.filters:
            assert trial.reason.startswith("no filters come within 10 % of 9,000 parameters")


def test_without_it_trials_have_the_layout_of_the_run(blockqnn):
    blockqnn.search(*DRY)
    run = read_run(pathlib.Path("run"))
    assert {trial.filters for trial in run.trials} == {()}
    assert all(trial.layout(run.layout) == run.layout for trial in run.trials)


def test_children_are_trained_with_their_own_filters(blockqnn):
    """The accuracy in the store is that of a training by hand with these filters."""
    status, _, err = blockqnn("search", *REAL, "--match=parameters:8k")
    assert (status, err) == (0, "")
    run = read_run(pathlib.Path("run"))
    trial = run.best(1)[0]
    assert trial.filters and trial.filters != run.layout.filters
    layout = Layout(**vars(run.layout) | {"filters": trial.filters})
    train, validation = load_search_parts(DataSettings(train_examples=400))
    recipe = Recipe(
        epochs=int(run.flags["epochs"]),
        batch_size=int(run.flags["batch_size"]),
        learning_rate=float(run.flags["learning_rate"]),
    )
    plan = design_plan(design_of(trial.code), layout)
    child = train_child(plan, recipe, *on_device(train, validation), trial.seed)
    assert tuple(child.accuracies) == trial.accuracies
    assert resolve("run#best", 10).standing_in(run.layout) == layout


def test_another_size_is_another_search(blockqnn):
    blockqnn.search(*DRY, "--match=parameters:9k")
    status, _, err = blockqnn("search", *DRY, "--match=parameters:10k")
    assert status == 2
    assert "--match=parameters:9000" in err


def test_what_is_no_size_is_refused(blockqnn):
    for text in ("parameters", "parameters:", "parameters:0", "params:75k", "flops:-3", "flops:k"):
        status, out, err = blockqnn("search", *DRY, f"--match={text}")
        assert (status, out) == (2, "")
        assert "parameters or flops with a number, as in parameters:75k or flops:10M" in err


def test_units(blockqnn):
    for text, number in (("flops:1.5M", 1_500_000), ("flops:2G", 2 * 10**9), ("flops:1_0", 10)):
        blockqnn(
            "search",
            *DRY[:2],
            f"--run_dir={text[6:]}",
            "--max_blocks=1",
            f"--match={text}",
            "--max_flops=0",
        )
        assert read_run(pathlib.Path(text[6:])).flags["match"] == f"flops:{number}"

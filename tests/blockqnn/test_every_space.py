"""Every verb on a run of every space: real processes of the command line, small and dry."""

import json

import pytest

from blockqnn.networks.spaces.registry import SPACES
from tests.long_ones import marked

SEARCH = [
    "search",
    "--preset=smoke",
    "--evaluator=dry",
    "--executor=inline",
    "--run_dir=run",
    "--epsilon_schedule=1.0:2,0.5:1",
    "--blocks_per_iteration=6",
    "--agent=q_learning_plus",
]


# What holds for one space of cells of pairs is tested of the others in `make test-long` alone.
LONG = ("nasnet", "nasnet_b", "nasnet_c", "enas_micro", "darts", "nas_strides", "nas_cell")
ALL = marked([name for name in SPACES if not SPACES[name].tabular], LONG)


@pytest.fixture(params=ALL)
def space(request, blockqnn):
    """A space with a small dry run in the directory `run`."""
    assert blockqnn(*SEARCH, f"--space={request.param}")[0] == 0
    return SPACES[request.param]


def test_every_verb_that_looks_at_a_run(blockqnn, space):
    name = next(iter(space.published), space.example)
    for words in (
        ["show", "run"],
        ["show", "run#best"],
        ["show", "run#1", "run#2"],
        ["show", name],
        ["draw", "run#best"],
        ["draw", "run#best", name],
        ["explain", "run"],
        ["trials", "run"],
        ["status", "run"],
        ["rescore", "run", "--mu=0"],
        ["report", "run", "--out=report.html"],
        ["tensorboard", "run", "--out=events"],
        ["show", "run", "--has=add"],
    ):
        status, out, err = blockqnn(*words)
        assert (status, err) == (0, ""), words
        assert out, words


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf", "dot"])
def test_a_design_is_drawn_in_every_format(blockqnn, space, suffix):
    status, _, err = blockqnn("draw", "run#best", "run#1", f"--out=two.{suffix}")
    assert (status, err) == (0, "")
    assert (blockqnn.directory / f"two.{suffix}").stat().st_size > 500


def test_a_code_is_shown_in_json_as_the_table_has_it(blockqnn, space):
    _, out, _ = blockqnn("show", "run#best", "--format=json")
    shown = json.loads(out)
    code = space.parse(shown["code"])
    assert shown["hash"] == space.design(code).hash
    assert shown["trial"]["code"] == shown["code"]


def test_weights_of_a_design_are_exported(blockqnn, space):
    small = ["--filters=2,3", "--repeats=1", "--image_size=8", "--channels=1", "--classes=2"]
    assert blockqnn("export", space.example, "--fresh_weights", "--to=out", *small)[0] == 0
    facts = json.loads((blockqnn.directory / "out" / "network.json").read_text())
    assert space.parse(facts["code"]) == space.parse(space.example)


def test_a_search_of_one_space_is_no_search_of_another(blockqnn, space):
    other = next(name for name in SPACES if name != space.name)
    status, _, err = blockqnn(*SEARCH, f"--space={other}")
    assert status == 2
    assert f"begun with --layout={next(iter(space.layouts))}" in err or "--space=" in err

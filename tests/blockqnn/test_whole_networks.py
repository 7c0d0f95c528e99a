"""Whole networks from the command line and from Python: as published, and growing with a search."""

import json
import types

import pytest

import blockqnn as project
from blockqnn.agents.growing import Growth
from blockqnn.full_training.preparing import network_layout
from blockqnn.full_training.settings import LayoutChoice
from blockqnn.inspection.block_reference import BlockReference
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import published, space_named
from blockqnn.report.reward_words import reward_in_words
from blockqnn.runs.run_record import read_run

SEARCH = [
    *("search", "--preset=smoke", "--evaluator=dry", "--executor=inline", "--run_dir=run"),
    *("--epsilon_schedule=1.0:3,0.5:2", "--blocks_per_iteration=4", "--max_flops=0"),
]


@pytest.mark.parametrize(
    ("words", "parameters"),
    [
        (["nas-v1"], 4_201_630),
        (["enas-macro"], 42_559_392),
        (["nas-v1", "--classes=100"], 4_201_630 + 49 * 90),
        (["nas-v1", "--filters=24"], 4_201_630),
        (["enas-macro", "--filters=96", "--network_rules=as_in_code"], 42_559_392),
        (["enas-macro", "--filters=36", "--network_rules=sum_skips"], 472_320),
    ],
)
def test_networks_are_shown_as_published_unless_a_layout_is_named(blockqnn, words, parameters):
    status, out, err = blockqnn("show", *words, "--format=json")
    assert (status, err) == (0, "")
    assert json.loads(out)["parameters"] == parameters


def test_the_rules_of_a_network_are_said(blockqnn):
    status, out, _ = blockqnn("show", "enas-macro")
    assert status == 0
    assert "  parameters   42,559,392\n" in out
    assert "whole layout, filters 96, one network, rules as_in_code, images 32x32x3" in out
    status, out, err = blockqnn("show", "nas-v1", "--network_rules=sum_skips")
    assert (status, out) == (2, "")
    assert err == (
        "blockqnn: There are no rules 'sum_skips' of networks of NAS; allowed: zeros_after, "
        "zeros_around (--network_rules).\n"
    )


def test_python_shows_networks_as_published():
    assert project.figures("nas-v1")["parameters"] == 4_201_630
    assert project.figures("nas-v1", Layout("whole", (12,)))["parameters"] < 1_100_000


def test_a_training_keeps_the_rules_of_a_network_unless_it_has_another_layout():
    info = types.SimpleNamespace(seen=(16, 16, 1), classes=3)
    reference = BlockReference("enas-macro", published()["enas-macro"])
    found = network_layout(LayoutChoice(), reference, info)
    assert found == Layout("whole", (96,), 1, 16, 16, 1, 3, rules="as_in_code")
    own = Layout("cells", (4, 8), 1, 16, 16, 1, 3, cells=5, rules="darts")
    reference = BlockReference("darts-v2", published()["darts-v2"], own)
    assert network_layout(LayoutChoice(), reference, info) == own
    assert network_layout(LayoutChoice("cells_imagenet", (2,) * 2), reference, info) == Layout(
        "cells_imagenet", (2, 2), 1, 16, 16, 1, 3
    )


def test_networks_grow_with_a_search(blockqnn):
    grows = ["--space=nas", "--filters=6", "--max_layers=5", "--depth_growth=2:2:8"]
    status, _, err = blockqnn(*SEARCH, *grows)
    assert (status, err) == (0, "")
    run = read_run(blockqnn.directory / "run")
    assert run.growth == Growth(2, 2, 8)
    assert [trial.code[-1].position for trial in run.trials] == [
        len(space_named("nas", layers).ended(())) for layers in (2, 2, 4, 4, 5) for _ in range(4)
    ]
    assert (run.space.layers, run.whole_space.layers) == (5, 5)
    assert "FLOPs are of the whole child, for one image" in " ".join(reward_in_words(run))
    status, out, err = blockqnn("explain", "run", "--format=json")
    assert (status, err) == (0, "")
    assert json.loads(out)["agent"]["statistics"]["layers"] == 5
    status, _, err = blockqnn(*SEARCH, *grows[:-1], "--depth_growth=2:1:8")
    assert status == 2
    assert "begun with --depth_growth=2:2:8; given is --depth_growth=2:1:8. " in err


def test_only_networks_grow(blockqnn):
    status, _, err = blockqnn(*SEARCH, "--depth_growth=2:2:8")
    assert (status, err) == (
        2,
        "blockqnn: --depth_growth belongs to nas or nas_strides or enas_macro; this search's "
        "space is nsc.\n",
    )
    status, _, err = blockqnn(*SEARCH, "--space=nas", "--depth_growth=2:0:8")
    assert status == 2
    assert err.startswith("blockqnn: Flag --depth_growth=2:0:8: allowed: three numbers from 1 on")

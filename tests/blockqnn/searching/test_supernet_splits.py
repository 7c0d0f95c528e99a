"""Supernets that are split: nested, along edges found by gradients, and on whose workers."""

import numpy as np
import pytest

from blockqnn.errors import UserError
from blockqnn.networks.spaces.registry import parse, space_named, write
from blockqnn.runs.run_record import read_run
from blockqnn.runs.supernet_record import SPLITS
from blockqnn.searching.supernet_paths import (
    CONTROL,
    WHOLE,
    cuts_from_fact,
    owner,
    part_count,
    parts_of,
)
from blockqnn.supernet_settings import AUTO, SupernetSettings
from blockqnn.supernets.bank import Bank, compiled_for
from blockqnn.supernets.bank_file import read_bank
from blockqnn.supernets.cuts import Cut, read_distances
from blockqnn.supernets.sampling import fair_paths, uniform_path
from tests.blockqnn.searching.test_supernet import CELLS, SMALL, epochs_of, facts_of

AUTOMATIC = (*SMALL, "--split=auto", "--split_epochs=1", "--split_levels=2", "--split_batches=2")
EASY, HARD = ("none", "skip_connect"), ("nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


def test_named_edges_one_after_the_other():
    nested = SupernetSettings(
        epochs=3, split=("1<-0", "3<-2"), split_epochs=2, split_levels=2, control=True
    )
    parts = parts_of(nested, CELLS)
    # Five parts of the first edge, each split into five.
    assert part_count(nested, CELLS) == 30 == len(parts) - 2
    assert [sum(p.level == level for p in parts) for level in range(3)] == [1, 5, 26]
    leaf = next(p for p in parts if p.name == "1from0-none_3from2-skip_connect")
    assert leaf.parent.name == "1from0-none" and leaf.parent.parent.name == WHOLE
    assert parts[-1].name == CONTROL and parts[-1].epochs == 60
    code = parse("|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|")
    assert owner(parts, CELLS, code) == leaf
    together = SupernetSettings(epochs=3, split=("1<-0", "3<-2"), split_epochs=2)
    assert len(parts_of(together, CELLS)) == 26
    assert owner(parts_of(together, CELLS), CELLS, code).name == leaf.name


def test_parts_that_were_found_cover_the_space_once():
    found = {
        WHOLE: Cut("3<-0", (EASY, HARD)),
        "3from0-none+skip_connect": Cut("1<-0", (("none", "nor_conv_3x3"), EASY[1:] + HARD[::2])),
    }
    settings = SupernetSettings(split=(AUTO,), split_epochs=1, split_levels=2)
    assert part_count(settings, CELLS) == 6
    parts = parts_of(settings, CELLS, found)
    # One of the two parts of the first level is not split yet.
    assert len(parts) == 1 + 2 + 2
    assert [p.name for p in parts_of(settings, CELLS)] == [WHOLE]
    random = np.random.default_rng(0)
    names = set()
    for _ in range(60):
        code = uniform_path(CELLS, {}, random)
        own, on = owner(parts, CELLS, code), CELLS.on_edges(code)
        names.add(own.name)
        assert own.level == (2 if on["3<-0"] in EASY else 1)
        assert own.owns(on)
    assert len(names) == 3


def test_paths_of_a_part_have_its_operations_alone():
    random = np.random.default_rng(0)
    allowed = {"1<-0": EASY, "3<-2": ("avg_pool_3x3",)}
    for codes in (
        [uniform_path(CELLS, allowed, random) for _ in range(40)],
        fair_paths(CELLS, allowed, 40, random),
    ):
        on = [CELLS.on_edges(code) for code in codes]
        assert {each["1<-0"] for each in on} == set(EASY)
        assert {each["3<-2"] for each in on} == {"avg_pool_3x3"}
        assert len({each["2<-0"] for each in on}) == 5
    # In ten fair paths both operations have five turns, since rounds of five take turns.
    fair = [CELLS.on_edges(c)["1<-0"] for c in fair_paths(CELLS, allowed, 10, random)]
    assert sorted(fair) == ["none"] * 5 + ["skip_connect"] * 5


def test_edges_are_found_by_gradients_and_split_again(blockqnn):
    status, out, err = blockqnn("search", *AUTOMATIC, "--control", "--run_dir=run")
    assert (status, err) == (0, "")
    assert "then 6 parts along edges found by gradients, 2 times one after the other, each" in out
    assert "By gradients whole was split along" in out
    run = blockqnn.directory / "run"
    splits = facts_of(run)[SPLITS]
    assert len(splits) == 3
    for name, each in splits.items():
        groups = [set(group) for group in each["groups"]]
        assert set.union(*groups) == set(CELLS.edges[each["edge"]])
        assert sorted(map(len, groups)) == [2, 3]
        matrices = {edge: np.array(matrix) for edge, matrix in each["distances"].items()}
        assert all(np.allclose(m, m.T) and not m.diagonal().any() for m in matrices.values())
        assert len(matrices) == (6 if name == WHOLE else 5), "an edge is split once"
        between = sum(
            matrices[each["edge"]][CELLS.edges[each["edge"]].index(a)][
                CELLS.edges[each["edge"]].index(b)
            ]
            for a in each["groups"][0]
            for b in each["groups"][1]
        )
        assert between == pytest.approx(each["between"])
    kept = read_distances(run / "banks" / "whole-0002.gradients.json")
    assert np.allclose(kept["1<-0"], splits[WHOLE]["distances"]["1<-0"])
    settings = SupernetSettings(epochs=2, split=(AUTO,), split_epochs=1, split_levels=2)
    parts = parts_of(settings, CELLS, cuts_from_fact(splits))
    counts = [each["part"] for each in epochs_of(run)]
    assert sorted(counts) == sorted([WHOLE] * 2 + [p.name for p in parts[1:]] + [CONTROL] * 6)
    record = read_run(run)
    assert len(record.supernet.splits) == 3 and record.supernet.total == 14


def test_weights_of_the_split_edge_are_taken_over_and_learn(blockqnn):
    flags = (*SMALL, "--split=1<-0", "--split_epochs=1")
    assert blockqnn("search", *flags, "--run_dir=run")[0] == 0
    banks = blockqnn.directory / "run" / "banks"
    like = Bank(compiled_for(SupernetSettings()), 0)
    whole = read_bank(banks / "whole-0002", like)
    part = read_bank(banks / "1from0-nor_conv_3x3-0001", like)
    assert set(whole.entries) <= set(part.entries)

    changed = {
        key: any(
            not np.array_equal(array, part.entries[key].parameters[name])
            for name, array in entry.parameters.items()
        )
        for key, entry in whole.entries.items()
        if "/cell1/edge1:" in key
    }
    # In each of the two cells the 3x3 convolution of the part, and not the 1x1 of another one.
    assert {key: " 3/1 " in key for key in changed} == changed
    assert len(changed) == 4 and sum(changed.values()) == 2


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--split=1<-0", "--split_epochs=1", "--split_levels=2"), "needs --split=auto, or 2 edge"),
        (("--split=auto", "--split_epochs=1", "--split_levels=7"), "the space nasbench201 has 6 e"),
        (("--split=auto",), "--split and --split_epochs go together"),
    ],
)
def test_what_cannot_be_split_is_said(blockqnn, flags, words):
    status, _, err = blockqnn("search", *SMALL, "--run_dir=run", *flags)
    assert status == 2 and words in err, err


def test_a_space_without_edges_is_not_split():
    space = space_named("darts", None)
    with pytest.raises(UserError, match="none in the space darts"):
        parts_of(SupernetSettings(split=("1<-0",), split_epochs=1), space)
    assert write(uniform_path(space, {}, np.random.default_rng(0))).startswith("darts")

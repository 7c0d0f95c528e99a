"""Cores that no other child needs go to those that train."""

import dataclasses
import json
import pathlib

import pytest

from blockqnn.flags import search
from blockqnn.workers import choice, placement
from blockqnn.workers.choice import local_places, make_executor, with_spare_cores


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Six cores, and nothing but a processor."""
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setattr(placement, "available_cores", lambda: [1, 2, 3, 5, 8, 9])
    monkeypatch.setattr(choice, "available_cores", lambda: [1, 2, 3, 5, 8, 9])


def settings(*flags):
    return search.parse(["--preset=smoke", "--evaluator=train", *flags])


@pytest.mark.parametrize(
    ("flags", "cores"),
    [
        (("--blocks_per_iteration=1",), [(1, 2, 3, 5, 8, 9)]),
        (("--blocks_per_iteration=2",), [(1, 2, 3), (5, 8, 9)]),
        (("--blocks_per_iteration=4",), [(1,), (2,), (3,), (5,)]),
        (("--blocks_per_iteration=64",), [(1,), (2,), (3,), (5,), (8,), (9,)]),
        (("--blocks_per_iteration=3", "--cores_per_worker=3"), [(1, 2, 3), (5, 8, 9)]),
        # Who says how many workers, or that cores stay idle, or binds nothing, is heard.
        (("--blocks_per_iteration=1", "--workers=2"), [(1,), (2,)]),
        (("--blocks_per_iteration=2", "--spare_cores=idle"), [(1,), (2,)]),
        (("--blocks_per_iteration=1", "--cores_per_worker=0"), [()]),
        (("--blocks_per_iteration=1", "--evaluator=dry"), [(1,)]),
    ],
)
def test_few_children_have_all_cores(flags, cores):
    wanted, run = settings(*flags)
    run = with_spare_cores(wanted, run)
    assert [place.cores for place in local_places(wanted, run)] == cores


def test_a_round_of_finals_gives_as_many_cores_when_fewer_are_left():
    """A child is then the same to the last bit, wherever the round was broken off."""
    wanted, run = settings("--blocks_per_iteration=3")
    run = with_spare_cores(wanted, run)
    left = dataclasses.replace(wanted, blocks_per_iteration=1)
    assert [place.cores for place in local_places(left, run)] == [(1, 2)]


@pytest.mark.parametrize(("flag", "cores"), [("share", 6), ("idle", 1)])
def test_workers_are_told_how_many_cores_share_a_batch(flag, cores, monkeypatch, tmp_path):
    told = []
    monkeypatch.setattr(choice, "LocalExecutor", lambda line, *_: told.append(line))
    wanted, run = settings("--blocks_per_iteration=1", f"--spare_cores={flag}")
    run = dataclasses.replace(with_spare_cores(wanted, run), run_dir=pathlib.Path(tmp_path))
    make_executor(wanted, run)
    assert json.loads(told[0])["worker"]["sharing_cores"] == cores

"""A search that begins with blocks that were given to it."""

import contextlib
import re

import pytest

from blockqnn.agents.local_search import LocalSearchConfig
from blockqnn.networks.cost import Limits
from blockqnn.networks.spaces.registry import parse, published
from blockqnn.runs.run_record import read_run
from blockqnn.runs.store import Store
from blockqnn.trial import Status
from blockqnn.workers.contract import InlineExecutor
from tests.blockqnn.searching.test_command import SMOKE
from tests.blockqnn.small_searches import (
    CONV1,
    CONV3,
    CONV5,
    CountingEvaluator,
    ScriptedAgent,
    search_settings,
    start,
)

FLAGS = tuple(flag for flag in SMOKE if "max_layers" not in flag)


@pytest.fixture
def store():
    with contextlib.closing(Store.create_or_open(":memory:")) as store:
        yield store


@pytest.mark.parametrize("asynchronous", [False, True])
def test_they_are_tried_before_what_the_agent_suggests_and_it_learns_from_them(store, asynchronous):
    agent = ScriptedAgent([CONV5, CONV1])
    given = search_settings(
        ((1.0, 2),),
        blocks_per_iteration=2,
        asynchronous=asynchronous,
        max_layers=4,
        first_blocks=(CONV3, published()["residual"], CONV1),
    )
    search, _ = start(given, store, agent)
    trials = list(search.run(InlineExecutor(CountingEvaluator())))
    assert [t.code for t in trials] == [CONV3, published()["residual"], CONV1, CONV5]
    learned = [episode.actions for update in agent.updates for episode in update]
    assert learned == [t.code for t in trials]


def test_one_that_cannot_be_trained_is_kept_with_the_reason_and_another_takes_its_place(store):
    given = search_settings(
        ((1.0, 1),),
        blocks_per_iteration=1,
        limits=Limits(max_parameters=300),
        first_blocks=(CONV5, CONV1),
    )
    search, _ = start(given, store, ScriptedAgent([CONV3, CONV1]))
    first, second = search.run(InlineExecutor(CountingEvaluator()))
    assert (first.code, first.status) == (CONV5, Status.INFEASIBLE)
    assert (second.code, second.status) == (CONV1, Status.COMPLETED)


def test_an_interrupted_search_goes_on_within_them(store):
    given = search_settings(((1.0, 2),), blocks_per_iteration=2, first_blocks=(CONV3, CONV5, CONV1))
    search, _ = start(given, store, ScriptedAgent([parse("[(1,1,3,0,0),(2,2,3,1,0)]")] * 4))
    running = search.run(InlineExecutor(CountingEvaluator()))
    next(running)
    running.close()
    again, _ = start(given, store, ScriptedAgent([parse("[(1,1,3,0,0),(2,2,3,1,0)]")] * 4))
    rest = list(again.run(InlineExecutor(CountingEvaluator())))
    assert [t.code for t in rest[:2]] == [CONV5, CONV1]


def test_local_search_looks_around_them(store):
    given = search_settings(
        ((1.0, 3),),
        blocks_per_iteration=1,
        agent=LocalSearchConfig(centres=1, random_episodes=1),
        max_layers=4,
        first_blocks=(published()["residual"],),
    )
    search, agent = start(given, store)
    _, *changed = search.run(InlineExecutor(CountingEvaluator()))
    assert all(t.code != published()["residual"] for t in changed)
    assert agent.statistics()["epsilon"] == 0


def test_the_run_keeps_their_codes_whatever_names_and_runs_become_of(blockqnn):
    blockqnn.search("--evaluator=dry", *FLAGS, "--run_dir=before")
    best = read_run(blockqnn.directory / "before").by_reward[0].code
    given = "--first_blocks=residual; before#best ;[(1,1,3,0,0),(2,7,0,0,0)];residual"
    out = blockqnn.search("--evaluator=dry", *FLAGS, given)
    assert "It begins with the 3 blocks of --first_blocks." in out
    run = read_run(blockqnn.directory / "run")
    codes = [published()["residual"], best, parse("[(1,1,3,0,0),(2,7,0,0,0)]")]
    assert [t.code for t in run.trials[:3]] == codes
    assert run.flags["first_blocks"].count(";") == 2 and "residual" not in run.flags["first_blocks"]
    blockqnn.search("--evaluator=dry", *FLAGS, given)
    assert read_run(blockqnn.directory / "run").trials == run.trials


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--first_blocks=residuals"], r"There is no block 'residuals'; allowed: .*"),
        (
            ["--first_blocks=residual;block-qnn-s", "--max_layers=4"],
            r"--first_blocks names 'block-qnn-s', with which no search of --space=nsc .*",
        ),
        (
            ["--first_blocks=residual", "--space=nasbench201"],
            r"--first_blocks names 'residual', with which no search of --space=nasbench201 .*",
        ),
    ],
)
def test_what_is_no_block_of_the_space_is_refused(blockqnn, words, complaint):
    status, out, err = blockqnn("search", "--evaluator=dry", *FLAGS, *words)
    assert (status, out) == (2, "")
    assert re.fullmatch(rf"blockqnn: {complaint}\n", err), err
    assert not blockqnn.files()

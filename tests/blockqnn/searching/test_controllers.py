"""Searches whose agent is a controller: stopped, killed, late, collapsed, and looked at."""

import contextlib
import dataclasses
import json

import pytest

from blockqnn.__main__ import main
from blockqnn.agents import policy_gradient
from blockqnn.agents.contract import Sampled
from blockqnn.agents.ppo import PPOConfig
from blockqnn.agents.reinforce import ReinforceConfig
from blockqnn.report.curves import learning_curves
from blockqnn.runs.store import Store
from blockqnn.tensorboard.scalars import Scalars
from blockqnn.workers.contract import InlineExecutor
from tests.blockqnn.chaos import result_of, run_under_fire, search_command
from tests.blockqnn.runs.test_store import TRIAL
from tests.blockqnn.searching.test_asynchronous import Workers
from tests.blockqnn.small_searches import (
    CountingEvaluator,
    search_settings,
    start,
    without_times,
)

SMALL = {"layers": 1, "units": 8, "learning_rate": 0.02}
CONFIGS = {
    "reinforce": ReinforceConfig(children=4, tanh=2.5, **SMALL),
    "ppo": PPOConfig(children=5, minibatches=2, passes=2, **SMALL),
}
FLAGS = (
    *("--agent=ppo", "--ppo_units=8", "--ppo_children=5", "--ppo_minibatches=2", "--ppo_passes=2"),
    *(
        "--ppo_learning_rate=0.02",
        "--ppo_entropy=1e-05",
        "--max_layers=5",
        "--epsilon_schedule=1:3",
    ),
)
SAMPLED = Sampled(3, (-0.5, -1.25), 2.5)


def opened(path):
    return contextlib.closing(Store.create_or_open(path))


@pytest.mark.parametrize("asynchronous", [False, True], ids=["iterations", "asynchronous"])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_search_that_is_stopped_anywhere_ends_as_if_it_had_not_been(tmp_path, name, asynchronous):
    settings = search_settings(agent=CONFIGS[name], asynchronous=asynchronous)
    ends = []
    for stops in ((), (1, 7, 8, 13)):
        with opened(tmp_path / f"{len(stops)}.sqlite") as store:
            for trials in (*stops, 10**6):
                search, agent = start(settings, store)
                run = search.run(InlineExecutor(CountingEvaluator()))
                for _ in zip(range(trials), run, strict=False):
                    pass
                run.close()
            ends.append((without_times(store.trials()), store.agent_state()))
            assert agent.statistics()["updates"] >= 4
    assert ends[0] == ends[1]
    trials, state = ends[0]
    assert state["policy"]["updates"] > 0
    for trial in trials:
        assert len(trial.sampled.log_probabilities) == len(trial.code)
        assert trial.sampled.entropy > 0
    assert {trial.sampled.update for trial in trials} > {0}


def test_a_driver_that_is_killed_goes_on_to_the_last_bit(tmp_path):
    assert main(search_command(tmp_path / "peace", *FLAGS, "--executor=inline")[3:]) == 0
    flags = (*FLAGS, "--executor=local", "--workers=1", "--dry_seconds=0.02")
    killed = run_under_fire(tmp_path / "war", *flags, worker_kills=0, driver_kills=1)
    assert killed["driver"] == 1
    peace, war = result_of(tmp_path / "peace"), result_of(tmp_path / "war")
    assert war == peace
    assert peace[1]["policy"]["updates"] > 3


def test_what_was_handed_out_is_learned_from_as_it_was_drawn(tmp_path):
    settings = search_settings(agent=CONFIGS["ppo"], asynchronous=True)
    last_first = {"slots": 6, "choose": lambda jobs: -1}
    with opened(tmp_path / "store.sqlite") as store:
        search, agent = start(settings, store)
        run = search.run(Workers(CountingEvaluator(), **last_first))
        while agent.statistics()["updates"] < 2:
            next(run)
        run.close()
        handed_out = {each.number: each.sampled for each in store.running()}
        assert handed_out
        assert min(each.update for each in handed_out.values()) < 2
        search, agent = start(settings, store)
        seen = []
        learn = agent.update
        agent.update = lambda episodes: (seen.extend(episodes), learn(episodes))
        list(search.run(Workers(CountingEvaluator(), **last_first)))
        finished = {trial.number: trial.sampled for trial in store.trials()}
        assert handed_out.items() <= finished.items()
        learned = [episode.sampled for episode in seen]
        assert all(sampled in learned for sampled in handed_out.values())
        assert agent.statistics()["stale"] == 0


def test_a_policy_that_has_collapsed_is_told_of_once_and_explained(blockqnn, monkeypatch):
    monkeypatch.setattr(policy_gradient, "COLLAPSED", 0.0)
    printed = blockqnn.search(
        *("--preset=smoke", "--run_dir=run", "--max_layers=5", "--agent=reinforce"),
        *("--reinforce_units=8", "--reinforce_layers=1", "--reinforce_children=4"),
        *("--reinforce_tanh=2.5", "--reinforce_learning_rate=0.02"),
    )
    assert printed.count("The policy has collapsed: it writes one sequence with a") == 1
    assert "Best blocks by reward" in printed
    status, out, _ = blockqnn("explain", "run", "--format=json", "--top=999")
    found = json.loads(out)
    assert status == 0
    chances = [each["probability"] for each in found["next"]]
    assert sum(chances) + found["unvisited"]["probability"] == pytest.approx(1.0)
    assert chances == sorted(chances, reverse=True)
    assert found["agent"]["statistics"]["entropy"] > 0
    status, out, _ = blockqnn("explain", "run", found["greedy"]["code"].split("),")[0] + ")]")
    assert status == 0
    assert "REINFORCE after" in out


def test_what_a_policy_knew_goes_through_the_store(tmp_path):
    trial = dataclasses.replace(TRIAL, sampled=SAMPLED)
    with opened(tmp_path / "store.sqlite") as store:
        store.add_trial(trial)
        assert list(store.trials()) == [trial]


def test_entropy_is_plotted_where_there_is_a_policy():
    trials = [
        dataclasses.replace(TRIAL, number=number, iteration=1, sampled=sampled)
        for number, sampled in ((1, SAMPLED), (2, SAMPLED._replace(entropy=1.5)), (3, None))
    ]
    scalars = Scalars()
    plotted = [scalars.of_trial(trial).get("trial/entropy") for trial in trials]
    assert plotted == [2.5, 1.5, None]
    assert scalars.of_iteration()["iteration/entropy"] == 2.0
    plain = Scalars()
    plain.of_trial(TRIAL)
    assert "iteration/entropy" not in plain.of_iteration()
    found = learning_curves([*trials, dataclasses.replace(TRIAL, number=4, iteration=2)])
    assert found["entropy"] == [2.0, None]

"""What an agent has learned, from a table written by hand and from a search's own."""

import pathlib

import numpy as np
import pytest

from blockqnn.agents.exploration import random_state
from blockqnn.agents.q_learning import QLearning, QLearningConfig
from blockqnn.errors import UserError
from blockqnn.inspection.explanation import (
    greedy_code,
    knowledge_of,
    next_actions,
    read_knowledge,
)
from blockqnn.inspection.kinds import kind_values
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import check, parse, parse_prefix, write
from blockqnn.networks.spaces.nsc.space import BlockSpace
from blockqnn.runs.run_record import RunRecord, read_agent_state
from blockqnn.trial import Status, Trial
from tests.blockqnn.small_searches import LAYOUT

CONV3, IDENTITY = "q 1,1,3,0,0", "q 1,4,0,0,0"
# Positions at the start: convolutions 0 to 2, poolings 3 to 6, Identity 7. After a first layer,
# where sources are 0 and 1: convolutions 0 to 5, poolings 6 to 13, Identity 14 and 15, Add 16,
# Concat 17, Terminal 18.
STATE = {
    "random": random_state(np.random.default_rng(0)),
    "iteration": 3,
    "q 0,0,0,0,0": [[0, 0.2, 1], [1, 0.9, 4], [2, 0.7, 1], [7, 0.6, 2]],
    CONV3: [[16, 0.3, 1], [18, 0.8, 3]],
    IDENTITY: [[3, 0.55, 2]],
}


def trial(number, code, status=Status.COMPLETED, iteration=1, **fields):
    code = check(parse(code))
    return Trial(
        *(number, iteration, 1.0, code, canonical_form(code).hash, 3, status, 1.0, 10, 20, 30, 2),
        **fields,
    )


TRIALS = [
    trial(1, "[(1,1,3,0,0)]", reward=50.0, accuracies=(40.0, 51.0)),
    trial(2, "[(1,1,3,0,0),(2,5,0,0,1)]", Status.FAILED, reason="killed"),
    trial(3, "[(1,4,0,0,0),(2,1,3,1,0)]", Status.KNOWN, source=1),
    trial(4, "[(1,2,3,0,0)]", Status.INFEASIBLE),
]


def knowledge(state=None, trials=TRIALS, max_layers="2", **flags):
    flags = {"agent": "q_learning", "initial_q": "0.5", "max_layers": max_layers} | flags
    run = RunRecord(pathlib.Path("run"), trials, LAYOUT, True, flags, 3)
    return knowledge_of(run, STATE if state is None else state)


def with_rows(**rows):
    return STATE | {name.replace("_", " ", 1).replace("_", ","): row for name, row in rows.items()}


def test_next_layers_are_sorted_by_q_with_both_counts():
    layers = next_actions(knowledge(), ())
    assert [
        (write([n.prospect.action]), n.prospect.value, n.prospect.visits, n.trials) for n in layers
    ] == [
        ("[(1,1,3,0,0)]", 0.9, 4, 2),
        ("[(1,1,5,0,0)]", 0.7, 1, 0),
        ("[(1,4,0,0,0)]", 0.6, 2, 1),
        ("[(1,2,1,0,0)]", 0.5, 0, 0),
        ("[(1,2,3,0,0)]", 0.5, 0, 1),
        ("[(1,3,1,0,0)]", 0.5, 0, 0),
        ("[(1,3,3,0,0)]", 0.5, 0, 0),
        ("[(1,1,1,0,0)]", 0.2, 1, 0),
    ]
    assert [n.visited for n in layers] == [True, True, True, False, True, False, False, True]


def test_a_prefix_counts_the_trials_with_its_last_layer():
    layers = {
        write([n.prospect.action]): n
        for n in next_actions(knowledge(), parse_prefix("[(1,1,3,0,0)]"))
    }
    assert len(layers) == 19
    end, add = layers["[(2,7,0,0,0)]"], layers["[(2,5,0,0,1)]"]
    assert (end.prospect.value, end.prospect.visits, end.trials) == (0.8, 3, 1)
    assert (add.prospect.value, add.prospect.visits, add.trials) == (0.3, 1, 1)
    assert sum(n.trials for n in layers.values()) == 2


def test_after_as_many_layers_as_are_allowed_only_terminal_follows():
    layers = next_actions(knowledge(), parse_prefix("[(1,1,3,0,0),(2,1,3,0,0)]"))
    assert [(write([n.prospect.action]), n.prospect.value) for n in layers] == [
        ("[(3,7,0,0,0)]", 0.5)
    ]


def test_the_greedy_block_follows_the_highest_values_and_knows_its_trial():
    greedy = greedy_code(knowledge())
    assert write(greedy.code) == "[(1,1,3,0,0),(2,7,0,0,0)]"
    assert [(g.prospect.value, g.prospect.visits, g.ties) for g in greedy.actions] == [
        (0.9, 4, 1),
        (0.8, 3, 1),
    ]
    assert greedy.trial.number == 1
    assert greedy.hash == TRIALS[0].hash


def test_a_prefix_is_completed_and_a_block_that_means_the_same_was_trained():
    greedy = greedy_code(knowledge(), parse_prefix("[(1,4,0,0,0)]"))
    assert write(greedy.code) == "[(1,4,0,0,0),(2,1,3,1,0),(3,7,0,0,0)]"
    assert [g.prospect.action[0] for g in greedy.actions] == [2, 3]
    assert greedy.trial.number == 1, "the one that was trained, though trial 3 wrote this code"


def test_equal_values_are_counted_and_the_first_is_taken():
    # Nothing at the start is above the 0.5 of what was never learned: 6 of 8 are equal.
    state = with_rows(q_0_0_0_0_0=[[1, 0.4, 1], [2, 0.1, 1]])
    first = greedy_code(knowledge(state)).actions[0]
    assert (
        write([first.prospect.action]),
        first.prospect.value,
        first.prospect.visits,
        first.ties,
    ) == (
        *("[(1,1,1,0,0)]", 0.5, 0),
        6,
    )
    state = with_rows(q_0_0_0_0_0=[[2, 0.8, 1], [7, 0.8, 9]])
    first = greedy_code(knowledge(state)).actions[0]
    assert (write([first.prospect.action]), first.ties) == ("[(1,1,5,0,0)]", 2)


def test_where_nothing_was_learned_the_first_of_all_is_taken_up_to_the_last_layer():
    greedy = greedy_code(knowledge(max_layers="3"), parse_prefix("[(1,2,3,0,0)]"))
    assert write(greedy.code) == "[(1,2,3,0,0),(2,1,1,0,0),(3,1,1,0,0),(4,7,0,0,0)]"
    # After one layer 19 may follow, after two 27, after three Terminal alone.
    legal = [sum(map(len, BlockSpace(3).choices(greedy.code[i]))) for i in range(3)]
    assert [g.ties for g in greedy.actions] == legal
    assert greedy.trial is None


def test_an_untrained_greedy_block_names_the_first_trial_that_wrote_it():
    greedy = greedy_code(knowledge(trials=TRIALS[3:]), parse_prefix("[(1,1,3,0,0),(2,5,0,0,1)]"))
    assert greedy.trial is None
    greedy = greedy_code(knowledge(trials=TRIALS[1:2]), parse_prefix("[(1,1,3,0,0),(2,5,0,0,1)]"))
    assert (greedy.trial.number, greedy.trial.status) == (2, Status.FAILED)


def test_values_of_types_by_position_are_weighted_by_updates():
    values = {(v.position, v.kind): v for v in kind_values(knowledge())}
    assert list(values) == [
        (1, "Convolution"),
        (1, "Identity"),
        (2, "Convolution"),
        (2, "Add"),
        (2, "Terminal"),
    ]
    first = values[1, "Convolution"]
    # (0.2 + 4 x 0.9 + 0.7) / 6 = 0.75.
    assert (first.mean, first.best) == (pytest.approx(0.75), 0.9)
    assert (first.visits, first.entries) == (6, 3)
    assert values[2, "Terminal"].mean == pytest.approx(0.8)


def test_positions_of_all_states_are_put_together():
    state = STATE | {IDENTITY: [[18, 0.4, 1]]}
    values = {(v.position, v.kind): v for v in kind_values(knowledge(state))}
    end = values[2, "Terminal"]
    # (3 x 0.8 + 0.4) / 4 = 0.7.
    assert (end.mean, end.best, end.visits, end.entries) == (pytest.approx(0.7), 0.8, 4, 2)


def test_what_was_not_learned_from_has_the_runs_initial_value():
    layers = next_actions(knowledge(initial_q="0.65"), ())
    assert [n.prospect.value for n in layers] == [0.9, 0.7, 0.65, 0.65, 0.65, 0.65, 0.6, 0.2]


@pytest.mark.parametrize(
    "changes",
    [
        {"q a": []},
        {"q ": []},
        {CONV3: 3},
        {CONV3: [[1, 2]]},
        {CONV3: [[99, 0.1, 1]]},
        {CONV3: [[0, "x", 1]]},
        {CONV3: [[0, float("nan"), 1]]},
        {CONV3: [[0, float("inf"), 1]]},
        {"random": None},
        {"random": {"bit_generator": "MT19937"}},
        {"iteration": []},
    ],
)
def test_a_state_of_something_else_is_refused(changes):
    with pytest.raises(UserError, match="state in the store of run cannot be read"):
        knowledge(STATE | changes)


@pytest.mark.parametrize(
    "flags",
    [
        {"max_layers": "x"},
        {"initial_q": ""},
        {"initial_q": "nan"},
        {"agent": "oracle"},
        {"space": "sea"},
        {"exploration": "boldly"},
        {"epsilon_schedule": "1"},
        {"agent": "q_learning_plus", "blocks_per_iteration": "many"},
    ],
)
def test_flags_of_something_else_are_refused(flags):
    with pytest.raises(UserError, match="cannot be read"):
        knowledge(**flags)


def test_a_run_at_its_beginning_has_nothing_to_explain():
    with pytest.raises(UserError, match="learned nothing yet"):
        knowledge(state={})
    with pytest.raises(UserError, match="not updated a single Q-value"):
        knowledge(state={"random": STATE["random"], "iteration": 3})


def test_the_greedy_block_is_what_the_agent_suggests_without_random_actions(blockqnn):
    blockqnn.search(
        *(
            "--preset=digits",
            "--agent=q_learning",
            "--run_dir=run",
            "--epsilon_schedule=1.0:12,0.3:6",
            "--alpha=0.3",
        ),
        *("--initial_q=0.1", "--blocks_per_iteration=12", "--max_layers=4"),
    )
    path = blockqnn.directory / "run"
    found = read_knowledge(path)
    greedy = greedy_code(found)
    assert all(action.ties == 1 for action in greedy.actions), "so that no draw decides"
    config = QLearningConfig(initial_q=0.1, epsilon_schedule=((0.0, 1),))
    agent = QLearning(BlockSpace(4), config, seed=1)
    agent.set_state(read_agent_state(path), [])
    assert agent.suggest(3) == [greedy.code] * 3
    # What was updated was written by a trial, and every trial began somewhere.
    for prefix in ((), greedy.code[:1], greedy.code[:-1]):
        layers = next_actions(found, prefix)
        assert all(layer.trials for layer in layers if layer.prospect.visits)
        assert [n.prospect.value for n in layers] == sorted(
            (n.prospect.value for n in layers), reverse=True
        )
    assert sum(layer.trials for layer in next_actions(found, ())) == len(found.run.trials)
    updates = sum(value.visits for value in kind_values(found))
    assert updates == sum(count for *_, count in found.agent.learned())
    assert found.iterations == 18

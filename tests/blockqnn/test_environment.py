"""The writing of blocks as a Gymnasium environment."""

import dataclasses
import doctest
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env

from blockqnn import environment as module
from blockqnn.agents.contract import Episode
from blockqnn.agents.q_learning import QLearning
from blockqnn.environment import BlockEnvironment
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import DryEvaluator
from blockqnn.networks.cost import Limits, cost
from blockqnn.networks.spaces.nsc.actions import LayerActions as ActionList
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import LayerCode, check, write
from blockqnn.networks.spaces.nsc.space import START, BlockSpace
from blockqnn.reward import corrected_reward
from blockqnn.runs.learning import AGENT_SCALE
from blockqnn.runs.store import Store
from blockqnn.settings import DataSettings, Recipe, RewardSettings
from blockqnn.trial import Outcome, Status, child_seed
from blockqnn.workers.contract import InlineExecutor
from tests.blockqnn.small_searches import (
    CONV3,
    CONV3_AGAIN,
    CONV5,
    LAYOUT,
    NO_CONVOLUTION,
    CountingEvaluator,
    search_settings,
    start,
)
from tests.paths import ROOT


def play(environment, code):
    """Writes a block; the observations, the rewards and the last info."""
    observation, info = environment.reset()
    observations, rewards, ended = [observation], [], False
    for layer in code:
        assert not ended
        action = environment.actions.number(layer)
        assert info["action_mask"][action] == 1
        observation, reward, ended, truncated, info = environment.step(action)
        assert not truncated
        observations.append(observation)
        rewards.append(reward)
    assert ended
    return observations, rewards, info


def play_at_random(environment, episodes, seed):
    """Draws legal actions; code, status and reward of each block."""
    # As sb3-contrib asks, through wrappers.
    action_masks = environment.get_wrapper_attr("action_masks")
    environment.action_space.seed(seed)
    environment.reset(seed=seed)
    played = []
    for _ in range(episodes):
        observation, info = environment.reset()
        ended = False
        while not ended:
            assert observation in environment.observation_space
            np.testing.assert_array_equal(info["action_mask"].astype(bool), action_masks())
            action = environment.action_space.sample(info["action_mask"])
            observation, reward, ended, _, info = environment.step(action)
            assert ended or reward == 0.0
        assert not info["action_mask"].any()
        played.append((info["code"], info["status"], reward))
    return played


@pytest.mark.parametrize(
    "options",
    [{}, {"max_layers": 1}, {"max_layers": 2, "observation": "layer"}, {"observation": "layer"}],
)
def test_gymnasiums_own_check_has_nothing_to_say(options):
    # Warnings are errors here.
    check_env(gymnasium.make("BlockQNN-v0", **options).unwrapped)


def test_it_is_registered_by_its_module_alone():
    program = (
        "import gymnasium\n"
        "environment = gymnasium.make('blockqnn.environment:BlockQNN-v0', max_layers=3)\n"
        "assert type(environment.unwrapped).__name__ == 'BlockEnvironment'\n"
        "import sys\n"
        "assert not {'jax', 'matplotlib', 'absl'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_the_example_of_the_docstring():
    result = doctest.testmod(module, raise_on_error=False)
    assert result.attempted > 5
    assert result.failed == 0


@pytest.mark.parametrize("max_layers", [1, 2, 3, 7])
def test_actions_are_all_layers_and_the_mask_is_the_search_space(max_layers):
    actions, space = ActionList(max_layers), BlockSpace(max_layers)
    found = set()
    state = START
    for position in range(1, max_layers + 2):
        legal = {layer for group in space.choices(state) for layer in group}
        mask = actions.mask(position)
        assert mask.dtype == np.bool_
        assert {actions.action(a, position) for a in np.flatnonzero(mask)} == legal
        assert all(mask[actions.number(layer)] for layer in legal)
        found |= {actions.number(layer) for layer in legal}
        state = LayerCode(position, 1, 3, 0, 0)
    assert found == set(range(len(actions)))


def test_the_papers_blocks_have_691_actions():
    # 8 layers of one predecessor for each of 23, 2 for each pair of 23, and Terminal.
    assert BlockEnvironment().action_space.n == 8 * 23 + 2 * 253 + 1 == 691


def test_the_observation_is_the_block_so_far():
    code = check([(1, 1, 3, 0, 0), (2, 5, 0, 0, 1)], max_layers=3)
    observations, rewards, info = play(BlockEnvironment(max_layers=3), code)
    rows = [[1, 1, 3, 0, 0], [2, 5, 0, 0, 1], [3, 7, 0, 0, 0], [0, 0, 0, 0, 0]]
    for count, observation in enumerate(observations):
        expected = np.array(rows)
        expected[count:] = 0
        np.testing.assert_array_equal(observation, expected)
        assert observation.dtype == np.int64
    assert rewards[:2] == [0.0, 0.0]
    assert info["code"] == write(code)


def test_the_observation_can_be_the_layer_written_last():
    code = check([(1, 1, 3, 0, 0), (2, 5, 0, 0, 1)], max_layers=3)
    observations, _, _ = play(BlockEnvironment(max_layers=3, observation="layer"), code)
    assert [tuple(o.tolist()) for o in observations] == [tuple(START), *map(tuple, code)]


def test_the_reward_is_that_of_equation_7():
    seen = []

    def evaluator(code):
        seen.append(code)
        return 81.5

    settings = RewardSettings(mu=2.0, rho=3.0)
    environment = BlockEnvironment(evaluator, max_layers=3, layout=LAYOUT, reward=settings)
    _, rewards, info = play(environment, CONV3)
    spent, block = cost(canonical_form(CONV3), LAYOUT), canonical_form(CONV3)
    assert rewards[-1] == corrected_reward(81.5, spent.block_flops, block.density, settings)
    assert seen == [CONV3]
    assert info["accuracy"] == 81.5
    assert (info["parameters"], info["flops"]) == (spent.parameters, spent.flops)
    assert (info["block_flops"], info["density"]) == (spent.block_flops, block.density)
    assert (info["hash"], info["status"], info["reason"]) == (block.hash, "trained", "")


def test_a_block_that_means_the_same_is_known():
    evaluator = CountingEvaluator()
    environment = BlockEnvironment(evaluator, max_layers=3, layout=LAYOUT)
    _, first, info = play(environment, CONV3)
    assert info["status"] == "trained"
    _, again, info = play(environment, CONV3_AGAIN)
    assert (info["status"], again[-1]) == ("known", first[-1])
    play(environment, CONV5)
    assert [job.code for job in evaluator.jobs] == [CONV3, CONV5]


def test_infeasible_blocks_earn_guessing_and_are_not_evaluated():
    evaluator = CountingEvaluator()
    environment = BlockEnvironment(evaluator, max_layers=3, layout=LAYOUT)
    _, rewards, info = play(environment, NO_CONVOLUTION)
    assert (rewards[-1], info["status"], info["reason"]) == (10.0, "infeasible", "no convolution")
    tight = BlockEnvironment(
        evaluator, max_layers=3, layout=LAYOUT, limits=Limits(max_parameters=5)
    )
    _, rewards, info = play(tight, CONV3)
    assert (rewards[-1], info["status"]) == (10.0, "infeasible")
    assert "parameters, allowed are 5" in info["reason"]
    assert not evaluator.jobs


def test_a_child_that_fails_earns_guessing_and_is_tried_again():
    block = canonical_form(CONV3).hash
    evaluator = CountingEvaluator({block: [Outcome(reason="out of luck")]})
    environment = BlockEnvironment(evaluator, max_layers=3, layout=LAYOUT)
    _, rewards, info = play(environment, CONV3)
    assert (rewards[-1], info["status"], info["reason"]) == (10.0, "failed", "out of luck")
    assert "accuracy" not in info
    _, rewards, info = play(environment, CONV3)
    assert info["status"] == "trained"
    assert rewards[-1] > 10.0


def test_the_childs_seed_is_that_of_a_search():
    evaluator = CountingEvaluator()
    play(BlockEnvironment(evaluator, max_layers=3, layout=LAYOUT, run_seed=7), CONV3)
    assert evaluator.jobs[0].seed == child_seed(7, canonical_form(CONV3).hash)


def test_an_illegal_action_ends_the_block():
    environment = BlockEnvironment(max_layers=3)
    environment.reset()
    _, reward, ended, _, info = environment.step(0)
    assert (reward, ended, info["status"]) == (10.0, True, "illegal")
    assert info["reason"] == "(1, 7, 0, 0, 0) may not stand at position 1"
    with pytest.raises(ResetNeeded):
        environment.step(1)
    _, info = environment.reset()
    assert info["action_mask"].sum() == 8


def test_an_illegal_action_can_raise_and_changes_nothing():
    environment = BlockEnvironment(max_layers=3, illegal_action="raise")
    _, before = environment.reset()
    with pytest.raises(InvalidAction, match=r"Action 0: \(1, 7, 0, 0, 0\) may not stand"):
        environment.step(0)
    np.testing.assert_array_equal(environment.action_masks(), before["action_mask"] == 1)
    environment.step(1)


@pytest.mark.parametrize("action", [-1, 10**6, 0.5, "1", None])
def test_what_is_no_action_is_refused(action):
    environment = BlockEnvironment(max_layers=3)
    environment.reset()
    with pytest.raises(InvalidAction, match="An action is 0 to 30, given"):
        environment.step(action)


def test_a_hundred_random_blocks_are_the_same_again():
    environment = gymnasium.make("BlockQNN-v0", max_layers=3)
    played = play_at_random(environment, 100, seed=3)
    assert len(played) == 100
    assert len({code for code, _, _ in played}) > 50
    assert {status for _, status, _ in played} == {"trained", "known", "infeasible"}
    again = play_at_random(gymnasium.make("BlockQNN-v0", max_layers=3), 100, seed=3)
    assert again == played
    assert play_at_random(environment, 100, seed=4) != played


def test_q_learning_earns_here_what_it_earns_in_a_search(tmp_path):
    settings = search_settings(limits=Limits(max_parameters=1500))
    store = Store.create_or_open(tmp_path / "store.sqlite")
    search, _ = start(settings, store)
    list(search.run(InlineExecutor(DryEvaluator(settings.recipe.epochs, 10))))
    trials = list(store.trials())
    store.close()
    assert {t.status for t in trials} == {Status.COMPLETED, Status.KNOWN, Status.INFEASIBLE}

    agent = QLearning(BlockSpace(settings.max_layers), settings.agent, settings.seed)
    environment = BlockEnvironment(
        max_layers=settings.max_layers,
        layout=settings.layout,
        limits=settings.limits,
        recipe=settings.recipe,
        run_seed=settings.seed,
    )
    for iteration in range(1, settings.iterations + 1):
        episodes = []
        for trial in (t for t in trials if t.iteration == iteration):
            (code,) = agent.suggest(1)
            assert code == trial.code
            _, rewards, info = play(environment, code)
            assert (rewards[-1], info["hash"]) == (trial.reward, trial.hash)
            episodes.append(Episode(code, rewards[-1] / AGENT_SCALE))
        agent.update(episodes)


def test_children_can_really_be_trained():
    environment = BlockEnvironment(
        "train",
        max_layers=2,
        data=DataSettings("synthetic:8x8x1:2:60"),
        recipe=Recipe(epochs=1, batch_size=16),
        layout=dataclasses.replace(LAYOUT, classes=2),
    )
    _, rewards, info = play(environment, CONV3)
    assert info["status"] == "trained"
    assert 0.0 <= info["accuracy"] <= 100.0
    assert rewards[-1] == pytest.approx(
        corrected_reward(info["accuracy"], info["block_flops"], info["density"], RewardSettings())
    )
    assert environment.layout.classes == 2


def test_the_layout_follows_the_images():
    layout = BlockEnvironment(data=DataSettings("synthetic:12x16x3:7")).layout
    assert (layout.height, layout.width, layout.channels, layout.classes) == (12, 16, 3, 7)


def test_it_draws_as_text():
    environment = BlockEnvironment(max_layers=3, render_mode="ansi")
    environment.reset()
    assert "input" in environment.render()
    environment.step(environment.actions.number(LayerCode(1, 1, 3, 0, 0)))
    first = environment.render()
    assert "3x3" in first
    environment.step(environment.actions.number(LayerCode(2, 1, 5, 1, 0)))
    assert "5x5" in environment.render()


def test_it_draws_a_picture():
    environment = BlockEnvironment(max_layers=3, render_mode="rgb_array")
    environment.reset()
    empty = environment.render()
    environment.step(environment.actions.number(LayerCode(1, 1, 3, 0, 0)))
    drawn = environment.render()
    for picture in (empty, drawn):
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 3
        assert picture[0, 0].tolist() == [255, 255, 255]
        assert picture.min() < 128
    assert drawn.shape[0] > empty.shape[0]


def test_without_a_mode_nothing_is_drawn():
    environment = BlockEnvironment(max_layers=3)
    environment.reset()
    assert environment.render() is None


def test_many_are_played_at_once():
    many = gymnasium.make_vec("BlockQNN-v0", num_envs=3, max_layers=3)
    observations, infos = many.reset(seed=0)
    assert observations.shape == (3, 4, 5)
    assert infos["action_mask"].shape == (3, 31)
    observations, rewards, *_ = many.step(np.array([1, 2, 3]))
    assert rewards.tolist() == [0.0, 0.0, 0.0]
    assert observations[:, 0, 0].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"observation": "all"}, "observation is 'all'; allowed: 'block', 'layer'."),
        ({"illegal_action": "ignore"}, "illegal_action is 'ignore'; allowed: 'end', 'raise'."),
        ({"render_mode": "human"}, "render_mode is 'human'; allowed: None, 'ansi', 'rgb_array'."),
        ({"max_layers": 0}, "max_layers is 0; allowed: at least 1."),
        ({"evaluator": "guess"}, "evaluator is 'guess'; allowed: 'dry', 'train'."),
        ({"evaluator": 3}, "An evaluator is 'dry', 'train', a function from a code"),
    ],
)
def test_wrong_arguments(options, sentence):
    with pytest.raises(UserError) as error:
        BlockEnvironment(**options)
    assert str(error.value).startswith(sentence)

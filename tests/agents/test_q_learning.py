"""Q-learning on a corridor of two steps, with Q-values worked out by hand."""

import pytest

from blockqnn.agents.contract import Episode
from blockqnn.agents.equations import bootstrap_target, final_target, moved, shaped_reward
from blockqnn.agents.q_learning import QLearning, QLearningConfig
from blockqnn.networks.spaces.registry import space_named

LEFT, RIGHT, ON, BACK, END, STOP = (1, 0), (1, 1), (2, 0), (2, 1), (9, 0), (9, 1)


class Corridor:
    """Left or right, then on or back or the end, then one of two ends."""

    start = (0, 0)

    def choices(self, state):
        if state == self.start:
            return [[LEFT, RIGHT]]
        if state in (LEFT, RIGHT):
            return [[ON, BACK], [END]]
        return [[END, STOP]]

    def is_end(self, action):
        return action[0] == 9


LONG = (LEFT, ON, END)
SHORT = (RIGHT, END)


def agent_with(space=None, seed=0, **settings):
    config = {"learning_rate": 0.5, "replay_updates": 1} | settings
    return QLearning(space or Corridor(), QLearningConfig(**config), seed)


def q(agent, state, action):
    return {a: value for a, value, _ in agent.q_values(state)}[action]


def path(agent, actions):
    """The Q-values along an episode, from its first action to its last."""
    return [q(agent, s, a) for s, a in zip((Corridor.start, *actions), actions, strict=False)]


def test_the_settings_are_the_papers():
    config = QLearningConfig()
    assert (config.learning_rate, config.discount) == (0.01, 1.0)
    assert (config.initial_q, config.replay_updates, config.replay_capacity) == (0.5, 64, 0)
    assert config.reward_shaping is True
    assert config.exploration == "by_type"


def test_equations_4_to_6_in_numbers():
    assert shaped_reward(r_T=0.9, T=3) == pytest.approx(0.3)
    assert final_target(0.9) == 0.9
    assert bootstrap_target(r_t=0.3, discount=0.5, max_q_t=0.8) == pytest.approx(0.7)
    assert moved(q=0.5, learning_rate=0.1, target=1.5) == pytest.approx(0.6)
    assert moved(q=0.5, learning_rate=1.0, target=1.5) == 1.5


# alpha = 0.5, Q = 0.5 before, r_T = 0.9, T = 3, so r_t = 0.3.
# Last action:   0.25 + 0.45 = 0.7, from r_T alone (equations 3 and 4).
# One before:    0.25 + (0.3 + 0.7) / 2 = 0.75.
# First:         0.25 + (0.3 + 0.75) / 2 = 0.775.
# Once more:     0.35 + 0.45 = 0.8; 0.375 + (0.3 + 0.8) / 2 = 0.925;
#                0.3875 + (0.3 + 0.925) / 2 = 1.0.
@pytest.mark.parametrize(
    ("settings", "values"),
    [
        pytest.param({}, [0.775, 0.75, 0.7], id="one replay"),
        pytest.param({"replay_updates": 2}, [1.0, 0.925, 0.8], id="two replays"),
        pytest.param({"replay_updates": 0}, [0.5, 0.5, 0.5], id="no replay"),
        pytest.param({"reward_shaping": False}, [0.55, 0.6, 0.7], id="no shaping"),
        pytest.param(
            {"reward_shaping": False, "replay_updates": 2},
            # 0.8; 0.3 + 0.8 / 2 = 0.7; 0.275 + 0.7 / 2 = 0.625.
            [0.625, 0.7, 0.8],
            id="no shaping, two replays",
        ),
        pytest.param(
            {"discount": 0.5},
            # 0.7; 0.25 + (0.3 + 0.35) / 2 = 0.575, but 0.575 is the maximum:
            # 0.25 + (0.3 + 0.2875) / 2 = 0.54375.
            [0.54375, 0.575, 0.7],
            id="discount",
        ),
        pytest.param(
            {"learning_rate": 0.1},
            # 0.45 + 0.09 = 0.54; 0.45 + 0.084 = 0.534; 0.45 + 0.0834 = 0.5334.
            [0.5334, 0.534, 0.54],
            id="alpha",
        ),
        pytest.param(
            {"initial_q": 0.0},
            # 0.45; (0.3 + 0.45) / 2 = 0.375; (0.3 + 0.375) / 2 = 0.3375.
            [0.3375, 0.375, 0.45],
            id="initial Q",
        ),
    ],
)
def test_an_episode_is_learned_from_backwards(settings, values):
    agent = agent_with(**settings)
    agent.update([Episode(LONG, 0.9)])
    assert path(agent, LONG) == pytest.approx(values)


def test_the_target_is_the_largest_value_of_all_legal_actions():
    """r_T = 0.3: 0.4 at the end is less than the 0.5 of what was not learned there."""
    agent = agent_with()
    agent.update([Episode(LONG, 0.3)])
    assert path(agent, LONG) == pytest.approx(
        [0.25 + (0.1 + 0.55) / 2, 0.25 + (0.1 + 0.5) / 2, 0.25 + 0.3 / 2]
    )


def test_terminal_counts_as_an_action_of_the_shaped_reward():
    """T = 2: r_t = 0.4; the end 0.25 + 0.4 = 0.65, the first 0.25 + (0.4 + 0.65) / 2."""
    agent = agent_with()
    agent.update([Episode(SHORT, 0.8)])
    assert path(agent, SHORT) == pytest.approx([0.775, 0.65])


def test_an_episode_of_one_action_earns_the_whole_reward():
    class Arms:
        start = (0,)

        def choices(self, state):
            return [[(1,), (2,)]]

        def is_end(self, action):
            return True

    agent = agent_with(Arms())
    agent.update([Episode(((2,),), 1.0)])
    assert agent.q_values((0,)) == [((1,), 0.5, 0), ((2,), 0.75, 1)]


def test_values_of_other_actions_stay():
    agent = agent_with()
    agent.update([Episode(LONG, 0.9)])
    assert agent.q_values(Corridor.start) == [(LEFT, pytest.approx(0.775), 1), (RIGHT, 0.5, 0)]
    assert agent.q_values(LEFT) == [(ON, pytest.approx(0.75), 1), (BACK, 0.5, 0), (END, 0.5, 0)]
    assert agent.q_values(ON) == [(END, pytest.approx(0.7), 1), (STOP, 0.5, 0)]
    for state in (RIGHT, BACK):
        assert all(value == 0.5 and not visits for _, value, visits in agent.q_values(state))


def test_an_action_of_the_second_group_is_learned_in_its_own_place():
    agent = agent_with()
    agent.update([Episode((LEFT, END), 0.9)])
    assert [visits for _, _, visits in agent.q_values(LEFT)] == [0, 0, 1]


def test_visits_are_the_updates_that_made_a_value():
    agent = agent_with(replay_updates=5)
    agent.update([Episode(LONG, 0.9)])
    agent.update([])
    assert {a: visits for a, _, visits in agent.q_values(LEFT)} == {ON: 10, BACK: 0, END: 0}
    assert agent.statistics()["episodes"] == 1


def test_learning_happens_through_replay_alone():
    agent = agent_with(replay_updates=0)
    agent.update([Episode(LONG, 0.9)] * 5)
    assert path(agent, LONG) == [0.5, 0.5, 0.5]
    assert agent.statistics() == {
        "epsilon": 1.0,
        "episodes": 5,
        "states": 0,
        "entries": 0,
        "mean_q": 0.5,
    }


def test_an_episode_that_is_illegal_is_refused():
    agent = agent_with()
    with pytest.raises(ValueError, match=r"\(2, 0\) is no legal action here"):
        agent.update([Episode((ON, END), 0.9)])


def test_statistics_are_those_of_what_was_learned():
    agent = agent_with(epsilon_schedule=((1.0, 1), (0.25, 1)))
    agent.update([Episode(LONG, 0.9)])
    statistics = agent.statistics()
    assert statistics.pop("mean_q") == pytest.approx((0.775 + 0.75 + 0.7) / 3)
    assert statistics == {"epsilon": 0.25, "episodes": 1, "states": 3, "entries": 3}


def test_the_state_holds_what_was_learned_by_the_name_of_the_state():
    agent = agent_with()
    agent.update([Episode(LONG, 0.9)])
    state = agent.get_state()
    assert state["iteration"] == 1
    assert {key: value for key, value in state.items() if key.startswith("q ")} == {
        "q 0,0": [[0, pytest.approx(0.775), 1]],
        "q 1,0": [[0, pytest.approx(0.75), 1]],
        "q 2,0": [[0, pytest.approx(0.7), 1]],
    }


def test_only_what_an_iteration_changed_is_reported():
    agent = agent_with()
    agent.update([Episode(LONG, 0.9)])
    agent.get_state(changed_only=True)
    other = agent_with(seed=1)
    other.set_state(agent.get_state(), [])
    other.update([Episode(SHORT, 0.9)])
    changed = other.get_state(changed_only=True)
    assert sorted(changed) == ["iteration", "q 0,0", "q 1,1", "random"]
    assert [position for position, _, _ in changed["q 0,0"]] == [0, 1]


class Bandit:
    """Ten arms in two groups; the reward is in the number of the arm."""

    start = (0,)

    def choices(self, state):
        if state == self.start:
            return [[(arm,) for arm in range(1, 4)], [(arm,) for arm in range(4, 11)]]
        return [[(99,)]]

    def is_end(self, action):
        return action == (99,)


@pytest.mark.parametrize("reward_shaping", [True, False])
@pytest.mark.parametrize("best", [2, 7, 10])
def test_the_best_arm_is_found(reward_shaping, best):
    agent = agent_with(
        Bandit(),
        seed=best,
        learning_rate=0.3,
        epsilon_schedule=((1.0, 10), (0.2, 10), (0.0, 1)),
        replay_updates=32,
        reward_shaping=reward_shaping,
    )
    for _ in range(20):
        suggestions = agent.suggest(8)
        agent.update(
            [Episode(a, 0.9 if a[0] == (best,) else 0.4 + a[0][0] / 50) for a in suggestions]
        )
    values = {action: value for action, value, _ in agent.q_values(Bandit.start)}
    assert max(values, key=values.get) == (best,)
    assert agent.epsilon == 0.0
    assert agent.suggest(20) == [((best,), (99,))] * 20


def test_what_was_learned_is_listed_in_order_with_its_updates():
    agent = agent_with(replay_updates=2)
    agent.update([Episode(SHORT, 0.9)])
    agent.update([Episode(LONG, 0.9)])
    listed = list(agent.learned())
    assert [(state, action) for state, action, _, _ in listed] == sorted(
        (state, action) for state, action, _, _ in listed
    )
    for state, action, value, updates in listed:
        assert (action, value, updates) in agent.q_values(state)
        assert updates > 0
    assert len(listed) == agent.statistics()["entries"]
    assert list(agent_with().learned()) == []


def test_an_episode_that_no_decisions_write_teaches_nothing():
    # A published cell that lists its outputs, as a first block of a search.
    space = space_named("pnas")
    agent = agent_with(space, replay_updates=8)
    code = space.published["pnasnet-5"]
    agent.update([Episode(code, 0.9)])
    assert agent.statistics()["episodes"] == 0
    agent.update([Episode(code, 0.9), Episode(agent.suggest(1)[0], 0.5)])
    assert agent.statistics()["episodes"] == 1

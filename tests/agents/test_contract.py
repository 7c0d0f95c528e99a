"""What every agent promises to the search loop. A new agent is added to `AGENTS`."""

import json
import math
import numbers

import pytest

from blockqnn.agents.contract import Episode
from blockqnn.agents.evolution import EvolutionConfig, RegularisedEvolution
from blockqnn.agents.local_search import LocalSearch, LocalSearchConfig
from blockqnn.agents.ppo import PPOConfig
from blockqnn.agents.predictor import PredictorConfig
from blockqnn.agents.q_learning import QLearning, QLearningConfig
from blockqnn.agents.q_learning_plus import QLearningPlus, QLearningPlusConfig
from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.agents.registry import make_agent
from blockqnn.agents.reinforce import ReinforceConfig
from blockqnn.networks.spaces.nasbench201.codes import check_cell
from blockqnn.networks.spaces.nasbench201.space import CellSpace
from blockqnn.networks.spaces.nsc.codes import check
from blockqnn.networks.spaces.nsc.space import BlockSpace

SPACE = BlockSpace(5)
SCHEDULE = ((1.0, 2), (0.5, 2), (0.1, 2))


def q_learning(**settings):
    config = QLearningConfig(
        learning_rate=0.2, epsilon_schedule=SCHEDULE, replay_updates=12, **settings
    )
    return lambda seed, space=SPACE: QLearning(space, config, seed)


def random_search(**settings):
    config = RandomSearchConfig(**settings)
    return lambda seed, space=SPACE: RandomSearch(space, config, seed)


def q_learning_plus(**settings):
    config = QLearningPlusConfig(**settings)
    return lambda seed, space=SPACE: QLearningPlus(space, config, seed)


def evolution(**settings):
    config = EvolutionConfig(**settings)
    return lambda seed, space=SPACE: RegularisedEvolution(space, config, seed)


def local_search(**settings):
    config = LocalSearchConfig(**settings)
    return lambda seed, space=SPACE: LocalSearch(space, config, seed)


# What is compiled for one test serves the others.
FEW = ReinforceConfig(children=4, learning_rate=0.02, layers=1, units=8, tanh=2.5)


def policy(config):
    return lambda seed, space=SPACE: make_agent(config, space, seed)


def predicted(agent):
    config = PredictorConfig(agent, pool=4, after=8, refit=4, trees=5)
    return lambda seed, space=SPACE: make_agent(config, space, seed)


AGENTS = {
    "random search": random_search(),
    "random search, uniform": random_search(exploration="uniform"),
    "q-learning": q_learning(),
    "q-learning, uniform": q_learning(exploration="uniform"),
    "q-learning, small memory": q_learning(replay_capacity=5),
    "q-learning, no shaping": q_learning(reward_shaping=False, discount=0.9),
    "q-learning plus": q_learning_plus(budget=40),
    "q-learning plus, one ceiling": q_learning_plus(budget=12, ceilings=1),
    "evolution": evolution(),
    "evolution, few": evolution(population=3, sample=2, exploration="uniform"),
    "local search": local_search(random_episodes=4),
    "random search behind a predictor": predicted(RandomSearchConfig()),
    "evolution behind a predictor": predicted(EvolutionConfig(population=3, sample=2)),
    "local search, one centre": local_search(centres=1, random_episodes=1),
    # Updates end within iterations of six episodes, and across them.
    "REINFORCE": policy(FEW),
    "PPO": policy(PPOConfig(children=5, minibatches=2, passes=2, units=8, learning_rate=0.02)),
}


@pytest.fixture(params=AGENTS)
def make(request):
    """Makes an agent that has learned nothing, from a seed."""
    return AGENTS[request.param]


def rewarded(suggestions):
    """Episodes with a made-up reward that depends on the actions alone."""
    return [
        Episode(actions, sum(kernel * index for index, _, kernel, _, _ in actions) % 7 / 7)
        for actions in suggestions
    ]


def run(agent, iterations, count=6):
    """Suggests and learns; returns all episodes."""
    episodes = []
    for _ in range(iterations):
        new = rewarded(agent.suggest(count))
        agent.update(new)
        episodes += new
    return episodes


def as_stored(episodes):
    """Episodes as they come back from a store: plain tuples of plain integers."""
    return [
        Episode(tuple(tuple(map(int, action)) for action in actions), reward)
        for actions, reward, _ in episodes
    ]


def through_json(state):
    return json.loads(json.dumps(state))


@pytest.mark.parametrize("max_layers", [1, 2, 5, 23])
def test_suggestions_are_legal_complete_episodes(make, max_layers):
    space = BlockSpace(max_layers)
    agent = make(3, space)
    for count in (8, 1, 0, 8):
        suggestions = agent.suggest(count)
        assert len(suggestions) == count
        for actions in suggestions:
            state = space.start
            for action in actions:
                assert state == space.start or not space.is_end(state)
                assert any(action in group for group in space.choices(state))
                state = action
            assert space.is_end(state)
            assert check(actions, max_layers) == tuple(actions)
        agent.update(rewarded(suggestions))


def test_the_same_seed_suggests_the_same(make):
    assert run(make(3), 6) == run(make(3), 6)


def test_another_seed_suggests_something_else(make):
    assert run(make(3), 2) != run(make(4), 2)


def test_suggestions_differ_from_one_another_and_go_on_differing(make):
    agent = make(0)
    first, second = agent.suggest(10), agent.suggest(10)
    assert len(set(first)) > 1
    assert first != second


def test_how_suggestions_are_asked_for_does_not_matter(make):
    together, apart = make(3), make(3)
    run(together, 3)
    run(apart, 3)
    suggestions = together.suggest(7)
    assert [*apart.suggest(2), *apart.suggest(0), *apart.suggest(5)] == suggestions
    assert together.get_state() == apart.get_state()


def test_suggesting_changes_nothing_but_random_state(make):
    agent = make(3)
    episodes = run(agent, 3)
    before, statistics = through_json(agent.get_state()), dict(agent.statistics())
    agent.suggest(5)
    after = through_json(agent.get_state())
    assert after["random"] != before["random"]
    assert {**after, "random": None} == {**before, "random": None}
    assert dict(agent.statistics()) == statistics
    # With the random state put back, the same is suggested and learned.
    other = make(0)
    other.set_state(before, episodes)
    agent.set_state({**after, "random": before["random"]}, episodes)
    assert run(agent, 2) == run(other, 2)


def test_updating_learns_what_it_is_told_and_not_what_was_suggested(make):
    one, other = make(3), make(3)
    episodes = rewarded(make(9).suggest(6))
    one.suggest(6)
    other.suggest(6)
    one.update(episodes)
    other.update(episodes)
    assert one.get_state() == other.get_state()


def test_the_state_survives_json(make):
    agent = make(3)
    run(agent, 4)
    state = agent.get_state()
    assert all(isinstance(key, str) for key in state)
    assert through_json(state) == state


def test_a_state_is_not_changed_by_what_comes_later(make):
    agent = make(3)
    run(agent, 2)
    state = agent.get_state()
    kept = json.dumps(state)
    run(agent, 2)
    assert json.dumps(state) == kept


def test_an_agent_that_goes_on_from_a_state_is_the_one_that_never_stopped(make):
    agent = make(3)
    episodes = run(agent, 3)
    other = make(77)
    run(other, 2)  # What it knew before must be gone.
    other.set_state(through_json(agent.get_state()), as_stored(episodes))
    assert other.get_state() == agent.get_state()
    for _ in range(4):
        assert dict(other.statistics()) == pytest.approx(dict(agent.statistics()))
        assert run(other, 1) == run(agent, 1)
        assert other.get_state() == agent.get_state()


def test_an_agent_that_goes_on_has_the_same_statistics_to_the_last_bit(make):
    agent, other = make(3), make(77)
    episodes = run(agent, 3)
    other.set_state(agent.get_state(), episodes)
    for _ in range(4):
        assert dict(other.statistics()) == dict(agent.statistics())
        assert run(other, 1) == run(agent, 1)


def test_an_agent_goes_on_in_the_middle_of_an_iteration(make):
    agent = make(3)
    episodes = run(agent, 3)
    first = agent.suggest(2)
    other = make(77)
    other.set_state(through_json(agent.get_state()), episodes)
    rest = agent.suggest(4)
    assert other.suggest(4) == rest
    agent.update(rewarded(first + rest))
    other.update(rewarded(first + rest))
    assert other.get_state() == agent.get_state()
    assert run(other, 2) == run(agent, 2)


def test_an_agent_goes_on_from_before_its_first_iteration(make):
    agent, other = make(3), make(77)
    other.set_state(through_json(agent.get_state()), [])
    assert run(other, 3) == run(agent, 3)


def test_the_changes_of_every_iteration_add_up_to_a_state_to_go_on_from(make):
    agent, merged, episodes = make(3), {}, []
    for _ in range(6):
        episodes += run(agent, 1)
        agent.get_state()  # Asking for the whole state takes nothing from the changes.
        merged |= through_json(agent.get_state(changed_only=True))
    other = make(77)
    other.set_state(merged, episodes)
    assert other.get_state() == agent.get_state()
    assert run(other, 3) == run(agent, 3)


def test_the_changes_of_every_iteration_add_up_to_the_whole_state(make):
    agent, merged = make(3), {}
    for _ in range(6):
        run(agent, 1)
        merged |= through_json(agent.get_state(changed_only=True))
    assert merged == agent.get_state()


def test_changes_since_a_state_was_set_add_up_from_there(make):
    agent = make(3)
    episodes = run(agent, 3)
    whole = through_json(agent.get_state())
    other = make(77)
    run(other, 1)
    other.set_state(whole, episodes)
    assert set(other.get_state(changed_only=True)) <= {"random", "iteration"}
    episodes += run(other, 2)
    merged = whole | other.get_state(changed_only=True)
    third = make(78)
    third.set_state(merged, episodes)
    assert third.get_state() == other.get_state()


def test_changes_are_reported_once(make):
    agent = make(3)
    run(agent, 2)
    first = agent.get_state(changed_only=True)
    again = agent.get_state(changed_only=True)
    assert set(again) <= {"random", "iteration"}
    assert set(again) <= set(first)


def test_statistics_are_finite_numbers_by_name(make):
    agent = make(3)
    for _ in range(3):
        statistics = agent.statistics()
        assert {"episodes", "epsilon"} <= set(statistics)
        for name, value in statistics.items():
            assert isinstance(name, str)
            assert isinstance(value, numbers.Real)
            assert not isinstance(value, bool)
            assert math.isfinite(value)
        json.dumps(dict(statistics))
        run(agent, 1)


def test_an_iteration_without_episodes_is_one(make):
    agent = make(3)
    agent.update([])
    assert len(run(agent, 2)) == 12


def test_cells_are_suggested_as_blocks_are(make):
    space = CellSpace()
    agent = make(3, space)
    for _ in range(5):
        suggestions = agent.suggest(6)
        assert [check_cell(actions) for actions in suggestions] == suggestions
        agent.update([Episode(actions, actions[0].operation / 4) for actions in suggestions])
    other = make(77, space)
    seen = [Episode(actions, 0.5) for actions in suggestions]
    agent.set_state(through_json(agent.get_state()), seen)
    other.set_state(through_json(agent.get_state()), as_stored(seen))
    assert other.suggest(6) == agent.suggest(6)


def starts(episodes, space):
    """The start, and every beginning of some episodes."""
    return [(), *{e.actions[:t] for e in episodes[:4] for t in range(1, len(e.actions))}]


def test_every_legal_action_has_one_prospect_and_probabilities_add_up_to_one(make):
    agent, episodes = make(3), []
    for _ in range(4):
        for prefix in starts(episodes, SPACE):
            prospects = agent.after(prefix)
            state = prefix[-1] if prefix else SPACE.start
            legal = [action for group in SPACE.choices(state) for action in group]
            assert [p.action for p in prospects] == legal
            assert all(p.probability >= 0 for p in prospects)
            assert sum(p.probability for p in prospects) == pytest.approx(1.0)
            assert any(p.greedy for p in prospects)
            assert all(p.visits >= 0 for p in prospects)
            assert all(p.value is None or math.isfinite(p.value) for p in prospects)
            if not agent.terms.value:
                assert all(p.value is None for p in prospects)
        episodes += run(agent, 1)


def test_asking_changes_nothing(make):
    agent, asked = make(3), make(3)
    for _ in range(4):
        before = through_json(asked.get_state())
        for prefix in starts(rewarded(make(9).suggest(3)), SPACE):
            asked.after(prefix)
        list(asked.entries())
        assert asked.terms.agent
        assert asked.terms.meaning.endswith(".")
        assert asked.get_state() == before
        assert run(asked, 1) == run(agent, 1)
        assert asked.get_state(changed_only=True) == agent.get_state(changed_only=True)


def test_an_agent_that_goes_on_says_the_same(make):
    agent, other = make(3), make(77)
    episodes = run(agent, 5)
    other.set_state(through_json(agent.get_state()), as_stored(episodes))
    for prefix in starts(episodes, SPACE):
        assert other.after(prefix) == agent.after(prefix)
    assert list(other.entries()) == list(agent.entries())


def test_entries_are_values_of_actions_that_were_learned_of(make):
    agent = make(3)
    assert list(agent.entries()) == []
    written = {action for episode in run(agent, 5) for action in episode.actions}
    entries = list(agent.entries())
    assert bool(entries) == bool(agent.terms.value)
    for entry in entries:
        assert entry.action in written
        assert math.isfinite(entry.value)
        assert entry.visits > 0


def test_what_comes_next_in_a_cell_is_said_as_of_a_block(make):
    space = CellSpace()
    agent = make(3, space)
    for _ in range(4):
        suggestions = agent.suggest(6)
        agent.update([Episode(actions, actions[0].operation / 4) for actions in suggestions])
        for length in range(6):
            prospects = agent.after(suggestions[0][:length])
            assert [p.action for p in prospects] == [(length + 1, o) for o in range(5)]
            assert sum(p.probability for p in prospects) == pytest.approx(1.0)

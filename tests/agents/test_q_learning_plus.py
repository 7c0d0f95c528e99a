"""Q-learning of best returns: the equations by hand, and what the agent does with them."""

import collections

import pytest

from blockqnn.agents.best_returns import best_return, keep_best
from blockqnn.agents.contract import Episode
from blockqnn.agents.q_learning_plus import (
    ATTEMPTS,
    QLearningPlus,
    QLearningPlusConfig,
    raised_epsilon,
    scheduled_epsilon,
)
from blockqnn.networks.spaces.nasbench201.codes import check_cell
from blockqnn.networks.spaces.nasbench201.space import CellSpace
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.nsc.space import BlockSpace

SPACE = CellSpace()
GREEDY = ((0.0, 1.0),)


def cell(*operations):
    return check_cell(enumerate(operations, start=1))


def agent(space=SPACE, seed=0, **settings):
    return QLearningPlus(
        space, QLearningPlusConfig(**{"epsilon_schedule": GREEDY} | settings), seed
    )


def differences(one, other):
    return sum(a != b for a, b in zip(one, other, strict=True))


def test_epsilon_by_shares_of_the_budget():
    schedule = ((1.0, 0.25), (0.5, 0.25), (0.0, 0.5))
    shares = (0.0, 0.2499, 0.25, 0.4999, 0.5, 1.0, 7.0)
    found = [scheduled_epsilon(schedule, share) for share in shares]
    assert found == [1.0, 1.0, 0.5, 0.5, 0.0, 0.0, 0.0]
    assert [raised_epsilon(0.5, i) for i in (0, ATTEMPTS // 2)] == [0.5, 0.75]


def test_a_q_value_is_the_best_return_up_to_a_ceiling():
    assert best_return([0.2, 0.5, 0.9], 0.5) == 0.5
    assert best_return([0.2, 0.5, 0.9], 0.7) == 0.5
    assert best_return([0.2], 0.1) is None
    assert best_return([], 1.0) is None


def test_the_best_distinct_returns_are_kept():
    returns = []
    assert [keep_best(returns, r, 2) for r in (0.5, 0.3, 0.5, 0.1, 0.4, 0.9)] == [
        True, True, False, False, True, True,
    ]  # fmt: skip
    assert returns == [0.5, 0.9]


def test_the_table_holds_the_best_return_after_each_action_at_each_position():
    learner = agent()
    learner.update([Episode(cell(0, 1, 0, 0, 0, 0), 0.3), Episode(cell(0, 2, 0, 0, 0, 0), 0.7)])
    learner.update([Episode(cell(0, 2, 0, 0, 0, 1), 0.5)])
    assert learner.q_values(0) == {(1, 0): 0.7}
    assert learner.q_values(1) == {(2, 1): 0.3, (2, 2): 0.7}
    assert learner.q_values(5) == {(6, 0): 0.7, (6, 1): 0.5}
    assert learner.q_values(6) == {}


def test_with_one_ceiling_one_decision_of_the_best_is_changed():
    learner = agent(ceilings=1)
    best = cell(3, 1, 4, 1, 0, 2)
    learner.update([Episode(cell(0, 0, 0, 0, 0, 0), 0.2), Episode(best, 0.9)])
    changed = collections.Counter()
    for suggestion in learner.suggest(600):
        if differences(suggestion, best) == 1:
            changed[next(i for i in range(6) if suggestion[i] != best[i])] += 1
    # An exploring start may draw what is known; the attempts after it have a larger epsilon.
    assert changed.total() > 550
    assert set(changed) == set(range(6))
    assert min(changed.values()) > 60


def test_each_of_the_best_returns_is_started_from():
    learner = agent(ceilings=2)
    cells = [cell(0, 0, 0, 0, 0, 0), cell(2, 2, 2, 2, 2, 2), cell(4, 4, 4, 4, 4, 4)]
    learner.update([Episode(c, r) for c, r in zip(cells, (0.9, 0.1, 0.8), strict=True)])
    nearest = collections.Counter(
        min(range(3), key=lambda i: differences(suggestion, cells[i]))
        for suggestion in learner.suggest(300)
    )
    assert nearest[1] == 0
    assert min(nearest[0], nearest[2]) > 100


def test_a_better_return_through_an_action_is_followed_where_it_leads():
    """Position by position, so that good parts of different episodes meet."""
    learner = agent(ceilings=1)
    learner.update([Episode(cell(1, 1, 1, 1, 1, 1), 0.5), Episode(cell(1, 1, 1, 2, 2, 2), 0.6)])
    best = cell(1, 1, 1, 2, 2, 2)
    near = [differences(suggestion, best) == 1 for suggestion in learner.suggest(200)]
    assert sum(near) > 180


def test_the_random_phase_is_a_share_of_the_budget():
    learner = agent(epsilon_schedule=((1.0, 0.5), (0.0, 0.5)), budget=8, ceilings=1)
    best = cell(3, 3, 3, 3, 3, 3)
    learner.update([Episode(best, 1.0)] * 3)
    assert learner.statistics()["epsilon"] == 1
    random = [differences(suggestion, best) for suggestion in learner.suggest(200)]
    assert sum(random) / 200 == pytest.approx(6 * 0.8, abs=0.3)
    learner.update([Episode(best, 1.0)])
    assert learner.statistics()["epsilon"] == 0
    near = [differences(suggestion, best) == 1 for suggestion in learner.suggest(200)]
    assert sum(near) > 180


def test_what_was_learned_from_is_not_suggested_again():
    learner = agent(ceilings=1)
    best = cell(0, 0, 0, 0, 0, 0)
    learner.update([Episode(best, 1.0)])
    seen = {best}
    for _ in range(100):
        (suggestion,) = learner.suggest(1)
        assert suggestion not in seen
        seen.add(suggestion)
        learner.update([Episode(suggestion, 0.0)])
    # Nearly all 24 neighbours come before what is farther away.
    assert sum(differences(suggestion, best) == 1 for suggestion in seen) >= 22


def test_two_codes_of_one_block_are_the_same_episode():
    learner = agent(BlockSpace(2), ceilings=1)
    learner.update([Episode(parse("[(1,1,3,0,0)]"), 0.9)])
    same = parse("[(1,4,0,0,0),(2,1,3,1,0)]")
    assert same not in learner.suggest(300)


def test_where_the_best_action_is_not_legal_the_next_best_is_taken():
    """Terminal is known at the third position alone; before it, only layers are legal."""
    learner = agent(BlockSpace(3), ceilings=1)
    best = parse("[(1,1,3,0,0),(2,1,5,1,0)]")
    learner.update([Episode(parse("[(1,2,3,0,0),(2,1,1,1,0),(3,1,5,2,0)]"), 0.2)])
    learner.update([Episode(best, 0.9)])
    lengths = collections.Counter(len(suggestion) for suggestion in learner.suggest(300))
    assert lengths[3] > 150
    assert set(lengths) <= {2, 3, 4}


def test_it_climbs_faster_than_chance():
    def evaluations(seed):
        learner = QLearningPlus(SPACE, QLearningPlusConfig(budget=400), seed)
        for number in range(1, 1000):
            (suggestion,) = learner.suggest(1)
            reward = sum(operation == 3 for _, operation in suggestion) / 6
            if reward == 1:
                return number
            learner.update([Episode(suggestion, reward)])
        return 1000

    assert sorted(map(evaluations, range(5)))[2] < 250

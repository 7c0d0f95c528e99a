"""How random actions are drawn, and the random state that goes through JSON."""

import json
from collections import Counter

import numpy as np
import pytest

from blockqnn.agents.exploration import (
    BY_TYPE,
    DISTRIBUTIONS,
    UNIFORM,
    draw,
    generator,
    random_state,
)

GROUPS = (("a",), ("b", "c", "d"), ("e", "f", "g", "h", "i", "j"))


def shares(groups, distribution, count=6000):
    random = np.random.default_rng(0)
    drawn = Counter(draw(random, groups, distribution) for _ in range(count))
    return {action: number / count for action, number in drawn.items()}


def test_names_of_the_distributions():
    assert DISTRIBUTIONS == (BY_TYPE, UNIFORM) == ("by_type", "uniform")


def test_by_type_draws_the_group_first():
    wanted = {action: 1 / 3 / len(group) for group in GROUPS for action in group}
    assert shares(GROUPS, BY_TYPE) == pytest.approx(wanted, abs=0.02)


def test_uniform_draws_from_all_actions():
    wanted = dict.fromkeys("abcdefghij", 0.1)
    assert shares(GROUPS, UNIFORM) == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_the_only_action_is_drawn(distribution):
    assert shares([["a"]], distribution, count=5) == {"a": 1.0}


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_generator_goes_on_where_another_stood(distribution):
    random = np.random.default_rng(5)
    draw(random, GROUPS, distribution)
    random.integers(3, dtype=np.int32)  # Leaves half of a 64-bit draw to be used later.
    copy = generator(json.loads(json.dumps(random_state(random))))
    assert random_state(copy) == random_state(random)
    assert copy.integers(2**31, size=5).tolist() == random.integers(2**31, size=5).tolist()
    assert [draw(copy, GROUPS, distribution) for _ in range(50)] == [
        draw(random, GROUPS, distribution) for _ in range(50)
    ]


def test_a_random_state_does_not_follow_its_generator():
    random = np.random.default_rng(5)
    state = random_state(random)
    first = random.random()
    assert generator(state).random() == first


def test_another_kind_of_generator_is_refused():
    with pytest.raises(ValueError, match="expected a PCG64 generator, given MT19937"):
        random_state(np.random.Generator(np.random.MT19937(0)))

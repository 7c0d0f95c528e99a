"""Contestants of a contest by their text: settings, schedules, refusals."""

import pytest

from blockqnn.agents.evolution import EvolutionConfig
from blockqnn.agents.paper_schedule import scaled_schedule
from blockqnn.agents.q_learning import QLearningConfig
from blockqnn.contests.contestants import parse_contestant
from blockqnn.errors import UserError


def test_the_papers_schedule_is_scaled():
    assert scaled_schedule(178 * 64, 64) == QLearningConfig().epsilon_schedule
    assert scaled_schedule(178 * 3, 6) == (
        (1.0, 48), (0.9, 3), (0.8, 3), (0.7, 4), (0.6, 5), (0.5, 5), (0.4, 5), (0.3, 5),
        (0.2, 5), (0.1, 6),
    )  # fmt: skip
    assert scaled_schedule(8, 2) == ((1.0, 2), (0.7, 1), (0.3, 1))
    assert scaled_schedule(1, 8) == ((1.0, 1),)
    paper = parse_contestant("q_learning")
    assert paper.batch(178 * 64) == 64
    assert paper.config(1000).replay_updates == paper.batch(1000) == 6
    assert paper.config(1000).learning_rate == 0.01
    assert paper.is_sized
    assert not parse_contestant("evolution").is_sized


def test_fields_are_changed_after_colons():
    changed = parse_contestant("evolution:population=50:sample=10")
    assert changed.config(1) == EvolutionConfig(50, 10, "uniform")
    assert changed.title == "evolution:population=50:sample=10"
    q = parse_contestant("q_learning:learning_rate=0.5:reward_shaping=false").config(100)
    assert (q.learning_rate, q.reward_shaping) == (0.5, False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nobody", "'nobody'; allowed: q_learning"),
        (
            "evolution:size=3",
            "'size=3' changes nothing; .* EvolutionConfig: population, sample, exploration",
        ),
        ("evolution:population", "'population' changes nothing"),
        ("evolution:population=x", "'x' is no value of population"),
        ("q_learning:epsilon_schedule=1", "changes nothing"),
        ("q_learning:reward_shaping=maybe", "'maybe' is no value"),
        ("q_learning:learning_rate=nan", "'nan' is no value"),
    ],
)
def test_contestants_that_do_not_exist_are_refused(text, words):
    with pytest.raises(UserError, match=words):
        parse_contestant(text)

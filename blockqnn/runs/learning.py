"""What an agent has learned from: a run's trials as episodes, and an agent put back by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from blockqnn.agents.contract import Agent, Episode
from blockqnn.trial import Trial

AGENT_SCALE = 100.0
"""The agent sees rewards divided by this, on the scale of its initial Q-value."""


def put_back(
    agent: Agent, state: Mapping[str, Any], trials: Iterable[Trial], iterations: int
) -> None:
    """Puts an agent where that of a run stood when an iteration had ended.

    Args:
        agent: any of the same settings.
        state: what a store has as the agent's.
        trials: of the run, perhaps with some of an iteration that is under way.
        iterations: how many had ended.
    """
    learned = [trial for trial in trials if trial.iteration <= iterations]
    agent.set_state(dict(state), episodes(learned))


def episodes(trials: list[Trial]) -> list[Episode]:
    """What the agent learns from, in its order: the code as it was written, and the reward."""
    return [
        Episode(trial.code, (trial.reward or 0.0) / AGENT_SCALE)
        for trial in sorted(trials, key=lambda trial: (trial.iteration, trial.number))
    ]

"""What an agent has learned from: a run's trials as episodes, and an agent put back by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from blockqnn.agents.contract import Agent, Episode, Sampled, Sampling
from blockqnn.errors import UserError
from blockqnn.networks.spaces.contract import Code
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


def sampled_by(agent: Agent, code: Code) -> Sampled | None:
    """What an agent knows of a suggestion now, if it draws from a policy."""
    return agent.sampled(code) if isinstance(agent, Sampling) else None


def as_stored(code: Code, stored: Trial | None, renamed_until: int) -> Code:
    """What is suggested, or what was in an iteration that is suggested again.

    Args:
        code: that the agent suggests now.
        stored: the trial of this number, where the store has it.
        renamed_until: last trial that an earlier version stored under other hashes. By
            them an agent may have known other designs, and so have suggested others.

    Returns:
        The code of the trial.

    Raises:
        UserError: if the store has another one, which the agent cannot have suggested.
    """
    if stored is None or stored.code == code:
        return code
    if stored.number > renamed_until:
        raise UserError(
            f"Trial {stored.number} of the store is not what this search suggests there: the run "
            "was written by another version of the program. Begin a new one (--run_dir)."
        )
    return stored.code


def episodes(trials: list[Trial]) -> list[Episode]:
    """What the agent learns from, in its order: the code as it was written, and the reward."""
    return [
        Episode(trial.code, (trial.reward or 0.0) / AGENT_SCALE, trial.sampled)
        for trial in sorted(trials, key=lambda trial: (trial.iteration, trial.number))
    ]

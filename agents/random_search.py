"""Random search: the baseline that every agent has to beat."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from blockqnn.agents.contract import (
    Action,
    Entry,
    Episode,
    Prospect,
    SearchSpace,
    State,
    Terms,
)
from blockqnn.agents.exploration import (
    BY_TYPE,
    draw_episode,
    draw_probabilities,
    generator,
    random_state,
)
from blockqnn.agents.options import AgentSettings, told


@dataclasses.dataclass(frozen=True)
class RandomSearchConfig(AgentSettings):
    """Settings of random search.

    Attributes:
        exploration: distribution of the actions, `by_type` or `uniform`.
    """

    exploration: str = dataclasses.field(default=BY_TYPE, metadata=told("exploration"))
    remembers_itself: ClassVar[bool] = True


class RandomSearch:
    """Draws every action at random and learns nothing."""

    terms = Terms(
        agent="random search",
        value="",
        visits="",
        meaning="Probabilities are those of the distribution that every action is drawn from "
        "(--exploration). Nothing is learned, so there are no values.",
        learns=False,
    )

    def __init__(self, space: SearchSpace, config: RandomSearchConfig, seed: int):
        """Creates the agent.

        Args:
            space: the decision process to draw from.
            config: its settings.
            seed: seed of all random choices.
        """
        self._space = space
        self._config = config
        self._random = np.random.default_rng(seed)
        self._episodes = 0

    def suggest(self, count: int) -> list[tuple[Action, ...]]:
        """See `Agent.suggest`."""
        return [
            draw_episode(self._random, self._space, self._config.exploration) for _ in range(count)
        ]

    def update(self, episodes: Sequence[Episode]) -> None:
        """See `Agent.update`."""
        self._episodes += len(episodes)

    def get_state(self, changed_only: bool = False) -> State:
        """See `Agent.get_state`."""
        return {"random": random_state(self._random)}

    def set_state(self, state: State, episodes: Sequence[Episode]) -> None:
        """See `Agent.set_state`."""
        self._random = generator(state["random"])
        self._episodes = len(episodes)

    def statistics(self) -> dict[str, float]:
        """Returns `episodes`: how many were seen; `epsilon`: always 1."""
        return {"episodes": self._episodes, "epsilon": 1.0}

    def after(self, prefix: Sequence[Action]) -> list[Prospect]:
        """See `Agent.after`. Exact; any action may be drawn, so all are greedy."""
        groups = self._space.choices(prefix[-1] if prefix else self._space.start)
        actions = [action for group in groups for action in group]
        drawn = draw_probabilities(groups, self._config.exploration)
        return [
            Prospect(tuple(action), probability, True, None, 0)
            for action, probability in zip(actions, drawn, strict=True)
        ]

    def entries(self) -> list[Entry]:
        """See `Agent.entries`. There are none."""
        return []

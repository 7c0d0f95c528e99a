"""Local search: one small change at a time, around the best of what was seen.

White et al., "Exploring the Loss Landscape in Neural Architecture Search",
UAI 2021, found it a strong baseline. Here the neighbour is drawn, not listed.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Sequence

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
from blockqnn.agents.descent import Parent, prospects_of_a_child, rewards_by_action
from blockqnn.agents.exploration import BY_TYPE, draw_episode, generator, random_state
from blockqnn.agents.options import AgentSettings, option, told

ATTEMPTS = 100
"""Changes that are drawn while what they lead to is known already."""


@dataclasses.dataclass(frozen=True)
class LocalSearchConfig(AgentSettings):
    """Settings of local search.

    Attributes:
        centres: of how many best episodes one is changed.
        random_episodes: at the beginning.
        exploration: distribution of their actions, `by_type` or `uniform`.
    """

    centres: int = dataclasses.field(
        default=3,
        metadata=option("centres", "best blocks around which local search looks", least=1),
    )
    random_episodes: int = 10
    exploration: str = dataclasses.field(default=BY_TYPE, metadata=told("exploration"))


class LocalSearch:
    """The agent."""

    terms = Terms(
        agent="local search",
        value="best reward",
        visits="centres",
        meaning="Probabilities are the shares of the centres that have the action, of those that "
        "differ least from what came before; the change that is made to a centre is left out. "
        "The first episodes are drawn at random. The value is the best reward of these centres.",
    )

    def __init__(self, space: SearchSpace, config: LocalSearchConfig, seed: int):
        """Creates an agent that has seen nothing.

        Args:
            space: whose episodes are changed.
            config: its settings.
            seed: of all random choices.
        """
        self._space = space
        self._config = config
        self._random = np.random.default_rng(seed)
        self._forget()

    def suggest(self, count: int) -> list[tuple[Action, ...]]:
        """See `Agent.suggest`. Changes again what was seen, up to a number of attempts."""
        return [self._suggest(self._episodes + place) for place in range(count)]

    def update(self, episodes: Sequence[Episode]) -> None:
        """See `Agent.update`. Remembers the best; of equals, those that came first."""
        for episode in episodes:
            self._episodes += 1
            actions = tuple(map(tuple, episode.actions))
            if actions in self._known:
                continue
            self._known.add(actions)
            bisect.insort(self._best, episode, key=lambda e: -e.reward)
            del self._best[self._config.centres :]

    def get_state(self, changed_only: bool = False) -> State:
        """See `Agent.get_state`. The best are found again among the episodes."""
        return {"random": random_state(self._random)}

    def set_state(self, state: State, episodes: Sequence[Episode]) -> None:
        """See `Agent.set_state`."""
        self._random = generator(state["random"])
        self._forget()
        self.update(episodes)

    def statistics(self) -> dict[str, float]:
        """Figures on what was seen.

        Returns:
            `episodes` seen, and `different` ones; `epsilon`, 1 while all is
            random and 0 after that; `best`, the largest reward.
        """
        return {
            "episodes": self._episodes,
            "different": len(self._known),
            "epsilon": float(self._episodes < self._config.random_episodes),
            "best": self._best[0].reward if self._best else 0.0,
        }

    def after(self, prefix: Sequence[Action]) -> list[Prospect]:
        """See `Agent.after`. Which centre is changed is exact, its change is left out."""
        return prospects_of_a_child(
            self._space,
            prefix,
            [Parent(centre, 1 / len(self._best)) for centre in self._best],
            self._config.exploration,
            explores=self._explores(self._episodes),
        )

    def entries(self) -> list[Entry]:
        """See `Agent.entries`. The best reward of the centres with each action."""
        return rewards_by_action(self._best)

    def _forget(self) -> None:
        self._episodes = 0
        self._best: list[Episode] = []
        self._known: set[tuple[Action, ...]] = set()

    def _explores(self, number: int) -> bool:
        return not self._best or number < self._config.random_episodes

    def _suggest(self, number: int) -> tuple[Action, ...]:
        if self._explores(number):
            return draw_episode(self._random, self._space, self._config.exploration)
        centre = self._best[int(self._random.integers(len(self._best)))]
        for attempt in range(ATTEMPTS):
            changed = centre.actions
            # Where all around is known already, more is changed at once.
            for _ in range(1 + attempt // 10):
                changed = self._space.mutated(changed, self._random)
            if changed not in self._known:
                break
        return changed

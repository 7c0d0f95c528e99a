"""Regularised evolution: the youngest are kept, not the best.

Real et al., "Regularized Evolution for Image Classifier Architecture Search",
AAAI 2019, algorithm 1. Cycles are in batches here: the children of a call of
`suggest` have their parents in one and the same population.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from blockqnn.agents.contract import Action, Episode, SearchSpace, State
from blockqnn.agents.exploration import BY_TYPE, draw_episode, generator, random_state
from blockqnn.agents.options import AgentSettings, option, told


@dataclasses.dataclass(frozen=True)
class EvolutionConfig(AgentSettings):
    """Settings of regularised evolution.

    Attributes:
        population: P, how many are alive. The paper has 100 and budgets of
            20,000; 10 suits some hundred.
        sample: S, how many are drawn for each child, of which the best is its
            parent. The paper has 25.
        exploration: distribution of the first episodes' actions, `by_type` or
            `uniform`.
    """

    population: int = dataclasses.field(
        default=10, metadata=option("population", "blocks that evolution keeps alive", least=1)
    )
    sample: int = dataclasses.field(
        default=3,
        metadata=option("sample", "blocks drawn for each child, the best a parent", least=1),
    )
    exploration: str = dataclasses.field(default=BY_TYPE, metadata=told("exploration"))


class RegularisedEvolution:
    """The agent."""

    def __init__(self, space: SearchSpace, config: EvolutionConfig, seed: int):
        """Creates an agent with nobody in its population.

        Args:
            space: whose episodes are bred.
            config: its settings.
            seed: of all random choices.
        """
        self._space = space
        self._config = config
        self._random = np.random.default_rng(seed)
        self._population: collections.deque[Episode] = collections.deque(maxlen=config.population)
        self._episodes = 0

    def suggest(self, count: int) -> list[tuple[Action, ...]]:
        """See `Agent.suggest`. Random until the population is full, then children."""
        return [self._suggest(self._episodes + place) for place in range(count)]

    def update(self, episodes: Sequence[Episode]) -> None:
        """See `Agent.update`. Each takes its place, and the oldest beyond P leave."""
        self._population.extend(episodes)
        self._episodes += len(episodes)

    def get_state(self, changed_only: bool = False) -> State:
        """See `Agent.get_state`. The population is the last of the episodes."""
        return {"random": random_state(self._random)}

    def set_state(self, state: State, episodes: Sequence[Episode]) -> None:
        """See `Agent.set_state`."""
        self._random = generator(state["random"])
        self._population.clear()
        self._episodes = 0
        self.update(episodes)

    def statistics(self) -> dict[str, float]:
        """Figures on the population.

        Returns:
            `episodes` seen; `epsilon`, 1 while all is random and 0 after that;
            `population`, how many are alive; `mean_reward` of them.
        """
        alive = [episode.reward for episode in self._population]
        return {
            "episodes": self._episodes,
            "epsilon": float(len(alive) < self._config.population),
            "population": len(alive),
            "mean_reward": float(np.mean(alive)) if alive else 0.0,
        }

    def _suggest(self, number: int) -> tuple[Action, ...]:
        if not self._population or number < self._config.population:
            return draw_episode(self._random, self._space, self._config.exploration)
        drawn = self._random.integers(len(self._population), size=self._config.sample)
        parent = max((self._population[i] for i in drawn.tolist()), key=lambda e: e.reward)
        child: tuple[Action, ...] = self._space.mutated(parent.actions, self._random)
        return child

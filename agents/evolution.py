"""Regularised evolution: the youngest are kept, not the best.

Real et al., "Regularized Evolution for Image Classifier Architecture Search",
AAAI 2019, algorithm 1. Cycles are in batches here: the children of a call of
`suggest` have their parents in one and the same population.
"""

from __future__ import annotations

import bisect
import collections
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


def parent_probabilities(rewards: Sequence[float], sample: int) -> list[float]:
    """With which probability each of a population is the parent of a child.

    Of S that are drawn uniformly with replacement the best is the parent. Its
    reward is at most r with probability `(n_r / P)^S`, where n_r of the P have
    no larger one, and of equals each is as likely as another.

    Args:
        rewards: of the population, in any order.
        sample: S.

    Returns:
        The probabilities, in the same order.
    """
    alive = len(rewards)
    ordered = sorted(rewards)
    found = []
    for reward in rewards:
        below, up_to = bisect.bisect_left(ordered, reward), bisect.bisect_right(ordered, reward)
        best = (up_to / alive) ** sample - (below / alive) ** sample
        found.append(best / (up_to - below))
    return found


class RegularisedEvolution:
    """The agent."""

    terms = Terms(
        agent="regularised evolution",
        value="best reward",
        visits="parents",
        meaning="Probabilities are those with which the parent has the action, of the parents that "
        "differ least from what came before; mutation, which changes one thing about it, is left "
        "out. Until the population is full, actions are drawn at random. The value is the best "
        "reward of these parents, and parents is how many of them have the action.",
    )

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

    def after(self, prefix: Sequence[Action]) -> list[Prospect]:
        """See `Agent.after`. Which parent a child has is exact, its mutation is left out."""
        rewards = [episode.reward for episode in self._population]
        chosen = parent_probabilities(rewards, self._config.sample)
        return prospects_of_a_child(
            self._space,
            prefix,
            list(map(Parent, self._population, chosen)),
            self._config.exploration,
            explores=self._explores(self._episodes),
        )

    def entries(self) -> list[Entry]:
        """See `Agent.entries`. The best reward of the living with each action."""
        return rewards_by_action(self._population)

    def _explores(self, number: int) -> bool:
        return not self._population or number < self._config.population

    def _suggest(self, number: int) -> tuple[Action, ...]:
        if self._explores(number):
            return draw_episode(self._random, self._space, self._config.exploration)
        drawn = self._random.integers(len(self._population), size=self._config.sample)
        parent = max((self._population[i] for i in drawn.tolist()), key=lambda e: e.reward)
        child: tuple[Action, ...] = self._space.mutated(parent.actions, self._random)
        return child

"""A predictor in front of the evaluation: of many suggestions, the promising one is taken.

Any agent suggests; a random forest, fitted to the episodes so far, predicts
their rewards and how unsure it is, and the one of the highest optimistic
prediction is passed on. The agent learns only from what was passed on.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from blockqnn.agents.contract import (
    Action,
    Agent,
    Entry,
    Episode,
    Prospect,
    Sampled,
    Sampling,
    SearchSpace,
    State,
    Terms,
)
from blockqnn.agents.options import option
from blockqnn.agents.pacing import Paced

FOREST = "forest"
"""What the flags of a run call this predictor."""


@dataclasses.dataclass(frozen=True)
class PredictorConfig:
    """Settings of the predictor.

    Attributes:
        agent: settings of the agent that suggests.
        pool: suggestions of which one is passed on.
        after: different episodes before it begins.
        refit: different episodes between two fits.
        optimism: calibrated standard deviations added to a prediction.
        trees: of the forest.
    """

    agent: Any
    pool: int = dataclasses.field(
        default=20,
        metadata=option("predictor_pool", "suggestions of which the predictor picks one", least=2),
    )
    after: int = dataclasses.field(
        default=30,
        metadata=option("predictor_after", "different blocks before the predictor begins", least=2),
    )
    refit: int = 10
    optimism: float = 1.0
    trees: int = 100

    @property
    def exploration(self) -> str:
        """Distribution of the agent's random actions."""
        return str(self.agent.exploration)


class RewardForest:
    """A random forest that says how unsure it is.

    The spread of the trees is scaled so that errors over spreads have a mean
    square of one, where an episode is predicted by those trees alone that have
    not seen it (out of bag).
    """

    def __init__(self, features: np.ndarray, rewards: np.ndarray, trees: int = 100):
        """Fits the forest, the same to the same episodes.

        Args:
            features: [N, F].
            rewards: [N].
            trees: how many.
        """
        from sklearn.ensemble import RandomForestRegressor

        self._forest = RandomForestRegressor(trees, max_features=0.5, random_state=0)
        self._forest.fit(features, rewards)
        each = self._trees(features)
        seen = np.zeros(each.shape, bool)
        for tree, drawn in enumerate(self._forest.estimators_samples_):
            seen[tree, drawn] = True
        # Of few trees, all may have seen an episode; it then tells nothing.
        unseen = np.ma.masked_array(each, seen)
        self._least = 1e-9 + 1e-3 * float(np.std(rewards))
        spread = np.maximum(unseen.std(0), self._least)
        ratio = (rewards - unseen.mean(0)) / spread
        self._scale = float(np.sqrt(np.ma.mean(np.square(ratio))))

    def predict(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Predicts rewards.

        Args:
            features: [N, F].

        Returns:
            Means and calibrated standard deviations, [N] each.
        """
        each = self._trees(features)
        return each.mean(0), self._scale * np.maximum(each.std(0), self._least)

    def _trees(self, features: np.ndarray) -> np.ndarray:
        """What each tree predicts, [trees, N]."""
        narrow = np.asarray(features, np.float32)
        return np.stack([tree.predict(narrow) for tree in self._forest.estimators_])


class PredictedAgent:
    """An agent behind a predictor."""

    def __init__(
        self,
        space: SearchSpace,
        config: PredictorConfig,
        seed: int,
        make_agent: Callable[[Any, SearchSpace, int], Agent],
    ):
        """Creates an agent that has learned nothing.

        Args:
            space: the decision process.
            config: its settings.
            seed: of all random choices.
            make_agent: creates the agent that suggests from its settings.
        """
        self._space, self._config = space, config
        self._agent = make_agent(config.agent, space, seed)
        self._forget()

    def suggest(self, count: int) -> list[tuple[Action, ...]]:
        """See `Agent.suggest`. Each is the most promising of a pool of unknown ones."""
        return [self._suggest() for _ in range(count)]

    def update(self, episodes: Sequence[Episode]) -> None:
        """See `Agent.update`. The agent learns too."""
        self._remember(episodes)
        self._agent.update(episodes)

    def get_state(self, changed_only: bool = False) -> State:
        """See `Agent.get_state`. The forest is fitted again from the episodes."""
        return self._agent.get_state(changed_only)

    def set_state(self, state: State, episodes: Sequence[Episode]) -> None:
        """See `Agent.set_state`."""
        self._forget()
        self._remember(episodes)
        self._agent.set_state(state, episodes)

    def pace(self, share: float) -> None:
        """See `Paced.pace`. The agent is told, if it wants to know."""
        if isinstance(self._agent, Paced):
            self._agent.pace(share)

    def sampled(self, actions: Sequence[Action]) -> Sampled | None:
        """See `Sampling.sampled`. What the agent says, if it draws from a policy."""
        return self._agent.sampled(actions) if isinstance(self._agent, Sampling) else None

    def warning(self) -> str:
        """See `Sampling.warning`. That of the agent."""
        return self._agent.warning() if isinstance(self._agent, Sampling) else ""

    def statistics(self) -> Mapping[str, float]:
        """The agent's figures, and `different`, the number of different episodes."""
        return {**self._agent.statistics(), "different": len(self._rewards)}

    @property
    def terms(self) -> Terms:
        """See `Agent.terms`. Those of the agent, and that they are its own."""
        own = self._agent.terms
        return dataclasses.replace(
            own,
            agent=f"{own.agent} behind a predictor",
            meaning=f"{own.meaning} All this is of the agent alone: the predictor takes one of "
            f"{self._config.pool} suggestions once there are enough episodes to fit it to.",
        )

    def after(self, prefix: Sequence[Action]) -> list[Prospect]:
        """See `Agent.after`. What the agent would suggest, not what the predictor would take."""
        return self._agent.after(prefix)

    def entries(self) -> Iterable[Entry]:
        """See `Agent.entries`. Those of the agent."""
        return self._agent.entries()

    def _forget(self) -> None:
        self._rewards: dict[Hashable, float] = {}
        self._features: list[Sequence[float]] = []
        self._forest: RewardForest | None = None
        self._fitted = 0

    def _remember(self, episodes: Sequence[Episode]) -> None:
        for episode in episodes:
            name = self._space.identity(episode.actions)
            if name not in self._rewards:
                self._rewards[name] = episode.reward
                self._features.append(self._space.features(episode.actions))

    def _suggest(self) -> tuple[Action, ...]:
        usable = fitted_on(len(self._rewards), self._config)
        if not usable:
            return self._agent.suggest(1)[0]
        if usable != self._fitted:
            # Depends on the episodes alone, so that a run that goes on fits the same.
            rewards = np.array(list(self._rewards.values())[:usable])
            self._forest = RewardForest(
                np.array(self._features[:usable]), rewards, self._config.trees
            )
            self._fitted = usable
        pool = self._agent.suggest(self._config.pool)
        unknown = [a for a in pool if self._space.identity(a) not in self._rewards]
        if len(unknown) < 2 or self._forest is None:
            return (unknown or pool)[0]
        features = np.array([self._space.features(actions) for actions in unknown])
        mean, deviation = self._forest.predict(features)
        return unknown[int(np.argmax(mean + self._config.optimism * deviation))]


def fitted_on(different: int, config: PredictorConfig) -> int:
    """How many of the different episodes, in order, the forest is fitted to.

    Args:
        different: episodes so far.
        config: the settings.

    Returns:
        The largest multiple of `refit`, or 0 before there are `after`.
    """
    return different // config.refit * config.refit if different >= config.after else 0


def held_out_predictions(
    features: Sequence[Sequence[float]],
    rewards: Sequence[float],
    config: PredictorConfig,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the forest predicted of each episode, fitted only to those before it.

    It is fitted again after `refit` episodes, or a quarter more where that is
    longer, so that the time does not grow with the square of their number.

    Args:
        features: [N, F] of the different episodes, in order.
        rewards: [N].
        config: the settings.

    Returns:
        Places of the episodes that were predicted, means and calibrated
        standard deviations.
    """
    places: list[int] = []
    means: list[float] = []
    deviations: list[float] = []
    begin = -(-max(config.after, config.refit) // config.refit) * config.refit
    while begin < len(rewards):
        stop = min(begin + max(config.refit, begin // 4), len(rewards))
        forest = _forest_of(
            tuple(map(tuple, features[:begin])), tuple(rewards[:begin]), config.trees
        )
        mean, deviation = forest.predict(np.array(features[begin:stop]))
        places += range(begin, stop)
        means += mean.tolist()
        deviations += deviation.tolist()
        begin = stop
    return np.array(places, int), np.array(means), np.array(deviations)


@functools.lru_cache(maxsize=32)
def _forest_of(
    features: tuple[tuple[float, ...], ...], rewards: tuple[float, ...], trees: int
) -> RewardForest:
    """A run that is looked at again while it goes on has nearly all of its forests already."""
    return RewardForest(np.array(features), np.array(rewards), trees)

"""Q-learning that keeps the best returns and explores around the best episodes.

Tabular, epsilon-greedy and fitted to a replay memory like BlockQNN's agent
(`blockqnn.agents.q_learning`), but made for budgets of some hundred episodes, in which
a running mean over a few visits has learned nothing yet. What is different:

- A Q-value is the best return that followed an action instead of a mean. Where
  neither rewards nor transitions have chance in them, that is what Q-learning
  converges to (Blundell et al., "Model-Free Episodic Control", 2016, eq. 1).
- A state is the position in the episode alone. So the greedy policy writes the
  best episode of the memory, and a random action in it changes one decision
  and leaves the others as they were.
- Exploring starts: one action of every episode, at a position drawn uniformly,
  is random (Sutton and Barto, "Reinforcement Learning", section 5.3). Epsilon
  can then be 0 once the random phase, a share of the budget, is over.
- Each suggestion draws one of the few best returns as a ceiling and is greedy
  about the returns up to it, so that the search does not hang on one episode.
- What was learned from is not suggested again; epsilon grows while nothing new
  is found.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from blockqnn.agents.best_returns import best_return, keep_best
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
    draw,
    draw_probabilities,
    generator,
    random_state,
)
from blockqnn.agents.mixture import Level, mixture_after
from blockqnn.agents.options import AgentSettings, option, told
from blockqnn.agents.pacing import Pacing

ATTEMPTS = 50
"""How often a suggestion is drawn while it is known; epsilon grows to 1 meanwhile."""

SCHEDULE = ((1.0, 0.25), (0.0, 0.75))
"""Epsilon and for which share of the budget it holds."""


@dataclasses.dataclass(frozen=True)
class QLearningPlusConfig(AgentSettings):
    """Settings of the agent.

    Attributes:
        budget: number of episodes that the search is meant to learn from.
        epsilon_schedule: pairs of epsilon and a share of the budget. The last
            epsilon holds on after the end.
        ceilings: from how many of the best returns a suggestion draws.
        exploration: distribution of random actions, `by_type` or `uniform`.
    """

    budget: int = dataclasses.field(default=1000, metadata=told("episodes"))
    epsilon_schedule: tuple[tuple[float, float], ...] = SCHEDULE
    ceilings: int = dataclasses.field(
        default=3,
        metadata=option("ceilings", "best returns that a suggestion starts from", least=1),
    )
    exploration: str = dataclasses.field(default=BY_TYPE, metadata=told("exploration"))


def scheduled_epsilon(schedule: Sequence[tuple[float, float]], share: float) -> float:
    """The share of random actions in an episode.

    Args:
        schedule: pairs of epsilon and a share of the budget, at least one.
        share: how much of the budget is used up, from 0.

    Returns:
        The epsilon that holds there; the last one after the end.
    """
    end = 0.0
    for epsilon, length in schedule:
        end += length
        if share < end:
            return epsilon
    return schedule[-1][0]


def raised_epsilon(epsilon: float, attempt: int) -> float:
    """Epsilon of an attempt to find an episode that is not known.

    Args:
        epsilon: that of the first attempt.
        attempt: number of the attempt, from 0 to `ATTEMPTS - 1`.

    Returns:
        `epsilon + (1 - epsilon) attempt / ATTEMPTS`.
    """
    return epsilon + (1.0 - epsilon) * attempt / ATTEMPTS


class QLearningPlus(Pacing):
    """Q-learning of best returns, with exploring starts and without repeats."""

    terms = Terms(
        agent="Q-learning plus",
        value="best return",
        visits="episodes",
        meaning="Probabilities are those of a first attempt, given what came before: greedy about "
        "one of the best returns, random at one position, and with probability epsilon at the "
        "others; what is known is then drawn again. The value is the best return of the episodes "
        "with the action at this position, whatever came before it.",
    )

    def __init__(self, space: SearchSpace, config: QLearningPlusConfig, seed: int):
        """Creates an agent that has learned nothing.

        Args:
            space: the decision process to learn.
            config: its settings.
            seed: seed of all random choices.
        """
        self._space = space
        self._config = config
        self._random = np.random.default_rng(seed)
        self._forget()

    def suggest(self, count: int) -> list[tuple[Action, ...]]:
        """See `Agent.suggest`. No episode learned from, as long as another one is found."""
        return [self._suggest(self._episodes) for _ in range(count)]

    def update(self, episodes: Sequence[Episode]) -> None:
        """See `Agent.update`. Each action of an episode keeps its best returns."""
        for episode in episodes:
            self._episodes += 1
            self._known.add(self._space.identity(episode.actions))
            r_T = float(episode.reward)
            if keep_best(self._best, r_T, self._config.ceilings):
                # As a store returns them, actions are plain tuples; they compare alike.
                self._reached[r_T] = episode.actions
                for left in self._reached.keys() - set(self._best):
                    del self._reached[left]
                self._ranked.clear()
            for t, action in enumerate(episode.actions):
                self._visits[t, tuple(action)] += 1
                returns = self._table.setdefault(t, {}).setdefault(action, [])
                if keep_best(returns, r_T, self._config.ceilings):
                    for level in range(self._config.ceilings):
                        self._ranked.pop((t, level), None)

    def q_values(self, t: int) -> dict[Action, float]:
        """What the table holds for a state.

        Args:
            t: position in the episode, from 0.

        Returns:
            The best return after each action that was ever taken there.
        """
        return {action: returns[-1] for action, returns in self._table.get(t, {}).items()}

    def after(self, prefix: Sequence[Action]) -> list[Prospect]:
        """See `Agent.after`. Exact for a first attempt, see `mixture_after`."""
        t, epsilon = len(prefix), self._epsilon(self._episodes)
        states: list[Any] = [self._space.start, *prefix]
        choices = [self._space.choices(state) for state in states]
        levels = [
            Level(
                len(self._reached[self._best[level]]) if self._best else 1,
                [self._greedy(i, level, groups) for i, groups in enumerate(choices)],
            )
            for level in range(max(len(self._best), 1))
        ]
        actions = [[tuple(a) for group in groups for a in group] for groups in choices]
        drawn = [
            dict(zip(own, draw_probabilities(groups, self._config.exploration), strict=True))
            for own, groups in zip(actions, choices, strict=True)
        ]
        probabilities = mixture_after([tuple(a) for a in prefix], levels, drawn, epsilon)
        values, greedy = self.q_values(t), levels[-1].greedy[t]
        return [
            Prospect(
                action,
                probabilities[action],
                greedy is None or action == greedy,
                values.get(action),
                self._visits[t, action],
            )
            for action in actions[t]
        ]

    def entries(self) -> list[Entry]:
        """See `Agent.entries`. One for each position and action that was ever taken there."""
        return [
            Entry(tuple(action), value, self._visits[t, tuple(action)])
            for t in sorted(self._table)
            for action, value in sorted(self.q_values(t).items())
        ]

    def get_state(self, changed_only: bool = False) -> State:
        """See `Agent.get_state`. The table is fitted again to the episodes."""
        return {"random": random_state(self._random)} | self._pacing_state()

    def set_state(self, state: State, episodes: Sequence[Episode]) -> None:
        """See `Agent.set_state`."""
        self._random, self._share = generator(state["random"]), state.get("share")
        self._forget()
        self.update(episodes)

    def statistics(self) -> dict[str, float]:
        """Figures on the table.

        Returns:
            `epsilon` of the next suggestion's first attempt; `episodes` learned
            from; `entries` of the table; `best`, the best return, 0 before any.
        """
        return {
            "epsilon": self._epsilon(self._episodes),
            "episodes": self._episodes,
            "entries": sum(map(len, self._table.values())),
            "best": self._best[-1] if self._best else 0.0,
        }

    def _forget(self) -> None:
        self._episodes = 0
        self._known: set[Hashable] = set()
        self._best: list[float] = []
        self._reached: dict[float, tuple[Action, ...]] = {}  # who reached these returns first
        self._table: dict[int, dict[Action, list[float]]] = {}
        self._visits: collections.Counter[tuple[int, Action]] = collections.Counter()
        self._ranked: dict[tuple[int, int], list[Action]] = {}  # kept while the table stands

    def _epsilon(self, number: int) -> float:
        share = self._place(number / self._config.budget, 1)
        return scheduled_epsilon(self._config.epsilon_schedule, share)

    def _suggest(self, number: int) -> tuple[Action, ...]:
        epsilon = self._epsilon(number)
        for attempt in range(ATTEMPTS):
            actions = self._draw(raised_epsilon(epsilon, attempt))
            if self._space.identity(actions) not in self._known:
                break
        return actions

    def _aim(self) -> tuple[int, int]:
        """Which of the best returns to be greedy about, and the position that explores."""
        if not self._best:
            return 0, 0
        level = int(self._random.integers(len(self._best)))
        return level, int(self._random.integers(len(self._reached[self._best[level]])))

    def _draw(self, epsilon: float) -> tuple[Action, ...]:
        """Draws an episode: epsilon-greedy, and random at one position."""
        level, start = self._aim()
        actions: list[Action] = []
        state: Any = self._space.start
        while not actions or not self._space.is_end(state):
            groups = self._space.choices(state)
            explore = len(actions) == start or self._random.random() < epsilon
            greedy = None if explore else self._greedy(len(actions), level, groups)
            if greedy is None:
                state = draw(self._random, groups, self._config.exploration)
            else:
                state = greedy
            actions.append(state)
        return tuple(actions)

    def _greedy(self, t: int, level: int, groups: Sequence[Sequence[Action]]) -> Action | None:
        """The legal action with the largest Q-value; None where none was ever taken."""
        if (t, level) not in self._ranked:
            self._ranked[t, level] = self._rank(t, level)
        for action in self._ranked[t, level]:
            if any(action in group for group in groups):
                return action
        return None

    def _rank(self, t: int, level: int) -> list[Action]:
        """The actions taken at a position, by Q-value under a ceiling, largest first."""
        if not self._best:
            return []
        ceiling = self._best[level]
        reached = self._reached[ceiling]
        ranked = []
        for action, returns in self._table.get(t, {}).items():
            value = best_return(returns, ceiling)
            if value is not None:
                # Episodes with the same return, such as two codes of one block,
                # are not mixed: the first one's actions go before the others'.
                ranked.append((value, action in reached[t : t + 1], action))
        return [action for _, _, action in sorted(ranked, reverse=True)]

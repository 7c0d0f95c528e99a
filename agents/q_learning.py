"""Tabular Q-learning with an epsilon-greedy policy and experience replay.

The agent of Zhong et al., "Practical Block-wise Neural Network Architecture
Generation", CVPR 2018, sections 3.2 and 4.2. Equation numbers are the paper's.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np

from blockqnn.agents.contract import Action, Entry, Episode, Prospect, SearchSpace, State, Terms
from blockqnn.agents.equations import (
    bootstrap_target,
    epsilon_at,
    final_target,
    moved,
    shaped_reward,
)
from blockqnn.agents.exploration import BY_TYPE, draw, draw_probabilities, generator, random_state
from blockqnn.agents.options import AgentSettings, option, told
from blockqnn.agents.pacing import Pacing
from blockqnn.agents.paper_schedule import PAPER_SCHEDULE, Schedule, paper_batch
from blockqnn.agents.q_row import Memory, Row


@dataclasses.dataclass(frozen=True)
class QLearningConfig(AgentSettings):
    """Settings of Q-learning; the defaults are the paper's where it says.

    Attributes:
        learning_rate: alpha of equations 4 and 5.
        discount: gamma of equation 5.
        initial_q: value of an action that was never learned from. The paper
            does not say; 0.5 as in MetaQNN's code.
        epsilon_schedule: pairs of epsilon and a number of iterations. The last
            epsilon holds on after the end.
        replay_updates: episodes replayed at the end of each iteration.
        replay_capacity: episodes that memory holds, the oldest leaving first;
            0 for no bound, which is also what is taken where the paper is silent.
        reward_shaping: whether an action before the last earns its share of
            the final reward (equation 6) or nothing.
        exploration: distribution of random actions, `by_type` or `uniform`.
    """

    learning_rate: float = dataclasses.field(
        default=0.01,
        metadata=option("alpha", "learning rate of Q-learning", above=0, most=1),
    )
    discount: float = dataclasses.field(
        default=1.0, metadata=option("gamma", "discount of Q-learning", least=0, most=1)
    )
    initial_q: float = dataclasses.field(
        default=0.5, metadata=option("initial_q", "Q-value of what was never learned; 1 is 100 %")
    )
    epsilon_schedule: Schedule = dataclasses.field(
        default=PAPER_SCHEDULE, metadata=told("schedule")
    )
    replay_updates: int = dataclasses.field(
        default=64, metadata=option("replay_updates", "episodes replayed after each iteration")
    )
    replay_capacity: int = dataclasses.field(
        default=0,
        metadata=option("replay_capacity", "episodes that memory holds; 0 for no bound"),
    )
    reward_shaping: bool = dataclasses.field(
        default=True,
        metadata=option(
            "reward_shaping", "give each action before the last its share of the reward, 1 / T"
        ),
    )
    exploration: str = dataclasses.field(default=BY_TYPE, metadata=told("exploration"))

    @classmethod
    def for_budget(cls, budget: int) -> Self:
        """See `AgentSettings.for_budget`. As in the paper, as many replays as blocks."""
        return super().for_budget(budget).changed(replay_updates=cls.batch(budget))

    @classmethod
    def batch(cls, budget: int) -> int:
        """See `AgentSettings.batch`. As many iterations as in the paper."""
        return paper_batch(budget)


class QLearning(Pacing):
    """The Q-learning agent of BlockQNN."""

    terms = Terms(
        agent="Q-learning",
        value="Q-value",
        visits="updates",
        meaning="Probabilities are those of the epsilon-greedy policy: a random action with "
        "probability epsilon, else one of the highest Q-value. A Q-value is what the agent expects "
        "from here on; with reward shaping the actions before the last add their shares, so "
        "values fall towards the end. Updates are how often replay moved it. Of what came before, "
        "only the last action counts: beginnings that end alike have the same values.",
    )

    def __init__(self, space: SearchSpace, config: QLearningConfig, seed: int):
        """Creates an agent that has learned nothing.

        Args:
            space: the decision process to learn.
            config: its settings.
            seed: seed of all random choices.
        """
        self._space = space
        self._config = config
        self._random = np.random.default_rng(seed)
        self._iteration = 0
        self._table: dict[Action, Row] = {}
        self._memory: list[Memory] = []
        self._changed: set[Action] = set()

    @property
    def epsilon(self) -> float:
        """Share of random actions in the iteration that is under way."""
        schedule = self._config.epsilon_schedule
        return epsilon_at(schedule, self._place(self._iteration, sum(n for _, n in schedule)))

    def suggest(self, count: int) -> list[tuple[Action, ...]]:
        """See `Agent.suggest`. Epsilon-greedy in every action."""
        return [self._suggest() for _ in range(count)]

    def update(self, episodes: Sequence[Episode]) -> None:
        """See `Agent.update`. Remembers the episodes, then replays.

        `replay_updates` episodes are drawn from memory uniformly with
        replacement, and each is learned from backwards.
        """
        self._remember(episodes)
        if self._memory:
            for index in self._random.integers(
                len(self._memory), size=self._config.replay_updates
            ).tolist():
                self._learn(self._memory[index])
        self._iteration += 1

    def q_values(self, state: Action) -> list[tuple[Action, float, int]]:
        """What the table holds for a state.

        Args:
            state: the start of the space, or any action but the end.

        Returns:
            Each legal action with its Q-value and the number of updates that
            made it, in the order of the space.
        """
        groups = self._space.choices(state)
        row = self._table.get(state) or Row(groups, self._config.initial_q)
        actions = [action for group in groups for action in group]
        return list(zip(actions, row.values.tolist(), row.visits.tolist(), strict=True))

    def learned(self) -> Iterator[tuple[Action, Action, float, int]]:
        """The entries of the table that were updated, in order of state and action.

        Yields:
            A state, an action in it, its Q-value and the number of updates that made it.
        """
        for state, row in sorted(self._table.items()):
            actions = [action for group in row.groups for action in group]
            for position in np.flatnonzero(row.visits).tolist():
                yield (
                    state,
                    actions[position],
                    float(row.values[position]),
                    int(row.visits[position]),
                )

    def after(self, prefix: Sequence[Action]) -> list[Prospect]:
        """See `Agent.after`. Exact: `epsilon p_random(a) + (1 - epsilon) p_greedy(a)`."""
        state = prefix[-1] if prefix else self._space.start
        values = self.q_values(state)
        drawn = draw_probabilities(self._space.choices(state), self._config.exploration)
        highest = max(q for _, q, _ in values)
        best = {action for action, q, _ in values if q == highest}
        # Of the highest values one is drawn as a random action is, but among them alone.
        groups = [[a for a in group if a in best] for group in self._space.choices(state)]
        groups = [group for group in groups if group]
        greedy = dict(
            zip(
                [action for group in groups for action in group],
                draw_probabilities(groups, self._config.exploration),
                strict=True,
            )
        )
        return [
            Prospect(
                tuple(action),
                self.epsilon * random + (1.0 - self.epsilon) * greedy.get(action, 0.0),
                action in best,
                q,
                visits,
            )
            for random, (action, q, visits) in zip(drawn, values, strict=True)
        ]

    def entries(self) -> Iterator[Entry]:
        """See `Agent.entries`. One for each state and action that were updated."""
        for _, action, value, visits in self.learned():
            yield Entry(tuple(action), value, visits)

    def get_state(self, changed_only: bool = False) -> State:
        """See `Agent.get_state`. One key for each state of the Q-table."""
        state: State = {"random": random_state(self._random), "iteration": self._iteration}
        state |= self._pacing_state()
        learned = (key for key, row in self._table.items() if row.visits.any())
        for key in sorted(self._changed) if changed_only else sorted(learned):
            state["q " + ",".join(map(str, key))] = self._entries(self._table[key])
        if changed_only:
            self._changed.clear()
        return state

    def set_state(self, state: State, episodes: Sequence[Episode]) -> None:
        """See `Agent.set_state`."""
        self._random = generator(state["random"])
        self._iteration, self._share = state["iteration"], state.get("share")
        self._table, self._memory = {}, []
        for name, entries in state.items():
            if not name.startswith("q "):
                continue
            row = self._row(tuple(map(int, name[2:].split(","))))
            for position, value, visits in entries:
                row.put(position, value, visits)
        self._remember(episodes)
        self._changed.clear()

    def statistics(self) -> dict[str, float]:
        """Figures on the table.

        Returns:
            `epsilon` of the iteration under way; `episodes` in memory; `states`
            and `entries` of the table that were learned; `mean_q`, the mean of
            these entries on the scale of rewards.
        """
        learned = [row.values[row.visits > 0] for row in self._table.values()]
        entries = sum(len(values) for values in learned)
        # fsum does not depend on the order of the table, which set_state does not keep.
        total = math.fsum(value for values in learned for value in values.tolist())
        return {
            "epsilon": self.epsilon,
            "episodes": len(self._memory),
            "states": sum(len(values) > 0 for values in learned),
            "entries": entries,
            "mean_q": total / entries if entries else self._config.initial_q,
        }

    def _suggest(self) -> tuple[Action, ...]:
        actions: list[Action] = []
        state = self._space.start
        while not actions or not self._space.is_end(state):
            groups: Sequence[Sequence[Any]] = self._space.choices(state)
            if self._random.random() >= self.epsilon and state in self._table:
                groups = self._table[state].greedy()
            state = draw(self._random, groups, self._config.exploration)
            actions.append(state)
        return tuple(actions)

    def _remember(self, episodes: Sequence[Episode]) -> None:
        for episode in episodes:
            # No decisions write a published cell with a list of its outputs behind its end.
            if any(map(self._space.is_end, episode.actions[:-1])):
                continue
            path, state = [], self._space.start
            for action in episode.actions:
                row = self._row(state)
                path.append((state, row, row.position(action)))
                state = action
            self._memory.append(Memory(path, float(episode.reward)))
        if self._config.replay_capacity:
            del self._memory[: -self._config.replay_capacity]

    def _learn(self, memory: Memory) -> None:
        """Learns from an episode, from its last action back to its first."""
        alpha, discount = self._config.learning_rate, self._config.discount
        r_t = 0.0
        if self._config.reward_shaping:
            r_t = shaped_reward(memory.reward, len(memory.path))
        target = final_target(memory.reward)
        for state, row, position in reversed(memory.path):
            value = moved(float(row.values[position]), alpha, target)
            row.put(position, value, int(row.visits[position]) + 1)
            self._changed.add(state)
            target = bootstrap_target(r_t, discount, float(row.values.max()))

    def _row(self, state: Action) -> Row:
        if state not in self._table:
            self._table[state] = Row(self._space.choices(state), self._config.initial_q)
        return self._table[state]

    @staticmethod
    def _entries(row: Row) -> list[list[float]]:
        return [
            [int(i), float(row.values[i]), int(row.visits[i])] for i in np.flatnonzero(row.visits)
        ]

"""What was tried to make tabular Q-learning stronger and is not in q_learning_plus.

Arguments and output are those of `benchmarks.ablation`. Where nothing else is
said the learning rate is 0.1, with 16 replays for each episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.ablation import Variant, main, paper, plus
from blockqnn.agents.contract import Action, Episode
from blockqnn.agents.q_learning import QLearning
from blockqnn.agents.q_learning_plus import QLearningPlus

_COMMON: dict[str, Any] = {"learning_rate": 0.1, "replays": 16}


class ByVisits(QLearning):
    """The learning rate is one over the number of visits: Q-values are means of their targets."""

    def _learn(self, memory: Any) -> None:
        target = memory.reward
        for _, row, position in reversed(memory.path):
            visits = int(row.visits[position]) + 1
            value = float(row.values[position])
            row.put(position, value + (target - value) / visits, visits)
            target = float(row.values.max())


class OfReturns(QLearning):
    """Monte Carlo: each action is moved towards the episode's return, without bootstrapping."""

    def _learn(self, memory: Any) -> None:
        for _, row, position in memory.path:
            value = float(row.values[position])
            alpha = self._config.learning_rate
            row.put(
                position, value + alpha * (memory.reward - value), int(row.visits[position]) + 1
            )


class Prioritised(QLearning):
    """Episodes are replayed in proportion to one over the rank of their reward."""

    def update(self, episodes: Sequence[Episode]) -> None:
        """Remembers the episodes, then replays the better ones more often."""
        self._remember(episodes)
        ranked = sorted(self._memory, key=lambda memory: -memory.reward)
        weights = [1 / rank for rank in range(1, len(ranked) + 1)]
        total = sum(weights)
        for index in self._random.choice(
            len(ranked), self._config.replay_updates, p=[weight / total for weight in weights]
        ).tolist():
            self._learn(ranked[index])
        self._iteration += 1


class LeastTried(QLearningPlus):
    """The action that explores is the one tried least often there, instead of any.

    For spaces in which there is always another action than the greedy one.
    """

    def _forget(self) -> None:
        super()._forget()
        self._tried: dict[tuple[int, Action], int] = {}

    def update(self, episodes: Sequence[Episode]) -> None:
        """Counts the actions."""
        super().update(episodes)
        for episode in episodes:
            for place in enumerate(episode.actions):
                self._tried[place] = self._tried.get(place, 0) + 1

    def _draw(self, epsilon: float) -> tuple[Action, ...]:
        level, start = self._aim()
        actions: list[Action] = []
        state: Any = self._space.start
        while not actions or not self._space.is_end(state):
            groups = self._space.choices(state)
            t = len(actions)
            greedy = self._greedy(t, level, groups)
            if greedy is None or self._random.random() < epsilon:
                legal = [action for group in groups for action in group]
                state = legal[int(self._random.integers(len(legal)))]
            elif t == start:
                # Not the greedy one, or the least tried would soon be tried for the second time.
                legal = [action for group in groups for action in group if action != greedy]
                counts = [self._tried.get((t, action), 0) for action in legal]
                fewest = [a for a, n in zip(legal, counts, strict=True) if n == min(counts)]
                state = fewest[int(self._random.integers(len(fewest)))]
            else:
                state = greedy
            actions.append(state)
        return tuple(actions)


VARIANTS: dict[str, Variant] = {
    "q_learning as in the paper, but for these two": paper(QLearning, **_COMMON),
    "... and no reward shaping": paper(QLearning, reward_shaping=False, **_COMMON),
    "... learning rate 1 / visits": paper(ByVisits, reward_shaping=False, **_COMMON),
    "... Monte-Carlo returns": paper(OfReturns, reward_shaping=False, **_COMMON),
    "... optimistic, Q-values begin at 1": paper(
        QLearning, reward_shaping=False, initial_q=1.0, **_COMMON
    ),
    "... better episodes replayed more often": paper(Prioritised, reward_shaping=False, **_COMMON),
    "q_learning_plus": plus(),
    "... explores by what was tried least": plus(LeastTried),
}


if __name__ == "__main__":
    main(VARIANTS, "left_out", __doc__)

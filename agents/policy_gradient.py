"""What agents have in common whose policy is a controller that rewards improve.

Sequences are drawn one by one. When m children have earned their rewards, the policy is updated
once, by how far each reward is above a moving average of the rewards before.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from blockqnn.agents.contract import (
    Action,
    Entry,
    Episode,
    Prospect,
    Sampled,
    SearchSpace,
    State,
    Terms,
)
from blockqnn.agents.cpu_device import cpu_device
from blockqnn.agents.exploration import generator, random_state
from blockqnn.agents.options import AgentSettings
from blockqnn.agents.rewarded_children import Rewarded, batch_of, moving_average, powered

if TYPE_CHECKING:
    from blockqnn.agents.policy import Policy
    from blockqnn.agents.policy_updates import Rule

COLLAPSED = 0.95
"""A policy that writes one sequence with this probability finds nothing new."""


class PolicyGradientConfig(AgentSettings):
    """What the settings of these agents have in common, each a field with a flag of its own.

    Attributes:
        children: m, rewarded children of an update.
        learning_rate: of Adam.
        baseline_decay: d of `b <- d b + (1 - d) R`, one reward after the other.
        entropy_weight: of the policy's entropy in what is climbed.
        temperature: by which scores are divided.
        tanh: the largest logit either way; 0 for no bound.
        layers: of the controller's LSTM.
        units: of each layer.
        scale: first weights are uniform in [-scale, scale].
        gradient_norm: of an update at most; 0 for no bound.
        exponent: R is this power of the reward.
    """

    children: int
    learning_rate: float
    baseline_decay: float
    entropy_weight: float
    temperature: float
    tanh: float
    layers: int
    units: int
    scale: float
    gradient_norm: float
    exponent: float
    remembers_itself: ClassVar[bool] = True

    @classmethod
    def for_budget(cls, budget: int) -> Self:
        """See `AgentSettings.for_budget`. For some hundred children, not for 12,800 or 20,000.

        As Dong and Yang compared REINFORCE on NAS-Bench-201, the baseline moves by a tenth of a
        reward and the accuracy itself is the reward. The rest was chosen there by trying.
        """
        return (
            super()
            .for_budget(budget)
            .changed(baseline_decay=0.9, exponent=1.0, tanh=2.5, learning_rate=0.01, **cls._few())
        )

    @classmethod
    @abc.abstractmethod
    def _few(cls) -> dict[str, Any]:
        """What else is changed for some hundred children."""


class PolicyGradient(abc.ABC):
    """An agent whose policy learns from rewards by their gradient."""

    _staleness: int | None = None
    """Children drawn by a policy that was updated more often since are left out; None for all."""
    _remembers = False
    """Whether an update needs the probabilities with which its children were drawn."""

    def __init__(self, space: SearchSpace, config: Any, seed: int):
        """Creates an agent that has learned nothing.

        Args:
            space: the decision process.
            config: its settings.
            seed: of all random choices.
        """
        # Before anything imports JAX, which then sees no other device.
        cpu_device()
        from blockqnn.agents.policy import Policy

        self._space, self._config = space, config
        self._random = np.random.default_rng(seed)
        network = {name: getattr(config, name) for name in ("layers", "units")}
        network |= {name: float(getattr(config, name)) for name in ("temperature", "tanh")}
        first = np.random.default_rng([seed, 1])
        self._policy: Policy = Policy(
            space, config.exploration, network, config.scale, self._rule(), first
        )
        self._pending: list[Rewarded] = []
        self._baseline: float | None = None
        self._updates = self._episodes = self._stale = 0
        self._figures: dict[str, float] | None = None
        self._changed = {"policy", "pending"}

    @property
    @abc.abstractmethod
    def terms(self) -> Terms:
        """See `Agent.terms`."""

    @abc.abstractmethod
    def _rule(self) -> Rule:
        """How the policy learns."""

    @abc.abstractmethod
    def _parts(self) -> list[list[int]]:
        """Which children of an update each of its steps learns from."""

    def suggest(self, count: int) -> list[tuple[Action, ...]]:
        """See `Agent.suggest`. Drawn from the policy, repetitions too."""
        return [self._policy.draw(self._random) for _ in range(count)]

    def sampled(self, actions: Sequence[Action]) -> Sampled | None:
        """See `Sampling.sampled`."""
        written = self._policy.score_episode(actions)
        if written is None:
            return None
        old = written.log_probabilities[: len(actions)].tolist()
        return Sampled(self._updates, tuple(old), float(written.entropies.sum()))

    def update(self, episodes: Sequence[Episode]) -> None:
        """See `Agent.update`. Each m children that are complete update the policy once."""
        # All of them were drawn before the first of these updates.
        rewarded = [self._rewarded(episode) for episode in episodes]
        self._episodes += len(episodes)
        self._changed.add("pending")
        for child in rewarded:
            if child is None:
                continue
            if self._staleness is not None and self._updates - child.update > self._staleness:
                self._stale += 1
            else:
                self._pending.append(child)
            if len(self._pending) == self._config.children:
                self._learn()

    def space_changed(self) -> None:
        """See `Resizing.space_changed`. Children of the former length teach nothing any more."""
        self._policy.follow_space()
        self._pending, self._figures = [], None
        self._changed.add("pending")

    def warning(self) -> str:
        """See `Sampling.warning`."""
        share = self.statistics()["concentration"]
        if share < COLLAPSED:
            return ""
        return (
            f"The policy has collapsed: it writes one sequence with a probability of {share:.3f}, "
            "so that hardly anything new is suggested. The best of what was evaluated is kept; "
            "a larger weight of the entropy, or a smaller learning rate, keeps a policy broader."
        )

    def statistics(self) -> dict[str, float]:
        """Figures on the policy.

        Returns:
            `episodes` seen, `updates` of the policy, `stale` children left out; `entropy` of an
            episode in nats, `concentration`, the probability of the episode of the likeliest
            decisions; where decisions are about several things, `entropy_of_operation` and so
            on, the parts of the entropy; the `baseline`, 0 before any; `epsilon`, always 0: all
            is drawn from the policy.
        """
        if self._figures is None:
            parts, concentration = self._policy.entropies, self._policy.concentration
            self._figures = {"entropy": math.fsum(parts.values()), "concentration": concentration}
            said = {kind: own for kind, own in parts.items() if kind}
            if len(said) > 1:
                self._figures |= {f"entropy_of_{_word(kind)}": said[kind] for kind in said}
        return {
            "epsilon": 0.0,
            "episodes": self._episodes,
            "updates": self._updates,
            "stale": self._stale,
            "baseline": self._baseline or 0.0,
            **self._figures,
        }

    def after(self, prefix: Sequence[Action]) -> list[Prospect]:
        """See `Agent.after`. Exact; the likeliest are called greedy."""
        numbered, chances = self._space.numbered(), self._policy.next(prefix)
        groups = self._space.choices(prefix[-1] if prefix else self._space.start)
        actions = [action for group in groups for action in group]
        found = [float(chances[numbered.number(action)]) for action in actions]
        return [
            Prospect(tuple(action), chance, chance == max(found), None, 0)
            for action, chance in zip(actions, found, strict=True)
        ]

    def entries(self) -> list[Entry]:
        """See `Agent.entries`. There are none: a policy has no values."""
        return []

    def get_state(self, changed_only: bool = False) -> State:
        """See `Agent.get_state`. All weights change with an update, and nothing between two."""
        state: State = {"random": random_state(self._random)}
        wanted = self._changed if changed_only else {"policy", "pending"}
        if "policy" in wanted:
            counted = {"updates": self._updates, "baseline": self._baseline}
            state["policy"] = self._policy.state() | counted
        if "pending" in wanted:
            children = [child.as_state() for child in self._pending]
            counts = {"stale": self._stale, "episodes": self._episodes}
            state["pending"] = {"children": children, **counts}
        if changed_only:
            self._changed = set()
        return state

    def set_state(self, state: State, episodes: Sequence[Episode]) -> None:
        """See `Agent.set_state`."""
        self._random = generator(state["random"])
        policy, pending = state["policy"], state["pending"]
        self._policy.put(policy)
        self._updates, self._baseline = int(policy["updates"]), policy["baseline"]
        self._pending = [Rewarded.of_state(*fields) for fields in pending["children"]]
        # Scores by shared weights are no trials; states of earlier versions do not count them.
        self._stale = int(pending["stale"])
        self._episodes = int(pending.get("episodes", len(episodes)))
        self._figures, self._changed = None, set()

    def _rewarded(self, episode: Episode) -> Rewarded | None:
        """An episode as it is learned from; None for one that the policy cannot write."""
        numbers = self._policy.tables.numbers(episode.actions)
        if numbers is None:
            return None
        old, update = np.zeros(len(numbers), np.float32), self._updates
        if self._remembers:
            known = episode.sampled or self.sampled(episode.actions)
            assert known is not None, "what has numbers has probabilities"
            old[: len(episode.actions)] = known.log_probabilities
            update = known.update
        reward = powered(float(episode.reward), self._config.exponent)
        return Rewarded(numbers, old, update, reward)

    def _learn(self) -> None:
        children, self._pending = self._pending, []
        rewards = [child.reward for child in children]
        if self._baseline is None:
            # Nobody is above or below what nobody has seen.
            self._baseline = math.fsum(rewards) / len(rewards)
        advantages = [reward - self._baseline for reward in rewards]
        self._policy.improve(batch_of(children, advantages, self._parts()))
        self._baseline = moving_average(self._baseline, rewards, self._config.baseline_decay)
        self._updates += 1
        self._figures = None
        self._changed |= {"policy", "pending"}


def _word(kind: str) -> str:
    return kind.lower().replace(" ", "_")

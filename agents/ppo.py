"""PPO: a controller that learns from children several times, in small steps.

Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition", CVPR 2018,
appendix A.2; Schulman et al., "Proximal Policy Optimization Algorithms", 2017.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from blockqnn.agents.contract import SearchSpace, Terms
from blockqnn.agents.exploration import BY_TYPE
from blockqnn.agents.options import option, told
from blockqnn.agents.policy_gradient import PolicyGradient, PolicyGradientConfig
from blockqnn.agents.policy_options import common

if TYPE_CHECKING:
    from blockqnn.agents.policy_updates import Rule


@dataclasses.dataclass(frozen=True)
class PPOConfig(PolicyGradientConfig):
    """Settings of PPO.

    Zoph et al. have 20 children an update, a layer of 100 units, first weights up to 0.1,
    Adam's rate of 0.00035, 1e-5 for the entropy and 0.95 for the baseline, and the accuracy itself
    as the reward. They do not say the rest: clip, passes and minibatches are those of NNI's tuner
    and of the PPO paper, the ratio is of each decision, the optimiser is Adam, and there is no
    temperature and no bound of logits or gradients.

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
        clip: e; the ratio counts between 1 - e and 1 + e.
        passes: over the children of an update.
        minibatches: steps of a pass.
        per_sequence: whether the ratio is that of a whole episode, not of each decision.
        staleness: updates that a child may be late; later ones are left out.
        exploration: distribution of actions from which the policy begins, `by_type` or `uniform`.
    """

    children: int = common("ppo", "children", 20)
    learning_rate: float = common("ppo", "learning_rate", 0.00035)
    baseline_decay: float = common("ppo", "baseline_decay", 0.95)
    entropy_weight: float = common("ppo", "entropy_weight", 1e-05)
    temperature: float = common("ppo", "temperature", 1.0)
    tanh: float = common("ppo", "tanh", 0.0)
    layers: int = common("ppo", "layers", 1)
    units: int = common("ppo", "units", 100)
    scale: float = common("ppo", "scale", 0.1)
    gradient_norm: float = common("ppo", "gradient_norm", 0.0)
    exponent: float = common("ppo", "exponent", 1.0)
    clip: float = dataclasses.field(
        default=0.2,
        metadata=option(
            "ppo_clip",
            "how far the ratio of probabilities of ppo counts, either way",
            above=0,
            most=1,
        ),
    )
    passes: int = dataclasses.field(
        default=4,
        metadata=option("ppo_passes", "passes of ppo over the children of an update", least=1),
    )
    minibatches: int = dataclasses.field(
        default=4,
        metadata=option(
            "ppo_minibatches", "steps of a pass of ppo; at most as many as children", least=1
        ),
    )
    per_sequence: bool = dataclasses.field(
        default=False,
        metadata=option(
            "ppo_per_sequence",
            "let the ratio of ppo be that of a whole block, not of each decision",
        ),
    )
    staleness: int = dataclasses.field(
        default=50,
        metadata=option(
            "ppo_staleness", "updates of ppo that a child may be late and still be learned from"
        ),
    )
    exploration: str = dataclasses.field(default=BY_TYPE, metadata=told("exploration"))

    @classmethod
    def _few(cls) -> dict[str, Any]:
        return {"children": 2, "minibatches": 1}


class PPO(PolicyGradient):
    """The agent."""

    terms = Terms(
        agent="PPO",
        value="",
        visits="",
        meaning="Probabilities are those of the policy, a network that reads the decisions before "
        "and scores what is legal. It is drawn from as it is; there are no values.",
    )
    _remembers = True

    def __init__(self, space: SearchSpace, config: PPOConfig, seed: int):
        """Creates an agent that has learned nothing; see `PolicyGradient`."""
        self._staleness = config.staleness
        super().__init__(space, config, seed)

    def _rule(self) -> Rule:
        from blockqnn.agents.policy_updates import Rule

        config = self._config
        return Rule(
            config.learning_rate,
            config.entropy_weight,
            config.gradient_norm,
            config.clip,
            config.per_sequence,
        )

    def _parts(self) -> list[list[int]]:
        """Each pass deals the children anew to its minibatches."""
        children, steps = (
            self._config.children,
            min(self._config.minibatches, self._config.children),
        )
        return [
            order[step::steps].tolist()
            for order in (self._random.permutation(children) for _ in range(self._config.passes))
            for step in range(steps)
        ]

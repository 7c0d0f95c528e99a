"""REINFORCE: a controller that learns from the rewards of a few children at a time.

Zoph and Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017, section 3.2.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from blockqnn.agents.contract import Terms
from blockqnn.agents.exploration import BY_TYPE
from blockqnn.agents.options import option, told
from blockqnn.agents.policy_gradient import PolicyGradient, PolicyGradientConfig
from blockqnn.agents.policy_options import common

if TYPE_CHECKING:
    from blockqnn.agents.policy_updates import Rule


@dataclasses.dataclass(frozen=True)
class ReinforceConfig(PolicyGradientConfig):
    """Settings of REINFORCE.

    The paper has m = 8, two layers of 35 units, first weights up to 0.08, Adam at 0.0006, accuracy
    cubed, and no temperature. It does not say how fast the baseline forgets, for which the 0.95 of
    `ppo` is taken, nor of entropy, of a bound of logits or of gradients: there is none here.

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
        skip_rate: to which the probability of a skip is drawn, see `skip_divergence`.
        skip_weight: how much that counts; 0 for no such prior.
        momentum: beta 1 of Adam.
        epsilon: of Adam.
        exploration: distribution of actions from which the policy begins, `by_type` or `uniform`.
    """

    children: int = common("reinforce", "children", 8)
    learning_rate: float = common("reinforce", "learning_rate", 0.0006)
    baseline_decay: float = common("reinforce", "baseline_decay", 0.95)
    entropy_weight: float = common("reinforce", "entropy_weight", 0.0)
    temperature: float = common("reinforce", "temperature", 1.0)
    tanh: float = common("reinforce", "tanh", 0.0)
    layers: int = common("reinforce", "layers", 2)
    units: int = common("reinforce", "units", 35)
    scale: float = common("reinforce", "scale", 0.08)
    gradient_norm: float = common("reinforce", "gradient_norm", 0.0)
    exponent: float = common("reinforce", "exponent", 3.0)
    skip_rate: float = dataclasses.field(
        default=0.4,
        metadata=option(
            "reinforce_skip_rate",
            "to which reinforce draws the probability of a skip, where a layer decides for each "
            "earlier one whether it reads it",
            least=0.01,
            most=0.99,
        ),
    )
    skip_weight: float = dataclasses.field(
        default=0.0,
        metadata=option(
            "reinforce_skip_weight",
            "weight of how far reinforce is from --reinforce_skip_rate; 0 for no such prior",
            least=0,
        ),
    )
    momentum: float = dataclasses.field(
        default=0.9,
        metadata=option(
            "reinforce_momentum",
            "share of the mean gradient of reinforce that stays in a step of Adam, its beta 1",
            least=0,
            most=0.999,
        ),
    )
    epsilon: float = dataclasses.field(
        default=1e-8,
        metadata=option("reinforce_epsilon", "epsilon of reinforce's Adam", above=0),
    )
    exploration: str = dataclasses.field(default=BY_TYPE, metadata=told("exploration"))

    @classmethod
    def _few(cls) -> dict[str, Any]:
        return {"children": 1}


class Reinforce(PolicyGradient):
    """The agent."""

    terms = Terms(
        agent="REINFORCE",
        value="",
        visits="",
        meaning="Probabilities are those of the policy, a network that reads the decisions before "
        "and scores what is legal. It is drawn from as it is; there are no values.",
    )

    def _rule(self) -> Rule:
        from blockqnn.agents.policy_updates import Rule

        config = self._config
        return Rule(
            config.learning_rate,
            config.entropy_weight,
            config.gradient_norm,
            skip_rate=config.skip_rate,
            skip_weight=config.skip_weight,
            momentum=config.momentum,
            epsilon=config.epsilon,
        )

    def _parts(self) -> list[list[int]]:
        return [list(range(self._config.children))]

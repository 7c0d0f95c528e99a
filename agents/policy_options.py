"""The options that agents with a policy have in common, one line of a table each.

Every such agent has them under its own name and with defaults of its own.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from blockqnn.agents.options import option

_COMMON: dict[str, tuple[str, str, dict[str, float]]] = {
    "children": ("children", "rewarded children of an update of {agent}", {"least": 1}),
    "learning_rate": ("learning_rate", "learning rate of {agent}, of Adam", {"above": 0}),
    "baseline_decay": (
        "baseline_decay",
        "share of the baseline of {agent} that stays when a reward comes",
        {"least": 0, "most": 1},
    ),
    "entropy_weight": (
        "entropy",
        "weight of the entropy of the policy of {agent}",
        {"least": 0},
    ),
    "temperature": (
        "temperature",
        "by which {agent} divides the scores of actions",
        {"above": 0},
    ),
    "tanh": (
        "tanh",
        "largest logit of {agent} either way, by a tanh; 0 for no bound",
        {"least": 0},
    ),
    "layers": ("layers", "layers of the LSTM of {agent}", {"least": 1}),
    "units": ("units", "units of each layer of the LSTM of {agent}", {"least": 1}),
    "scale": (
        "first_weights",
        "first weights of {agent} are uniform between this and its negative",
        {"least": 0},
    ),
    "gradient_norm": (
        "gradient_norm",
        "norm of a gradient of {agent} at most; 0 for no bound",
        {"least": 0},
    ),
    "exponent": (
        "exponent",
        "{agent} takes rewards, 1 being 100 %, to this power",
        {"above": 0},
    ),
}
"""By the field of the settings: what the option is called behind the agent's name, its meaning,
and its bounds."""


def common(agent: str, field: str, default: float) -> Any:
    """A field of the settings of an agent with a policy.

    Args:
        agent: its name, with which the name of the option begins.
        field: one of those of `PolicyGradientConfig`.
        default: what holds where the user says nothing.

    Returns:
        What stands in the place of the default in a dataclass.
    """
    name, meaning, bounds = _COMMON[field]
    metadata = option(f"{agent}_{name}", meaning.format(agent=agent), **bounds)
    return dataclasses.field(default=default, metadata=metadata)

"""What an asynchronous search has handed out, and what a policy knew of its suggestions."""

from __future__ import annotations

import dataclasses
import json

from blockqnn.agents.contract import Sampled
from blockqnn.networks.spaces.contract import Code


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """What an asynchronous search has handed out and what has not finished.

    Attributes:
        number: of its trial.
        epsilon: share of random actions of the agent then.
        code: the block as the agent wrote it.
        suggested: when, in seconds since 1970.
        sampled: what the agent knew of it, if it draws from a policy.
    """

    number: int
    epsilon: float
    code: Code
    suggested: float
    sampled: Sampled | None = None


def as_text(sampled: Sampled | None) -> str:
    """It as text; empty where there is nothing."""
    return json.dumps(sampled) if sampled else ""


def from_text(text: str) -> Sampled | None:
    """What `as_text` wrote.

    Args:
        text: of a store.

    Returns:
        What it says, or None.

    Raises:
        TypeError or ValueError: if it is none that was ever written.
    """
    if not text:
        return None
    update, log_probabilities, entropy = json.loads(text)
    return Sampled(int(update), tuple(map(float, log_probabilities)), float(entropy))

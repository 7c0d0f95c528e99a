"""How a controller learns: the objectives of REINFORCE and PPO, and an update by Adam."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from blockqnn.agents.controller import Form, Tables, Written
from blockqnn.agents.matrix_gradients import gradient


@dataclasses.dataclass(frozen=True)
class Rule:
    """How weights are moved; what is compiled anew where it differs.

    Attributes:
        learning_rate: of Adam.
        entropy_weight: of the entropy in the objective.
        gradient_norm: largest norm of a gradient, longer ones being scaled down; 0 for no bound.
        clip: of PPO's ratio; 0 for REINFORCE.
        per_sequence: whether PPO's ratio is that of a whole sequence, not of each decision.
        skip_rate: to which the probability of a skip is drawn.
        skip_weight: how much that counts.
        momentum: beta 1 of Adam, the share of the mean gradient that stays.
        epsilon: of Adam.
    """

    learning_rate: float
    entropy_weight: float
    gradient_norm: float
    clip: float = 0.0
    per_sequence: bool = False
    skip_rate: float = 0.5
    skip_weight: float = 0.0
    momentum: float = 0.9
    epsilon: float = 1e-8

    @property
    def optimiser(self) -> Any:
        """Adam, perhaps behind a bound."""
        bound = optax.clip_by_global_norm(self.gradient_norm)
        adam = optax.adam(self.learning_rate, b1=self.momentum, eps=self.epsilon)
        return optax.chain(bound if self.gradient_norm else optax.identity(), adam)


class Batch(NamedTuple):
    """What is learned from at once.

    Attributes:
        numbers: int32 [m, T], decisions of m children.
        old: float32 [m, T], their log-probabilities when they were drawn.
        advantages: float32 [m], rewards above the baseline.
        parts: int32 [K, S], the children of each of K steps one after the other.
        shares: float32 [K, S], 1 for a child and 0 where a part is shorter.
    """

    numbers: Any
    old: Any
    advantages: Any
    parts: Any
    shares: Any


def reinforce_objective(
    log_probabilities: jax.Array, advantages: jax.Array, shares: jax.Array
) -> jax.Array:
    """What REINFORCE climbs: the mean over children of `sum_t log P(a_t | a_<t) (R - b)`.

    Williams, "Simple statistical gradient-following algorithms", 1992; section 3.2 of Zoph and
    Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017.

    Args:
        log_probabilities: [m, T] of the decisions, 0 behind the end of an episode.
        advantages: [m], R - b.
        shares: [m], how much each child counts.

    Returns:
        A number.
    """
    return (log_probabilities.sum(1) * advantages * shares).sum() / shares.sum()


def clipped_objective(
    log_probabilities: jax.Array,
    old: jax.Array,
    alive: jax.Array,
    advantages: jax.Array,
    shares: jax.Array,
    clip: float,
    per_sequence: bool,
) -> jax.Array:
    """What PPO climbs: the mean of `min(r A, clip(r, 1 - e, 1 + e) A)`.

    Schulman et al., "Proximal Policy Optimization Algorithms", 2017, equation 7. The ratio r is of
    each decision, and the mean is over decisions; or of the whole sequence, and over children.

    Args:
        log_probabilities: [m, T] now, 0 behind the end of an episode.
        old: [m, T], those with which the decisions were drawn.
        alive: [m, T], 1 up to the end of an episode.
        advantages: [m], A.
        shares: [m], how much each child counts.
        clip: e.
        per_sequence: whether r is of the whole sequence.

    Returns:
        A number.
    """
    moved = (log_probabilities - old) * alive
    weights = alive * shares[:, None]
    if per_sequence:
        moved, weights = moved.sum(1, keepdims=True), shares[:, None]
    ratio = jnp.exp(moved)
    gains = advantages[:, None]
    held = jnp.clip(ratio, 1.0 - clip, 1.0 + clip)
    return (jnp.minimum(ratio * gains, held * gains) * weights).sum() / weights.sum()


def skip_divergence(
    distribution: jax.Array, alive: jax.Array, skips: jax.Array, rate: float
) -> jax.Array:
    """How far the probabilities of skips are from a given one, a mean over layers.

    Of a layer it is the sum over the earlier ones that it may read of

        KL(p || rate) = p ln(p / rate) + (1 - p) ln((1 - p) / (1 - rate))

    Pham et al., "Efficient Neural Architecture Search via Parameter Sharing", ICML 2018, with a
    rate of 0.4. Here p is what a skip is drawn with; in the authors' code it is that of half the
    logit.

    Args:
        distribution: [m, T, A], logarithms of the probabilities of all actions.
        alive: [m, T], 1 up to the end of an episode.
        skips: [T, A], 1 for actions that are skips.
        rate: in (0, 1).

    Returns:
        [m], 0 where nothing can be skipped.
    """
    asked = skips.max(1)
    chances = (jnp.exp(distribution) * skips[None]).sum(2)
    # A saturated policy must have a finite gradient.
    chances = jnp.clip(chances, 1e-6, 1.0 - 1e-6)
    kept = 1.0 - chances
    apart = chances * jnp.log(chances / rate) + kept * jnp.log(kept / (1.0 - rate))
    # The skips of a layer are decided in a row.
    begins = asked * (1.0 - jnp.concatenate([jnp.zeros_like(asked[:1]), asked[:-1]]))
    return (apart * alive) @ asked / jnp.maximum(alive @ begins, 1.0)


def objective(
    rule: Rule, written: Written, batch: Batch, part: Any, shares: Any, skips: Any
) -> jax.Array:
    """What an update climbs for some children of a batch.

    The entropy of their policy is part of it, and how far skips are from their prior.

    Args:
        rule: how.
        written: what the controller says of them.
        batch: of which they are.
        part: int32 [S], which of the batch.
        shares: float32 [S], how much each counts.
        skips: of `Tables`.

    Returns:
        A number.
    """
    gains = batch.advantages[part]
    if rule.clip:
        found = clipped_objective(
            written.log_probabilities,
            batch.old[part],
            written.alive,
            gains,
            shares,
            rule.clip,
            rule.per_sequence,
        )
    else:
        found = reinforce_objective(written.log_probabilities, gains, shares)
    entropy = (written.entropies.sum(1) * shares).sum() / shares.sum()
    found += rule.entropy_weight * entropy
    if rule.skip_weight:
        apart = skip_divergence(written.distribution, written.alive, skips, rule.skip_rate)
        found -= rule.skip_weight * (apart * shares).sum() / shares.sum()
    return found


@functools.partial(jax.jit, static_argnums=(0, 1))
def updated(
    form: Form, rule: Rule, weights: jax.Array, optimiser: Any, tables: Tables, batch: Batch
) -> tuple[jax.Array, Any]:
    """Learns from a batch, a step for each of its parts.

    Args:
        form: of the controller.
        rule: how.
        weights: [N].
        optimiser: the state of Adam.
        tables: of the space.
        batch: what from.

    Returns:
        The weights and the state of Adam afterwards.
    """

    def step(carried: Any, inputs: Any) -> tuple[Any, None]:
        """The weights and the state of Adam after one part of the batch."""
        (now, state), (part, shares) = carried, inputs
        slope = gradient(
            form,
            now,
            tables,
            batch.numbers[part],
            lambda written: -objective(rule, written, batch, part, shares, tables.skips),
        )
        # Optax raises a number to the power of a count, whatever a program says of such mixtures.
        with jax.numpy_dtype_promotion("standard"):
            change, state = rule.optimiser.update(slope, state, now)
        return (now + change, state), None

    carried, _ = jax.lax.scan(step, (weights, optimiser), (batch.parts, batch.shares))
    return carried

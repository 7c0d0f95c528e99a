"""The reward's coefficients, fitted so that it ranks blocks as longer training does.

Equation 7 of the BlockQNN paper is `ACC_EarlyStop - mu log(FLOPs) - rho
log(Density)`; with which mu and rho it ranks best depends on the search space.
From a few blocks that were trained early and long, `fit_reward` learns them by
a ranking loss: of every pair of blocks the one that ends better shall have the
higher reward.

With the features x = (accuracy, log FLOPs, log density), each divided by its
standard deviation over the N blocks, and s the sign of the difference in final
accuracy, it minimises over the weights w

    mean over pairs of log(1 + exp(-s w.(x_i - x_j))) + (2 / N) / 2 |w - w0|^2

(the loss of Burges et al., Learning to Rank using Gradient Descent, ICML 2005,
with a linear model). w0 = (1, 0, 0) is the accuracy alone, so that without
evidence nothing is corrected; it weighs as much as two blocks. mu and rho are
ratios of the weights. The units of FLOPs and of the final accuracy do not
matter.

On the NAS-Bench-201 table (CIFAR-10, 20 cells) choosing the strength of the
pull by leaving cells out did no better than a fixed one.
"""

from __future__ import annotations

import numpy as np

from blockqnn.settings import RewardSettings

LEAST_BLOCKS = 4
"""With fewer, none can be left out and be judged."""

_PRIOR = np.array([1.0, 0.0, 0.0])
_PRIOR_BLOCKS = 2.0
# The reward has accuracy in it with the factor 1, so its weight must stay positive.
_LEAST_ACCURACY_WEIGHT = 0.1
_MOST_STEPS = 50
_TOLERANCE = 1e-10


def fit_reward(
    early: np.ndarray, log_flops: np.ndarray, log_density: np.ndarray, final: np.ndarray
) -> RewardSettings:
    """Fits mu and rho.

    Args:
        early: [N] accuracy at early stop, in percent.
        log_flops: [N] natural logarithm of FLOPs, in any unit.
        log_density: [N] natural logarithm of the density.
        final: [N] accuracy after long training, on any scale.

    Returns:
        The coefficients; 0 for a feature that does not vary.

    Raises:
        ValueError: if there are fewer than `LEAST_BLOCKS` blocks, a number is not
            finite, or all blocks end alike.
    """
    features = np.stack([early, log_flops, log_density], axis=-1).astype(np.float64)
    if len(final) < LEAST_BLOCKS:
        raise ValueError(f"needed are {LEAST_BLOCKS} blocks or more, given are {len(final)}")
    if not (np.isfinite(features).all() and np.isfinite(final).all()):
        raise ValueError("all numbers must be finite")
    if np.ptp(final) == 0:
        raise ValueError("all blocks end with the same accuracy, so there is nothing to rank")
    return _fit(features, np.asarray(final))


def held_out_rewards(
    early: np.ndarray, log_flops: np.ndarray, log_density: np.ndarray, final: np.ndarray
) -> np.ndarray:
    """The fitted reward of each block under the fit of all others.

    Correlated with the final accuracy they tell how well the fit ranks blocks
    that it has not seen, which the fit of all blocks flatters.

    Args:
        early: as for `fit_reward`.
        log_flops: as for `fit_reward`.
        log_density: as for `fit_reward`.
        final: as for `fit_reward`.

    Returns:
        [N] in percent, with the logarithms of FLOPs and density less their means.
    """
    features = np.stack([early, log_flops, log_density], axis=-1).astype(np.float64)
    # Centred, so that coefficients that differ between fits do not shift whole rewards.
    centred = features - features.mean(axis=0) * [0.0, 1.0, 1.0]
    rewards = np.empty(len(final))
    for block in range(len(final)):
        others = np.arange(len(final)) != block
        fit = _fit(features[others], np.asarray(final)[others])
        rewards[block] = centred[block] @ [1.0, -fit.mu, -fit.rho]
    return rewards


def _fit(features: np.ndarray, final: np.ndarray) -> RewardSettings:
    deviation = features.std(axis=0)
    # A feature that does not vary says nothing; divided by infinity it has no weight.
    scale = np.where(deviation > 1e-9, deviation, np.inf)
    weights = _minimise(_pairs(features / scale, final), _PRIOR_BLOCKS / len(final)) / scale
    if weights[0] == 0:
        return RewardSettings(0.0, 0.0)
    # Taken from 0, for a weight of 0 gives 0 and not -0, which nobody would type.
    mu, rho = (0.0 - weights[1:] / weights[0]).tolist()
    return RewardSettings(mu, rho)


def _pairs(features: np.ndarray, final: np.ndarray) -> np.ndarray:
    """[P, 3] the better block's features less the worse one's, for all pairs that differ."""
    first, second = np.triu_indices(len(final), 1)
    signs = np.sign(final[first] - final[second])
    differences = (features[first] - features[second]) * signs[:, None]
    return differences[signs != 0]


def _minimise(pairs: np.ndarray, ridge: float) -> np.ndarray:
    """The weights [3] of least loss, with enough weight on accuracy."""
    weights = _descend(pairs, ridge, _PRIOR, free=slice(0, 3))
    if weights[0] >= _LEAST_ACCURACY_WEIGHT:
        return weights
    # The loss is convex: if the best is beyond the bound, the best allowed is on it.
    return _descend(pairs, ridge, _PRIOR * _LEAST_ACCURACY_WEIGHT, free=slice(1, 3))


def _descend(pairs: np.ndarray, ridge: float, start: np.ndarray, free: slice) -> np.ndarray:
    """Newton's method on the free weights; a step that goes too far is halved."""
    count = max(1, len(pairs))

    def loss(weights: np.ndarray) -> float:
        ranking = np.logaddexp(0.0, -pairs @ weights).sum() / count
        return float(ranking + ridge / 2 * np.square(weights - _PRIOR).sum())

    weights, here = start.copy(), loss(start)
    for _ in range(_MOST_STEPS):
        wrong = 0.5 - 0.5 * np.tanh(pairs @ weights / 2)
        gradient = ridge * (weights - _PRIOR) - wrong @ pairs / count
        curvature = (pairs * (wrong * (1 - wrong) / count)[:, None]).T @ pairs
        curvature += ridge * np.eye(len(weights))
        step = np.zeros_like(weights)
        step[free] = np.linalg.solve(curvature[free, free], gradient[free])
        while (there := loss(weights - step)) > here and np.abs(step).max() > _TOLERANCE:
            step /= 2
        if np.abs(step).max() <= _TOLERANCE:
            break
        weights, here = weights - step, there
    return weights

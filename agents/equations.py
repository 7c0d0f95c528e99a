"""The equations of BlockQNN's Q-learning, one function each.

Zhong et al., "Practical Block-wise Neural Network Architecture Generation",
CVPR 2018, section 3.2 and Table 2. `r_T` is the reward of a whole block, `T`
the number of actions that wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence


def epsilon_at(schedule: Sequence[tuple[float, int]], iteration: float) -> float:
    """The share of random actions in an iteration (Table 2).

    Args:
        schedule: pairs of epsilon and a number of iterations, at least one.
        iteration: number of the iteration, from 0, or a place between two.

    Returns:
        Its epsilon; the last one of the schedule for iterations after its end.
    """
    for epsilon, iterations in schedule:
        if iteration < iterations:
            return epsilon
        iteration -= iterations
    return schedule[-1][0]


def shaped_reward(r_T: float, T: int) -> float:
    """Equation 6: `r_t = r_T / T`, the reward of every action before the last.

    Args:
        r_T: reward of the whole episode.
        T: its number of actions, the last one included.

    Returns:
        What one action before the last earns.
    """
    return r_T / T


def final_target(r_T: float) -> float:
    """Equation 4: what the last action's Q-value moves to; equation 3 makes Q(s_T, .) zero.

    Args:
        r_T: reward of the whole episode.

    Returns:
        `r_T`.
    """
    return r_T


def bootstrap_target(r_t: float, discount: float, max_q_t: float) -> float:
    """Equation 5: what the Q-value of an action before the last moves to.

    Args:
        r_t: reward of the action.
        discount: gamma.
        max_q_t: largest Q-value of the state that the action leads to.

    Returns:
        `r_t + gamma max_a Q(s_t+1, a)`.
    """
    return r_t + discount * max_q_t


def moved(q: float, learning_rate: float, target: float) -> float:
    """The step that equations 4 and 5 share: `(1 - alpha) Q + alpha target`.

    Args:
        q: the Q-value before.
        learning_rate: alpha.
        target: what it moves to.

    Returns:
        The Q-value after.
    """
    return (1.0 - learning_rate) * q + learning_rate * target

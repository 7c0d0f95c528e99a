"""What TensorBoard is told of trials and iterations, by tag."""

from __future__ import annotations

import collections
import math
import statistics
from collections.abc import Mapping

from blockqnn.measure import measure_of
from blockqnn.trial import Status, Trial, mean_entropy

EVERY_TRIAL = "trial/epsilon"
"""A tag that every trial has."""
EVERY_ITERATION = "iteration/epsilon"
"""A tag that every iteration has."""
SUPERNET_LOSS = "supernet/loss/"
"""The beginning of a tag that every epoch of a bank has."""
BEST_REWARD = "best/reward"
BEST_ACCURACY = "best/accuracy"
BEST_BLOCK = "best/block"
_MEASURED = (Status.COMPLETED, Status.KNOWN)
_COUNTED = (Status.COMPLETED, Status.KNOWN, Status.INFEASIBLE, Status.FAILED)


class Scalars:
    """Counts trials, which come in order of number, and says what is to be plotted.

    Rewards and accuracies are in percent, of blocks that were trained or known:
    the reward of guessing, which the others earn, would hide the curve. FLOPs
    are 2 x multiply-accumulate of the child, one image, forward.
    """

    def __init__(self) -> None:
        """Begins before the first trial."""
        self._counts: collections.Counter[Status] = collections.Counter()
        self._iteration: list[Trial] = []
        self._best_accuracy: float | None = None
        self.best: Trial | None = None

    @property
    def iteration(self) -> int:
        """Of the last trial; 0 before the first."""
        return self._iteration[-1].iteration if self._iteration else 0

    @property
    def wall_time(self) -> float:
        """When the last trial of the iteration to finish did so, in seconds since 1970."""
        return max((trial.finished or 0.0 for trial in self._iteration), default=0.0)

    def of_trial(self, trial: Trial) -> dict[str, float]:
        """Takes the next trial.

        Args:
            trial: whose number is above all earlier ones'.

        Returns:
            Value by tag; `best/` and `status/` are of all trials up to this one.
        """
        if trial.iteration != self.iteration:
            self._iteration = []
        self._iteration.append(trial)
        self._counts[trial.status] += 1
        if trial.status is Status.COMPLETED:
            if self.best is None or (trial.reward or 0.0) > (self.best.reward or 0.0):
                self.best = trial
            if trial.accuracy is not None:
                self._best_accuracy = max(self._best_accuracy or 0.0, trial.accuracy)
        values: dict[str, float | None] = {
            EVERY_TRIAL: trial.epsilon,
            "trial/parameters": _plotted(trial.parameters),
            "trial/flops": _plotted(trial.flops),
            "trial/entropy": trial.sampled and trial.sampled.entropy,
        }
        if trial.status in _MEASURED:
            values |= {"trial/reward": trial.reward, "trial/accuracy": trial.accuracy}
            measure = measure_of(trial.code)
            if measure.inverse and trial.accuracy:
                values[f"trial/{measure.name}"] = measure.value(trial.accuracy)
        if trial.status in (Status.COMPLETED, Status.FAILED):
            values |= {
                "trial/seconds": trial.seconds,
                "trial/compile_seconds": trial.compile_seconds,
                "trial/waiting_seconds": trial.waiting_seconds,
            }
        values |= {
            BEST_REWARD: self.best.reward if self.best else None,
            BEST_ACCURACY: self._best_accuracy,
        }
        values |= {f"status/{status}": float(self._counts[status]) for status in _COUNTED}
        return _known(values)

    def of_iteration(self) -> dict[str, float]:
        """The iteration of the last trial, as far as it has gone.

        Returns:
            Value by tag; `status/` counts the trials of this iteration alone.
        """
        measured = [trial for trial in self._iteration if trial.status in _MEASURED]
        rewards = [trial.reward for trial in measured if trial.reward is not None]
        accuracies = [trial.accuracy for trial in measured if trial.accuracy is not None]
        values: dict[str, float | None] = {
            EVERY_ITERATION: self._iteration[-1].epsilon,
            "iteration/mean_reward": _mean(rewards),
            "iteration/reward_deviation": statistics.pstdev(rewards) if rewards else None,
            "iteration/best_reward": max(rewards, default=None),
            "iteration/mean_accuracy": _mean(accuracies),
            "iteration/best_accuracy": max(accuracies, default=None),
            "iteration/entropy": mean_entropy(self._iteration),
            "iteration/seconds": sum(trial.seconds for trial in self._iteration),
        }
        for status in _COUNTED:
            count = sum(trial.status is status for trial in self._iteration)
            values[f"iteration/status/{status}"] = float(count)
        return _known(values)


def epoch_scalars(
    part: str, loss: float, reward: float | None, agent: Mapping[str, float]
) -> dict[str, float]:
    """An epoch of a bank.

    Args:
        part: name of the bank.
        loss: mean over its steps.
        reward: mean of the scores from which the agent learned after it, of 1; None without.
        agent: the agent's statistics then.

    Returns:
        Value by tag, the loss first; scores of shared weights in percent.
    """
    values = {
        f"{SUPERNET_LOSS}{part}": loss,
        "supernet/mean_score": None if reward is None else 100 * reward,
        **{f"supernet/agent/{name}": value for name, value in agent.items()},
    }
    return _known(values)


def _mean(values: list[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _plotted(count: int) -> float:
    """A count as a number to plot; those of blocks whose widths multiply exceed every float."""
    return float(count) if count.bit_length() < 1000 else math.inf


def _known(values: dict[str, float | None]) -> dict[str, float]:
    return {tag: value for tag, value in values.items() if value is not None}


def hyperparameter(text: str) -> bool | float | str:
    """A flag's value as TensorBoard sorts and plots it.

    Args:
        text: as one would type it.

    Returns:
        A truth value or a finite number where the text is one, else the text.
    """
    if text in ("true", "false"):
        return text == "true"
    try:
        value = float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else text

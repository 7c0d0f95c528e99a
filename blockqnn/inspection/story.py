"""A trial's story: its place in its run, and what its reward is made of."""

from __future__ import annotations

import dataclasses
import datetime
import math
from typing import Any

from blockqnn.inspection.finals_table import finals_line
from blockqnn.reward import RewardTerms, reward_terms, rewarded_accuracy
from blockqnn.runs.run_record import RunRecord
from blockqnn.settings import RewardSettings
from blockqnn.trial import Status, Trial


@dataclasses.dataclass(frozen=True)
class Story:
    """What a run tells of one of its trials.

    Attributes:
        trial: which one.
        seconds_into_run: by the clock, from when the run's first child was
            begun to when the trial finished; None where no time is known.
        rank: by reward among the trained blocks, from 1, of the trial whose
            result it has; None where it has none.
        ranked: how many blocks were trained.
        terms: of the reward, in percent; None where it is not made of them.
        coefficients: mu and rho of the run, and which epochs count; None where they are not known.
        others: trials that suggested the same block, in order of number.
        finals: how it did in finals that have ended, in words; empty where it was in none.
    """

    trial: Trial
    seconds_into_run: float | None
    rank: int | None
    ranked: int
    terms: RewardTerms | None
    coefficients: RewardSettings | None
    others: tuple[Trial, ...]
    finals: str = ""


def story(run: RunRecord, trial: Trial) -> Story:
    """Tells the story of a trial.

    Args:
        run: the trial's run.
        trial: one of its trials.

    Returns:
        The story.
    """
    ranking = [ranked.number for ranked in run.by_reward]
    result = trial.source if trial.source is not None else trial.number
    coefficients = reward_settings(run)
    return Story(
        trial=trial,
        seconds_into_run=_seconds_into_run(run, trial),
        rank=ranking.index(result) + 1 if result in ranking else None,
        ranked=len(ranking),
        terms=_terms(trial, coefficients),
        coefficients=coefficients,
        others=tuple(t for t in run.trials if t.hash == trial.hash and t.number != trial.number),
        finals=finals_line(run, trial.number),
    )


def reward_settings(run: RunRecord) -> RewardSettings | None:
    """The coefficients of a run's reward, or None where its store does not say."""
    try:
        power = int(run.flags.get("perplexity_power", 1)) if run.layout.of_words else 0
        found = RewardSettings(
            mu=float(run.flags["mu"]),
            rho=float(run.flags["rho"]),
            last_epochs=int(run.flags.get("reward_epochs", 1)),
            perplexity_power=power,
        )
    except (KeyError, TypeError, ValueError):
        return None
    known = math.isfinite(found.mu) and math.isfinite(found.rho) and found.last_epochs > 0
    return found if known else None


def last_of(last: int, epochs: int) -> str:
    """Which epochs count of a training, the best of several, as a phrase after "of"."""
    return f"the last {last} of {epochs} epochs" if last < epochs else f"all {epochs} epochs"


def finished_at(trial: Trial) -> datetime.datetime | None:
    """When a trial finished, in the time zone of this machine; None where it is not known."""
    if trial.finished is None:
        return None
    try:
        return datetime.datetime.fromtimestamp(trial.finished, datetime.UTC).astimezone()
    except (OverflowError, ValueError, OSError):  # A time that no calendar has.
        return None


def story_facts(told: Story) -> dict[str, Any]:
    """A story as JSON; null where there is no value.

    Args:
        told: the story.

    Returns:
        What `trial_facts` does not have; rewards in percent, times in ISO 8601.
    """
    moment = finished_at(told.trial)
    terms, coefficients = told.terms, told.coefficients
    return {
        "finished_at": moment and moment.isoformat(timespec="seconds"),
        "seconds_into_run": told.seconds_into_run,
        "rank": told.rank,
        "ranked": told.ranked,
        "reward_terms": terms and terms._asdict(),
        "mu": coefficients and coefficients.mu,
        "rho": coefficients and coefficients.rho,
        "same_block": [{"number": t.number, "status": t.status.value} for t in told.others],
    }


def _terms(trial: Trial, coefficients: RewardSettings | None) -> RewardTerms | None:
    if coefficients is None or trial.accuracy is None:
        return None
    if trial.status not in (Status.COMPLETED, Status.KNOWN):
        return None  # What cannot be trained earns what guessing does.
    try:
        accuracy = rewarded_accuracy(trial.accuracies, coefficients)
        return reward_terms(accuracy, trial.block_flops, trial.density, coefficients)
    except (OverflowError, ValueError):  # Costs that no search has rewarded.
        return None


def _seconds_into_run(run: RunRecord, trial: Trial) -> float | None:
    begun = [t.finished - t.seconds for t in run.trials if t.finished is not None]
    if trial.finished is None or not begun:
        return None
    return trial.finished - min(begun)

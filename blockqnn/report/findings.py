"""What a run found, in words: what stands at the top of its report."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from blockqnn.listing import in_units, number, with_accuracy
from blockqnn.measure import measure_of
from blockqnn.report.curves import VALUED, records
from blockqnn.trial import Status, Trial

_LEAST_TRIALS = 4
"""Fewer rewards in a quarter of a run say nothing of a trend."""


def planned_iterations(flags: Mapping[str, str]) -> int | None:
    """How many iterations a run shall have.

    Args:
        flags: of the run; only its schedule and budgets are read.

    Returns:
        The length of its schedule, or None where that cannot be read or a budget ends the run.
    """
    try:
        if any(float(flags.get(name, "0")) for name in ("max_blocks", "max_hours")):
            return None
        pairs = [part.split(":") for part in flags["epsilon_schedule"].split(",")]
        return sum(int(count) for _, count in pairs)
    except (KeyError, ValueError):
        return None


def trend(trials: Sequence[Trial]) -> dict[str, Any] | None:
    """Whether the mean reward still rises: the last quarter of the iterations and the one before.

    Args:
        trials: of a run.

    Returns:
        `verdict` (`rising`, `falling` or `level`, which is within two standard
        errors), `before` and `now`, each with `first` and `last` iteration,
        `mean` and `epsilon` (of the last iteration), `difference` and `error`,
        its standard error; None where there are too few trials.
    """
    valued = [t for t in trials if t.status in VALUED and t.reward is not None]
    iterations = sorted({trial.iteration for trial in valued})
    quarter = len(iterations) // 4
    if not quarter:
        return None
    parts = []
    for chosen in (iterations[-2 * quarter : -quarter], iterations[-quarter:]):
        part = [trial for trial in valued if chosen[0] <= trial.iteration <= chosen[-1]]
        rewards = [trial.reward or 0.0 for trial in part]
        if len(rewards) < _LEAST_TRIALS:
            return None
        facts = {
            "first": chosen[0],
            "last": chosen[-1],
            "mean": statistics.fmean(rewards),
            "epsilon": max(part, key=lambda trial: trial.iteration).epsilon,
        }
        parts.append((facts, statistics.variance(rewards) / len(rewards)))
    (before, variance_before), (now, variance_now) = parts
    difference = now["mean"] - before["mean"]
    error = math.sqrt(variance_before + variance_now)
    verdict = "level"
    if abs(difference) > 2 * error:
        verdict = "rising" if difference > 0 else "falling"
    return {
        "verdict": verdict,
        "before": before,
        "now": now,
        "difference": difference,
        "error": error,
    }


def findings(
    trials: Sequence[Trial],
    notice: str,
    iterations: int,
    planned: int | None,
    begun: bool = True,
    early: str | None = None,
) -> dict[str, Any]:
    """What a run found.

    Args:
        trials: in order of number.
        notice: what is to be said of the figures; empty for nothing.
        iterations: that have ended.
        planned: iterations in all, or None if that is not known.
        begun: whether the search has begun.
        early: why nothing can be said yet of what the agent has learned; None
            where it can.

    Returns:
        `notice`, as it was given, or None; `sentences`; the counts
        `suggested`, `trained`, `known`, `infeasible` and `failed`;
        `iterations` and `planned`; `best` and `most_accurate`, numbers of
        trials or None; `since_best`, how many were trained after the best;
        `trend`, see there, None where it is too `early`.
    """
    count = {status: sum(t.status is status for t in trials) for status in Status}
    by_reward = records(trials, lambda trial: trial.reward)
    by_accuracy = records(trials, lambda trial: trial.accuracy)
    best = by_reward[-1] if by_reward else None
    since = (
        sum(t.status is Status.COMPLETED and t.number > best.number for t in trials) if best else 0
    )
    facts: dict[str, Any] = {
        "notice": notice or None,
        "suggested": len(trials),
        "trained": count[Status.COMPLETED],
        "known": count[Status.KNOWN],
        "infeasible": count[Status.INFEASIBLE],
        "failed": count[Status.FAILED],
        "iterations": iterations,
        "planned": planned,
        "best": best.number if best else None,
        "most_accurate": by_accuracy[-1].number if by_accuracy else None,
        "since_best": since,
        "early": early,
        "trend": None if early else trend(trials),
    }
    if not begun:
        return facts | {"sentences": ["The run has not begun yet."]}
    facts["sentences"] = _sentences(facts, best, by_accuracy[-1] if by_accuracy else None)
    return facts


def _sentences(facts: dict[str, Any], best: Trial | None, accurate: Trial | None) -> list[str]:
    if not facts["suggested"]:
        return ["No trial has finished yet."]
    sentences = [_counts(facts)]
    if best is None:
        return [*sentences, "No block has been trained yet."]
    sentences.append(
        f"The best block by reward{' so far' if facts['early'] else ''} is trial {best.number}: "
        f"reward {number(best.reward)}{with_accuracy(best)}, "
        f"{in_units(best.parameters)} parameters, "
        f"{in_units(best.flops)} FLOPs."
    )
    if accurate is not None and accurate.number != best.number:
        sentences.append(
            f"The most accurate is trial {accurate.number} with "
            f"{measure_of(accurate.code).in_words(accurate.accuracy)}, "
            f"{in_units(accurate.parameters)} parameters and {in_units(accurate.flops)} FLOPs."
        )
    if facts["early"]:
        return [*sentences, facts["early"]]
    since = facts["since_best"]
    rest = f"none of the {since:,} blocks trained since is better."
    if since < 2:
        rest = "the one trained since is not better." if since else "none was trained since."
    sentences.append(f"The best by reward came in iteration {best.iteration}; {rest}")
    sentences.append(_trend_in_words(facts["trend"]))
    return sentences


def _counts(facts: dict[str, Any]) -> str:
    planned = f" of {facts['planned']:,}" if facts["planned"] else ""
    return (
        f"{facts['trained']:,} blocks were trained in {facts['iterations']:,}{planned} iterations. "
        f"The agent suggested {facts['suggested']:,}: {facts['known']:,} were known from before, "
        f"{facts['infeasible']:,} infeasible, {facts['failed']:,} failed."
    )


def _trend_in_words(found: dict[str, Any] | None) -> str:
    if found is None:
        return "There are too few iterations to say whether it is still getting better."
    before, now = found["before"], found["now"]
    words = {
        "rising": "It is still getting better: the mean reward rose",
        "falling": "It is getting worse: the mean reward fell",
        "level": "It is no longer getting clearly better: the mean reward went",
    }[found["verdict"]]
    epsilon = (
        f" while epsilon fell from {before['epsilon']:g} to {now['epsilon']:g}"
        if before["epsilon"] > now["epsilon"]
        else f" at epsilon {now['epsilon']:g}"
        if before["epsilon"] == now["epsilon"]
        else f" while epsilon rose from {before['epsilon']:g} to {now['epsilon']:g}"
    )
    return (
        f"{words} from {before['mean']:.2f} in {_iterations(before)} "
        f"to {now['mean']:.2f} in {_iterations(now)} "
        f"(by {found['difference']:+.2f} ± {found['error']:.2f}, standard error){epsilon}."
    )


def _iterations(of: dict[str, Any]) -> str:
    if of["first"] == of["last"]:
        return f"iteration {of['first']}"
    return f"iterations {of['first']} to {of['last']}"

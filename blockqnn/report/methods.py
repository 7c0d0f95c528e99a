"""Runs of different methods on one page: what each is, what its accuracies are, what it cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from blockqnn.calibration.rank_correlation import kendall
from blockqnn.listing import counted, duration
from blockqnn.measure import measure_in
from blockqnn.runs.run_record import RunRecord
from blockqnn.trial import Status

OWN, SCORES, OF_MIXTURE, UNTRAINED, MADE_UP = (
    "accuracies of networks trained by themselves",
    "scores by shared weights",
    "accuracies with the weights of a mixture",
    "scores of untrained networks",
    "made-up accuracies",
)
_MOST_LOSSES = 6
WEIGHTS = {
    OWN: "own",
    SCORES: "shared",
    OF_MIXTURE: "a mixture's",
    UNTRAINED: "untrained",
    MADE_UP: "none",
}
"""By kind of accuracies the weights that they are of, in a word."""
_FEW = 3
"""Designs, below which a rank correlation says nothing."""


def accuracies_of(run: RunRecord) -> str:
    """What the accuracies and rewards of a run are; those of different kinds are not compared."""
    if run.proxy:
        return UNTRAINED
    if run.shared:
        return SCORES
    if run.mixed:
        return OF_MIXTURE
    return MADE_UP if run.dry else OWN


def method_words(flags: Mapping[str, str]) -> str:
    """What kind of search a run is, in words.

    Args:
        flags: of the run.

    Returns:
        Such as `evolution` or `shared weights, split`.
    """
    weights, agent = flags.get("weights", "own"), flags.get("agent", "")
    if weights == "mixture":
        return f"mixture, {flags.get('bilevel', '').replace('_', ' ')}"
    if weights != "shared":
        return agent
    if flags.get("paths") == "agent":
        return f"shared weights, drawn by {agent}"
    split = ", split" if flags.get("split") else ""
    return f"shared weights{split}, {agent}"


def seconds_before_trials(run: RunRecord) -> float:
    """Seconds of devices that a run has trained supernets before it scored anything."""
    return run.supernet.seconds if run.supernet else 0.0


def finals_seconds(run: RunRecord) -> float:
    """Seconds of devices that the finals of a run have taken."""
    return math.fsum(training.seconds for training in run.finals.trainings) if run.finals else 0.0


def checked_ranks(run: RunRecord) -> dict[str, float | None]:
    """How well scores rank designs that were also trained by themselves, and parameters do.

    Args:
        run: as it was read.

    Returns:
        Kendall's tau of the `scores` and of the number of `parameters` with the accuracies of
        networks of their own; None where fewer than three designs were trained so.
    """
    own = run.supernet.own if run.supernet else {}
    trials = {t.number: t for t in run.trials if t.status is Status.COMPLETED}
    known = [(trials[n], accuracy) for n, accuracy in own.items() if n in trials and accuracy]
    if len(known) < _FEW:
        return {"scores": None, "parameters": None}
    truth = np.array([accuracy for _, accuracy in known])
    values = {
        "scores": np.array([trial.accuracy or 0.0 for trial, _ in known]),
        "parameters": np.array([float(trial.parameters) for trial, _ in known]),
    }
    found = {name: float(kendall(own_values, truth)) for name, own_values in values.items()}
    return {name: tau if math.isfinite(tau) else None for name, tau in found.items()}


def different_kinds(runs: Sequence[RunRecord]) -> list[str]:
    """What must be said of runs whose accuracies are not of one kind; nothing where they are.

    Args:
        runs: of the page.

    Returns:
        Sentences.
    """
    kinds = dict.fromkeys(map(accuracies_of, runs))
    if len(kinds) < 2:
        return []
    return [
        f"Rewards and accuracies are of {len(kinds)} kinds, which say nothing of one another: "
        f"{', '.join(kinds)}. What each run chose is compared by finals, or by compare --methods."
    ]


def weights_words(run: RunRecord) -> list[str]:
    """How far the weights are that the designs of a run share.

    Args:
        run: as it was read.

    Returns:
        Sentences; none where each design has weights of its own.
    """
    found = run.supernet
    if found is not None:
        losses = [
            f"{part} {found.of(part)[-1].loss:.3f} after {counted(len(found.of(part)), 'epoch')}"
            for part in found.parts
            if found.of(part)
        ]
        more = len(losses) - _MOST_LOSSES
        shown = losses[:_MOST_LOSSES] + ([f"{more} more"] if more > 0 else [])
        return [
            f"{counted(len(found.parts), 'supernet')}, {len(found.epochs)} of "
            f"{counted(found.total, 'epoch')} in {duration(found.seconds)}.",
            f"Loss: {', '.join(shown) or 'none yet'}.",
        ]
    if not run.epochs:
        return []
    last, measure = run.epochs[-1], measure_in(run.layout)
    cells = "; ".join(
        f"{cell} {', '.join(f'{number} {what}' for what, number in own.items())}"
        for cell, own in last["tally"].items()
    )
    return [
        f"A mixture after {counted(len(run.epochs), 'epoch')}: loss {last['loss']:.3f}, "
        f"{measure.name} {measure.figure(last['accuracy'], 1)}{measure.unit}, of the derived cell "
        f"with its weights {measure.figure(last['derived_accuracy'], 1)}{measure.unit}.",
        f"Of that cell: {cells}.",
    ]

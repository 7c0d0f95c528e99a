"""When the training of a mixture is stopped early, and which epoch counts then."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from blockqnn.mixture_settings import MixtureSettings
from blockqnn.networks.shares import shares_of
from blockqnn.networks.spaces.contract import SKIP, Row

WINDOW, BACK, EARLIEST = 5, 4, 10
"""Eigenvalues that are averaged, how many measurements lie between the two means that are compared,
and the first epoch whose design may be returned."""


@dataclasses.dataclass(frozen=True)
class Stop:
    """Why a mixture is not trained on.

    Attributes:
        epoch: from 1, whose design counts.
        reason: for the user, a sentence without a full stop.
    """

    epoch: int
    reason: str


def stop_of(
    settings: MixtureSettings, records: Sequence[Mapping[str, Any]], rows: Sequence[Row]
) -> Stop | None:
    """Whether what has been found by now says to stop.

    Args:
        settings: of the mixture.
        records: of the epochs that have ended, in order.
        rows: of the mixture.

    Returns:
        Why, and which epoch counts; None to go on.
    """
    if settings.stop_ratio and (stop := by_eigenvalue(records, settings.stop_ratio)):
        return stop
    if settings.stop_skips and records:
        skips = next(iter(records[-1]["tally"].values()))[SKIP]
        if skips >= settings.stop_skips:
            reason = f"its first cell has {skips} skip connections (--stop_skips)"
            return Stop(len(records), reason)
    if settings.stop_unchanged and len(records) > settings.stop_unchanged:
        last = [strongest_of(each, rows) for each in records[-settings.stop_unchanged - 1 :]]
        if all(each == last[0] for each in last):
            reason = (
                f"no edge's strongest operation has changed for {settings.stop_unchanged} epochs "
                "(--stop_unchanged)"
            )
            return Stop(len(records), reason)
    return None


def by_eigenvalue(records: Sequence[Mapping[str, Any]], ratio: float) -> Stop | None:
    """Early stopping by the dominant eigenvalue of the Hessian of the validation loss in alpha.

    Zela et al., "Understanding and Robustifying Differentiable Architecture Search", ICLR 2020,
    section 4.2, with the numbers of their code: where the mean of the last five values is more than
    `ratio` times the mean of the five that end four values earlier, the design in the middle of
    the earlier five counts, if that is of epoch 10 or later.

    Args:
        records: of the epochs that have ended, some of which have an `eigenvalue`.
        ratio: see above.

    Returns:
        What the last measurement says; None to go on.
    """
    measured = [
        (epoch, each["eigenvalue"])
        for epoch, each in enumerate(records, start=1)
        if each.get("eigenvalue") is not None
    ]
    if len(measured) < WINDOW + BACK or measured[-1][0] != len(records):
        return None
    values = [value for _, value in measured]
    now = statistics.fmean(values[-WINDOW:])
    before = statistics.fmean(values[-WINDOW - BACK : -BACK])
    epoch = measured[-BACK - 1 - WINDOW // 2][0]
    if epoch < EARLIEST or before <= 0 or now <= ratio * before:
        return None
    return Stop(
        epoch,
        f"the mean of the last {WINDOW} eigenvalues, {now:.3g}, is more than {ratio:g} times that "
        f"before, {before:.3g} (--stop_eigenvalue)",
    )


def strongest_of(record: Mapping[str, Any], rows: Sequence[Row]) -> list[int]:
    """On each edge the operation of the largest share, `none` left out, by its number."""
    shares = shares_of(record["alpha"])
    found = []
    for row in rows:
        if not row.weighs_edges:
            own = shares[row.name][1:]
            found.append(own.index(max(own)))
    return found

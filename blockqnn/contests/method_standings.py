"""Methods at equal cost: what each had chosen, how it is judged, and what chance explains."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from blockqnn.contests import standings
from blockqnn.contests.method_runs import Choice, MethodRun
from blockqnn.listing import counted, duration

EVALUATIONS, SECONDS, END = "evaluations", "seconds", "end"
_CURVE_POINTS = 40

Runs = Mapping[str, Sequence[MethodRun]]
"""Searches by the title of their method, by seed; those that found nothing are left out."""
Value = Callable[[Choice], float | None]
"""The judged accuracy of a choice, in percent."""


@dataclasses.dataclass(frozen=True)
class Column:
    """At which cost methods are compared.

    Attributes:
        kind: `evaluations`, `seconds`, or `end`, where costs are those that each method had.
        amount: of evaluations or seconds; 0 for the end.
    """

    kind: str
    amount: float = 0.0

    @property
    def title(self) -> str:
        """Over its cells."""
        if self.kind == EVALUATIONS:
            return counted(int(self.amount), "evaluation")
        return seconds_words(self.amount) if self.kind == SECONDS else "at its end"

    def choice(self, run: MethodRun) -> Choice | None:
        """What a search had chosen by then; None where it had not."""
        if self.kind == EVALUATIONS:
            return run.after_evaluations(int(self.amount))
        return run.after_seconds(self.amount) if self.kind == SECONDS else run.last


def seconds_words(seconds: float) -> str:
    """Seconds as a column has them: up to some minutes in seconds, else h:mm:ss."""
    return f"{seconds:g} s" if seconds < 600 else duration(seconds)


def columns_of(budgets: Sequence[int], seconds: Sequence[float]) -> list[Column]:
    """The columns of a contest: evaluations, then seconds, then the end of each search."""
    return [
        *(Column(EVALUATIONS, count) for count in sorted(budgets)),
        *(Column(SECONDS, amount) for amount in sorted(seconds)),
        Column(END),
    ]


def holm(probabilities: Sequence[float | None]) -> list[float | None]:
    """Holm's correction: probabilities that hold for all of several comparisons at once.

    Holm, "A simple sequentially rejective multiple test procedure", 1979. In ascending order
    p_(i) becomes max_{j <= i} min(1, (m - j + 1) p_(j)).

    Args:
        probabilities: one for each comparison; None where there was none.

    Returns:
        The corrected ones, in the given order.
    """
    known = sorted((p, place) for place, p in enumerate(probabilities) if p is not None)
    found: list[float | None] = [None] * len(probabilities)
    highest = 0.0
    for rank, (p, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        found[place] = highest
    return found


def rows(
    runs: Runs, searches: int, columns: Sequence[Column], value: Value, reference: str
) -> list[dict[str, Any]]:
    """A row for each method and column.

    Args:
        runs: searches of all methods.
        searches: how many each method has made, with those that are left out.
        columns: at which cost.
        value: the judge.
        reference: title of the method that all others are tested against.

    Returns:
        `method`, `kind` and `amount` of the column; `mean` and `std` of what the judge says of the
        searches that are not left out; `searches`, how many there were, `found`, how many are not
        left out, `chosen`, how many of these had chosen by then, and `judged`, of how many of
        these the judge knows the choice; `p` of Welch's test of the same values against the
        reference, and `p_holm`, corrected for all comparisons of the column. Where some search
        that is not left out had not chosen, or its choice is not known, the method has no mean;
        neither has it a p at the end, where costs differ.
    """
    found = []
    for column in columns:
        choices = {title: [column.choice(run) for run in own] for title, own in runs.items()}
        chosen = {title: [c for c in own if c is not None] for title, own in choices.items()}
        values = {title: [value(choice) for choice in own] for title, own in chosen.items()}
        known_values = {t: [v for v in own if v is not None] for t, own in values.items()}
        whole_of = {t: len(own) == len(runs[t]) for t, own in known_values.items()}
        tested = [
            standings.welch_p(own, known_values[reference])
            if title != reference
            and column.kind != END
            and whole_of[title]
            and whole_of[reference]
            and min(len(own), len(known_values[reference])) > 1
            else None
            for title, own in known_values.items()
        ]
        corrected = holm(tested)
        for place, (title, known) in enumerate(known_values.items()):
            whole = whole_of[title]
            found.append(
                {
                    "method": title,
                    "kind": column.kind,
                    "amount": column.amount,
                    "mean": _mean(known) if whole else None,
                    "std": standings.deviation(known) if whole else None,
                    "searches": searches,
                    "found": len(runs[title]),
                    "chosen": len(chosen[title]),
                    "judged": len(known),
                    "p": tested[place],
                    "p_holm": corrected[place],
                }
            )
    return found


def _values(runs: Sequence[MethodRun], column: Column, value: Value) -> list[float | None]:
    choices = [column.choice(run) for run in runs]
    return [None if choice is None else value(choice) for choice in choices]


def costs(runs: Runs) -> list[dict[str, Any]]:
    """What searches have cost.

    Args:
        runs: searches of all methods.

    Returns:
        For each method `method`, `evaluations`, `seconds` in all and by kind, and `compiling`,
        seconds that are no part of these: means over its searches; None where all are left out.
    """
    return [
        {
            "method": title,
            "evaluations": _mean([run.evaluations for run in own]),
            "seconds": _mean([run.seconds for run in own]),
            "compiling": _mean([run.compiling for run in own]),
            "kinds": {
                kind: _mean([run.costs.get(kind, 0.0) for run in own])
                for kind in dict.fromkeys(kind for run in own for kind in run.costs)
            },
        }
        for title, own in runs.items()
    ]


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def curves(runs: Runs, value: Value, kind: str) -> list[dict[str, Any]]:
    """The judged accuracy of what methods had chosen, over cost.

    Args:
        runs: searches of all methods.
        value: the judge.
        kind: of the cost, `evaluations` or `seconds`.

    Returns:
        For each method that has any `method`, `x` in logarithmic steps, and the `mean` in percent
        over its searches at each, None before all had chosen.
    """
    costs_of = [
        getattr(step, kind) for own in runs.values() for run in own for step in run.steps
    ] + [run.searched_seconds for own in runs.values() for run in own if kind == SECONDS]
    if not costs_of:
        return []
    least, most = max(min(costs_of), 1e-3), max(costs_of)
    points = np.geomspace(least, most, _CURVE_POINTS).tolist()
    if kind == EVALUATIONS:
        points = sorted({round(point) for point in points})
    # The last one must not fall short of what it stands for.
    points[-1] = math.nextafter(most, math.inf)
    found = []
    for title, own in runs.items():
        means = []
        for point in points:
            values = _values(own, Column(kind, point), value)
            known = [v for v in values if v is not None]
            means.append(_mean(known) if len(known) == len(own) else None)
        if any(mean is not None for mean in means):
            found.append({"method": title, "x": points, "mean": means})
    return found


def too_small(runs: Runs, columns: Sequence[Column]) -> list[str]:
    """Which budgets are too small for which methods, in sentences.

    Args:
        runs: searches of all methods.
        columns: of the contest.

    Returns:
        Sentences.
    """
    found = []
    by_evaluations = any(column.kind == EVALUATIONS for column in columns)
    whole = [title for title, own in runs.items() if own and all(run.whole for run in own)]
    if whole and by_evaluations:
        found.append(
            f"No design is trained by itself by {', '.join(whole)}, so that there is nothing to "
            "say at a number of evaluations; these are compared by seconds."
        )
    for title, own in runs.items():
        short = [c for c in columns if c.kind == SECONDS and _lacks(own, c)]
        if short:
            needs = max(_first(run) for run in own)
            found.append(
                f"{title} needs {seconds_words(math.ceil(needs))} to choose anything: "
                f"{' and '.join(column.title for column in short)} "
                f"{'is' if len(short) == 1 else 'are'} too small for it."
            )
    return found


def _lacks(runs: Sequence[MethodRun], column: Column) -> bool:
    return any(column.choice(run) is None for run in runs)


def _first(run: MethodRun) -> float:
    """Seconds until a search has chosen anything."""
    return run.searched_seconds if run.whole else min(step.seconds for step in run.steps)

"""How the weights of operations of a mixture have changed, for the report."""

from __future__ import annotations

from typing import Any

from blockqnn.measure import measure_in
from blockqnn.networks.shares import shares_of
from blockqnn.networks.spaces.contract import CodeError
from blockqnn.report.columns import short
from blockqnn.runs.run_record import RunRecord

_CURVES = ("loss", "accuracy", "derived_accuracy", "eigenvalue")


def mixture(run: RunRecord) -> dict[str, Any] | None:
    """What the epochs of a mixture have found.

    Args:
        run: as it was read.

    Returns:
        `epochs`, their numbers; `curves`, by name a value of each epoch or None; `cells`, for each
        kind of cell its `name`, `labels`, the names of its edges, `operations`, and `shares`, for
        each edge and operation the share of the softmax in each epoch; `counts`, for each kind of
        cell skip connections, pools and convolutions of the derived cell in each epoch;
        `sentences`. None where there is no mixture, or the store cannot say.
    """
    if not run.mixed or not run.epochs:
        return None
    try:
        return _found(run)
    except (CodeError, TypeError, KeyError, ValueError, IndexError, AttributeError):
        # The other parts of a report do not depend on it.
        return None


def _found(run: RunRecord) -> dict[str, Any]:
    rows = [row for row in run.space.mixture_rows() if row.name in run.epochs[0]["alpha"]]
    by_epoch = [shares_of(epoch["alpha"]) for epoch in run.epochs]
    cells = []
    for cell in dict.fromkeys(row.name.partition("/")[0] for row in rows):
        own = [row for row in rows if row.name.partition("/")[0] == cell]
        cells.append(
            {
                "name": cell,
                "labels": [row.name.partition("/")[2] for row in own],
                "operations": list(own[0].choices),
                "shares": [
                    [
                        [short(shares[row.name][place]) for shares in by_epoch]
                        for place in range(len(row.choices))
                    ]
                    for row in own
                ],
            }
        )
    last = run.epochs[-1]
    tallies = {
        cell: {what: [int(epoch["tally"][cell][what]) for epoch in run.epochs] for what in counts}
        for cell, counts in last["tally"].items()
    }
    return {
        "epochs": list(range(1, 1 + len(run.epochs))),
        "curves": {name: [_number(epoch.get(name)) for epoch in run.epochs] for name in _CURVES},
        "cells": cells,
        "counts": tallies,
        "sentences": _sentences(run),
    }


def _sentences(run: RunRecord) -> list[str]:
    last = run.epochs[(run.chosen or len(run.epochs)) - 1]
    measure = measure_in(run.layout)
    whole, derived = (
        f"{measure.figure(float(last[name]), 1)}{measure.unit}"
        for name in ("accuracy", "derived_accuracy")
    )
    found = [
        "The mixture, the derived cell with its weights and the cell trained by itself are three "
        f"networks: the mixture has {'' if measure.unit else 'perplexity '}{whole}, the derived "
        f"cell with its weights {derived}; what it has by itself, finals say.",
        f"On {int(last['none'])} of {len(last['alpha'])} edges none has the largest share, which "
        "says little by itself: batch norm undoes its size.",
    ]
    if run.chosen:
        found.insert(0, f"The cell of epoch {run.chosen} is the result, trial {run.chosen}.")
    essential = run.space.essential
    if not any(int(counts[what]) for counts in last["tally"].values() for what in essential):
        found.append(f"Warning: the derived cell has no {run.space.essential_words}.")
    return found


def _number(value: Any) -> float | None:
    return None if value is None else short(float(value))

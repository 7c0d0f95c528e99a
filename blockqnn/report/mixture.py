"""How the weights of operations of a mixture have changed, for the report."""

from __future__ import annotations

from typing import Any

from blockqnn.measure import measure_in
from blockqnn.networks.shares import shares_of
from blockqnn.networks.spaces.contract import CodeError
from blockqnn.report.columns import short
from blockqnn.runs.mixtures import part_of
from blockqnn.runs.run_record import RunRecord
from blockqnn.runs.supernet_record import WHOLE, split_words

_CURVES = ("loss", "accuracy", "derived_accuracy", "eigenvalue")


def mixture(run: RunRecord) -> dict[str, Any] | None:
    """What the epochs of a mixture have found.

    Args:
        run: as it was read.

    Returns:
        `parts`, of which there is one where the mixture was not split, each with its `name`, that
        of the whole one empty; `epochs`, the numbers of its epochs among all; `curves`, by name a
        value of each epoch or None; `cells`, for each kind of cell its `name`, `labels`, the names
        of its edges, `operations`, and `shares`, for each edge and operation the share of the
        softmax in each epoch; `counts`, for each kind of cell skip connections, pools and
        convolutions of the derived cell in each epoch. And `sentences`. None where there is no
        mixture, or the store cannot say.
    """
    if not run.mixed or not run.epochs:
        return None
    try:
        return _found(run)
    except (CodeError, TypeError, KeyError, ValueError, IndexError, AttributeError):
        # The other parts of a report do not depend on it.
        return None


def _found(run: RunRecord) -> dict[str, Any]:
    names = dict.fromkeys(part_of(epoch) for epoch in run.epochs)
    return {"parts": [_part(run, name) for name in names], "sentences": _sentences(run)}


def _part(run: RunRecord, name: str) -> dict[str, Any]:
    rows = [row for row in run.space.mixture_rows() if row.name in run.epochs[0]["alpha"]]
    numbers = [n for n, epoch in enumerate(run.epochs, start=1) if part_of(epoch) == name]
    epochs = [run.epochs[number - 1] for number in numbers]
    by_epoch = [shares_of(epoch["alpha"]) for epoch in epochs]
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
    tallies = {
        cell: {what: [int(epoch["tally"][cell][what]) for epoch in epochs] for what in counts}
        for cell, counts in epochs[-1]["tally"].items()
    }
    return {
        "name": "" if name == WHOLE else name,
        "epochs": numbers,
        "curves": {curve: [_number(epoch.get(curve)) for epoch in epochs] for curve in _CURVES},
        "cells": cells,
        "counts": tallies,
    }


def _sentences(run: RunRecord) -> list[str]:
    last = run.epochs[(run.chosen or len(run.epochs)) - 1]
    measure = measure_in(run.layout)

    def in_words(kept: Any) -> str:
        return f"{measure.figure(float(kept), 1)}{measure.unit}"

    whole, derived = in_words(last["accuracy"]), in_words(last["derived_accuracy"])
    found = [
        "The mixture, the derived cell with its weights and the cell trained by itself are three "
        f"networks: the mixture has {'' if measure.unit else 'perplexity '}{whole}, the derived "
        f"cell with its weights {derived}; what it has by itself, finals say.",
        f"On {int(last['none'])} of {len(run.space.mixture_edges())} edges none has the largest "
        "share, which says little by itself: batch norm undoes its size.",
    ]
    splits = [split_words(name, own["edge"], own["groups"]) for name, own in run.cuts.items()]
    if run.results:
        listed = (
            f"{part_of(run.epochs[trial - 1])} {in_words(run.epochs[trial - 1]['accuracy'])}"
            for trial in run.results
        )
        found.insert(
            0,
            f"The cell of {part_of(last)} is the result, trial {run.chosen}. The part whose "
            f"mixture is best on the validation images is derived from: {', '.join(listed)}.",
        )
    elif run.chosen:
        found.insert(0, f"The cell of epoch {run.chosen} is the result, trial {run.chosen}.")
    found = [*splits, *found]
    essential = run.space.essential
    if not any(int(counts[what]) for counts in last["tally"].values() for what in essential):
        found.append(f"Warning: the derived cell has no {run.space.essential_words}.")
    return found


def _number(value: Any) -> float | None:
    return None if value is None else short(float(value))

"""What a search by gradient says of an epoch, and at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from blockqnn.measure import Measure
from blockqnn.networks.spaces.contract import SearchSpace
from blockqnn.runs.supernet_record import split_words
from blockqnn.searching.mixture_parts import numbers_of, results_of
from blockqnn.searching.supernet_paths import CONTROL, Part


def epoch_words(
    record: Mapping[str, Any], part: Part, number: int, space: SearchSpace, measure: Measure
) -> str:
    """An epoch in a line.

    Args:
        record: of it.
        part: of which it is.
        number: of it among the epochs of the part, from 1.
        space: of the designs.
        measure: by which they are judged.

    Returns:
        Loss, the accuracies of the mixture and of the derived cell, and what that consists of.
    """
    of = f"epoch {number} of {part.epochs}"
    if number > part.epochs:
        of = f"epoch {number}, selecting"
    if part.parent:
        of = f"{part.name}: {of}"
    counts = "; ".join(
        f"{cell} {', '.join(f'{n} {what}' for what, n in own.items())}"
        for cell, own in record["tally"].items()
    )
    whole, derived = (
        f"{measure.figure(record[name], 1)}{measure.unit}"
        for name in ("accuracy", "derived_accuracy")
    )
    named = "" if measure.unit else f"{measure.name} of the "
    line = (
        f"  {of}: loss {record['loss']:.3f}, {named}mixture {whole}, derived cell with "
        f"its weights {derived}; {counts}, none first on "
        f"{record['none']} of {len(space.mixture_edges())} edges"
    )
    if record.get("eigenvalue") is not None:
        line += f"; eigenvalue {record['eigenvalue']:.3g}"
    return line + (
        "" if record["convolutions"] else f". It has NO {space.essential_words.upper()}."
    )


def ending(
    chosen: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
    parts: Sequence[Part],
    splits: Mapping[str, Any],
    space: SearchSpace,
    measure: Measure,
) -> list[str]:
    """What is said when a mixture is trained.

    Args:
        chosen: which trial is the result, and why training was stopped before its end.
        records: of all epochs.
        parts: of the search.
        splits: how it was split, where gradients said so.
        space: of the designs.
        measure: by which they are judged.

    Returns:
        Sentences, a warning last where the result has nothing that a cell needs.
    """
    trial = chosen["trial"]
    lines = [f"The derived cell is that of epoch {trial}, trial {trial}."]
    if len(parts) > 1:
        lines = [split_words(name, own["edge"], own["groups"]) for name, own in splits.items()]
        lines += _of_parts(trial, records, parts)
    elif chosen["reason"]:
        lines.insert(0, f"Stopped after epoch {len(records)}: {chosen['reason']}.")
    if not records[trial - 1]["convolutions"]:
        lines.append(
            f"WARNING: it has no {space.essential_words}, as happens where a mixture collapses; "
            f"--stop_eigenvalue=1.3, {'' if measure.inverse else '--stop_skips=2 '}or "
            "--selection=perturbation may help."
        )
    return lines


def _of_parts(trial: int, records: Sequence[Mapping[str, Any]], parts: Sequence[Part]) -> list[str]:
    """Of each part how good its mixture is, and which one the result is of."""
    results = results_of(parts, records)
    said = [", ".join(filter(None, (f"trial {own.trial}", own.empty))) for own in results]
    listed = ", ".join(
        f"{own.part} {own.accuracy:.1f} % ({words})"
        for own, words in zip(results, said, strict=True)
    )
    whole = records[numbers_of(records, parts[0].name)[-1] - 1]
    lines = [
        f"Mixtures of the parts on the validation images: {listed}; the whole one before "
        f"{whole['accuracy']:.1f} %."
    ]
    if parts[-1].name == CONTROL:
        number = numbers_of(records, CONTROL)[-1]
        lines.append(
            f"The control, one mixture for as many epochs as all parts: "
            f"{records[number - 1]['accuracy']:.1f} % (trial {number})."
        )
    lines.append(
        f"The derived cell is that of {results[0].part}, whose mixture is the best, trial {trial}."
    )
    return lines

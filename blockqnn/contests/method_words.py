"""The standings of methods for people: tables, and what is to be known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from blockqnn.contests import standings
from blockqnn.contests.method_standings import END, EVALUATIONS, SECONDS, Column
from blockqnn.full_training.settings import TEST
from blockqnn.listing import counted, number, table
from blockqnn.measure import ACCURACY, PERPLEXITY, Measure
from blockqnn.runs.rounds import Round
from blockqnn.runs.rounds import in_words as rounds_words

_NOTICED = 0.05
_NONE = "- "


def in_words(facts: Mapping[str, Any], columns: Sequence[Column], rounds: tuple[Round, ...]) -> str:
    """The standings.

    Args:
        facts: as the JSON output has them.
        columns: at which cost.
        rounds: of finals that searches ended with.

    Returns:
        Lines: a table for each judge, one of costs, and sentences.
    """
    parts = []
    for judged in facts["judges"]:
        parts += [_standings(facts, judged, columns), ""]
    parts += [_costs(facts), ""]
    return "\n".join([*parts, *_sentences(facts, columns, rounds)])


def _standings(
    facts: Mapping[str, Any], judged: Mapping[str, Any], columns: Sequence[Column]
) -> str:
    by_method: dict[str, list[dict[str, Any]]] = {}
    for row in judged["rows"]:
        by_method.setdefault(row["method"], []).append(row)
    measure = PERPLEXITY if judged["measure"] == PERPLEXITY.name else ACCURACY
    lines = [[*(_cell(row, measure) for row in own), title] for title, own in by_method.items()]
    for row in judged["without_search"]:
        cell = _mean_cell(row, measure, None)
        lines.append([*[""] * (len(columns) - 1), cell, f"{row['name']}, without a search"])
    seeds = facts["seeds"]
    spread = f"mean +- standard deviation of {seeds} searches"
    if any(row["found"] < row["searches"] for row in judged["rows"]):
        spread = f"mean +- standard deviation of those of {seeds} searches that found a design"
    if seeds == 1:
        spread = "one search, and so no deviation"
    return "\n".join(
        [
            f"What each method chose by validation, judged by {judged['by']}: {spread}",
            "",
            table([*(column.title for column in columns), "method"], lines),
        ]
    )


def _cell(row: Mapping[str, Any], measure: Measure) -> str:
    # What the judge does not know is no matter of cost.
    if row["chosen"] == row["found"]:
        return _mean_cell(row, measure, row["p_holm"])
    return "too small " if row["kind"] == SECONDS else _NONE


def _mean_cell(row: Mapping[str, Any], measure: Measure, p: float | None) -> str:
    mean, deviation = row["mean"], row["std"]
    if mean is None:
        return _NONE
    spread = None if deviation is None else measure.spread(mean, deviation)
    return standings.mean_cell(measure.value(mean), spread, p)


def _left_out(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of which searches there is nothing to say, and of which choices."""
    found = {
        row["method"]: f"{row['method']}: {row['searches'] - row['found']} of "
        f"{counted(row['searches'], 'search', 'searches')} found no design of the table, and "
        f"{'is' if row['searches'] - row['found'] == 1 else 'are'} left out."
        for row in rows
        if row["found"] < row["searches"]
    }
    unknown = dict.fromkeys(row["method"] for row in rows if row["judged"] < row["chosen"])
    lacking = f"The table does not have all that was chosen by {', '.join(unknown)}: no mean there."
    return [*found.values(), *([lacking] if unknown else [])]


def _costs(facts: Mapping[str, Any]) -> str:
    kinds = [
        kind
        for kind in dict.fromkeys(kind for row in facts["costs"] for kind in row["kinds"])
        if any(row["kinds"].get(kind) for row in facts["costs"])
    ]
    lines = [
        [
            f"{row['evaluations']:.0f}" if row["evaluations"] else "-",
            number(row["seconds"], 1),
            *(number(row["kinds"].get(kind) or None, 1) for kind in kinds),
            number(row["compiling"] or None, 1),
            row["method"],
        ]
        for row in facts["costs"]
    ]
    head = ["evaluations", "seconds", *kinds, "compiling", "method"]
    return f"Seconds of one device, mean of a search, and what they went to\n\n{table(head, lines)}"


def _sentences(
    facts: Mapping[str, Any], columns: Sequence[Column], rounds: tuple[Round, ...]
) -> list[str]:
    reference, found = facts["reference"], []
    rows = [row for judged in facts["judges"] for row in judged["rows"]]
    if any(row["p"] is not None for row in rows):
        comparisons = max(
            sum(
                row["p"] is not None for row in rows if Column(row["kind"], row["amount"]) == column
            )
            for column in columns
        ) // len(facts["judges"])
        found.append(
            f"* other than {reference} at the same cost by Welch's test, p < {_NOTICED} after "
            f"Holm's correction for the {counted(comparisons, 'comparison')} of a column"
        )
    found += [f"{sentence}" for sentence in facts["too_small"]]
    found += _left_out(rows)
    if any(judged["judged_on"] and TEST not in judged["judged_on"] for judged in facts["judges"]):
        found.append(
            "There is no test split: trainings to the end are judged on what searches chose by "
            "too, unless --judge_flags names other data."
        )
    if any(column.kind == SECONDS for column in columns):
        found.append(
            "Seconds are those of one device and of the driver: children, supernets, scores, "
            "controllers; of a processor those that it took, whatever else it did meanwhile. "
            "Compiling is not among them, since programs are kept for whoever comes later."
        )
    end = "At its end each method has had the cost that the second table says, which differs"
    if rounds:
        end += f"; there are the winners of finals, {rounds_words(rounds)}, the same for all"
    found.append(f"{end}.")
    if all(column.kind in (EVALUATIONS, END) for column in columns) and len(columns) > 1:
        found.append("An evaluation is a design that was not seen before in the search.")
    return found

"""The table of `benchmarks.better_block`."""

from __future__ import annotations

import collections
import dataclasses
import statistics
from collections.abc import Mapping, Sequence

from scipy.stats import ttest_ind, ttest_rel

from benchmarks._better_block_steps import Ledger
from blockqnn.listing import table


@dataclasses.dataclass(frozen=True)
class Trained:
    """A training.

    Attributes:
        title: of the block, with `#` and a number for each of several searches.
        fold: of the images.
        seed: of the training.
        error: on the test images, in percent.
        parameters: of the network.
        filters: of its stages.
        code: of the block.
        seconds: of wall time.
    """

    title: str
    fold: str
    seed: int
    error: float
    parameters: int
    filters: str
    code: str
    seconds: float


Samples = Mapping[tuple[str, str], float]
"""Mean errors by fold, and by search or seed."""


def samples(trainings: Sequence[Trained]) -> Samples:
    """Mean errors that are independent of one another.

    Args:
        trainings: of one row of the table.

    Returns:
        Of several folds one for each; else one for each search where there are some, else
        one for each seed; by what they are of.
    """
    several = len({one.fold for one in trainings}) > 1
    searches = any("#" in one.title for one in trainings)
    found = collections.defaultdict(list)
    for one in trainings:
        of = "" if several else (one.title if searches else str(one.seed))
        found[one.fold, of].append(one.error)
    return {key: statistics.mean(errors) for key, errors in sorted(found.items())}


def probability(
    one: Mapping[tuple[str, str], float], other: Mapping[tuple[str, str], float]
) -> str:
    """That two rows differ so much by chance: paired over folds, else Welch's test."""
    if min(len(one), len(other)) < 2:
        return "-"
    paired = len({fold for fold, _ in one}) > 1 and one.keys() == other.keys()
    if paired:
        found = ttest_rel(list(one.values()), list(other.values()))
    else:
        found = ttest_ind(list(one.values()), list(other.values()), equal_var=False)
    return f"{found.pvalue:.3f}"


def in_words(results: Sequence[Trained], picked: set[str], ledger: Ledger) -> str:
    """The table, lowest error first.

    Args:
        results: of all trainings.
        picked: titles of the blocks that a person would pick.
        ledger: of the seconds of searches and finals.

    Returns:
        Lines.
    """
    grouped: dict[str, list[Trained]] = collections.defaultdict(list)
    for one in results:
        grouped[one.title.partition("#")[0]].append(one)
    of = {title: samples(trainings) for title, trainings in grouped.items()}
    mean = {title: statistics.mean(values.values()) for title, values in of.items()}
    best = min(picked & mean.keys(), key=mean.__getitem__)
    rows = []
    for title in sorted(mean, key=mean.__getitem__):
        values, trainings = list(of[title].values()), grouped[title]
        spread = f"{statistics.stdev(values):.2f}" if len(values) > 1 else "-"
        kinds = {one.code: one for one in trainings}
        example = next(iter(kinds.values()))
        rows.append(
            [
                f"{mean[title]:.2f} +- {spread}",
                str(len(values)),
                str(len(trainings)),
                f"{mean[title] - mean[best]:+.2f}",
                "" if title == best else probability(of[title], of[best]),
                f"{example.parameters:,}" if len(kinds) == 1 else f"{len(kinds)} blocks",
                _minutes(ledger, "search", title),
                _minutes(ledger, "finals", title),
                f"{statistics.mean(one.seconds for one in trainings):.0f}",
                title + (", best of those picked" if title == best else ""),
            ]
        )
    header = ["test error %", "samples", "trainings", "to the best picked", "p", "parameters"]
    header += ["search min", "finals min", "training s", "block"]
    return table(header, rows)


def _minutes(ledger: Ledger, step: str, title: str) -> str:
    """Minutes of a step of an agent, of one search."""
    agent = title.partition(",")[0]
    found = [
        seconds
        for name, seconds in ledger.seconds.items()
        if name.startswith(f"{step} ") and f"-{agent}-" in name and "without" not in name
    ]
    if not found or "," not in title:
        return ""
    return f"{statistics.mean(found) / 60:.0f}"

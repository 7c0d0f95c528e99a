"""The table of `benchmarks.better_block`."""

from __future__ import annotations

import collections
import dataclasses
import statistics
from collections.abc import Mapping, Sequence

from scipy.stats import ttest_ind, ttest_rel

from benchmarks._better_block_settings import CELLS_PICKED, PICKED
from benchmarks._better_block_steps import Entry, Ledger
from blockqnn.listing import table
from blockqnn.settings import ONE_CYCLE

BY = " by "
"""Before the flags of a recipe, at the end of the names of finals that have their own."""


@dataclasses.dataclass(frozen=True)
class Chosen:
    """A block that stands in the table, and who chose it.

    Attributes:
        title: of its row.
        code: of the block.
        search: which of several; empty for a block that nobody searched.
        fold: that it was searched on; empty for all.
        step: the ledger's name of the search, or of its finals; empty for none.
    """

    title: str
    code: str
    search: str
    fold: str = ""
    step: str = ""


@dataclasses.dataclass(frozen=True)
class Trained:
    """A training of a block of the table.

    Attributes:
        chosen: the block.
        fold: of the images.
        seed: of the training.
        entry: what it cost and what came of it.
    """

    chosen: Chosen
    fold: str
    seed: str
    entry: Entry

    @property
    def error(self) -> float:
        """On the test images, in percent."""
        assert self.entry.result is not None
        return float(self.entry.result["error"])


def chosen(ledger: Ledger, early: bool) -> list[Chosen]:
    """What stands in the table: what a person would pick, and what searches found.

    Args:
        ledger: of what is done.
        early: whether the best by reward of each search is wanted, too.

    Returns:
        The blocks, cells and networks.
    """
    found = [Chosen(title, code, "") for title, code in (PICKED | CELLS_PICKED).items()]
    for step, entry in ledger.entries.items():
        if entry.result is None or step.startswith("train "):
            continue
        facts = entry.result
        seconds = facts.get("seconds")
        title = f"{facts['agent']}, " + (f"{seconds} s" if seconds else f"{facts['blocks']} blocks")
        if facts.get("schedule") == ONE_CYCLE:
            title += ", one cycle"
        if "held_out" in facts:
            title += f", {facts['held_out']:,} held out"
        if "recipe" in facts:
            title += f", {facts['recipe']}"
        if "space" in facts:
            title += f", space {facts['space']}"
        of = str(facts["seed"])
        if "winner" in facts:
            by = f" by {facts['finals']}" if "finals" in facts else ""
            found.append(Chosen(f"{title}, finals{by}", facts["winner"], of, facts["fold"], step))
        elif early:
            found.append(Chosen(f"{title}, by reward", facts["early"], of, facts["fold"], step))
        if "median" in facts and facts["agent"] == "random" and "space" not in facts:
            found.append(Chosen("a random block", facts["median"], of, facts["fold"]))
    return found


Samples = Mapping[tuple[str, str], float]
"""Mean errors by fold, and by search or seed."""


def trainings(blocks: Sequence[tuple[Chosen, str]], ledger: Ledger) -> list[Trained]:
    """The trainings that a ledger has of some blocks.

    Args:
        blocks: each with the beginning of the names of its trainings' steps.
        ledger: of what is done.

    Returns:
        In the blocks' order; one training once for each title that its block has.
    """
    of = collections.defaultdict(list)
    for step, entry in ledger.entries.items():
        prefix, _, rest = step.rpartition(" ")
        prefix, _, fold = prefix.rpartition(" ")
        if entry.result is not None:
            of[prefix].append((fold, rest, entry))
    return [
        Trained(chosen, fold, seed, entry)
        for chosen, prefix in blocks
        for fold, seed, entry in of[prefix]
        if chosen.fold in ("", fold)
    ]


def samples(found: Sequence[Trained]) -> Samples:
    """Mean errors that are independent of one another.

    Args:
        found: the trainings of one row of the table.

    Returns:
        Of several folds one for each; else one for each search where there are some, else
        one for each seed; by what they are of.
    """
    several = len({one.fold for one in found}) > 1
    by = collections.defaultdict(list)
    for one in found:
        by[one.fold, "" if several else one.chosen.search or f"seed {one.seed}"].append(one.error)
    return {key: statistics.mean(errors) for key, errors in sorted(by.items())}


def probability(one: Samples, other: Samples) -> str:
    """That two rows differ so much by chance: paired over folds, else Welch's test."""
    if min(len(one), len(other)) < 2:
        return "-"
    paired = len({fold for fold, _ in one}) > 1 and one.keys() == other.keys()
    if paired:
        found = ttest_rel(list(one.values()), list(other.values()))
    else:
        found = ttest_ind(list(one.values()), list(other.values()), equal_var=False)
    return f"{found.pvalue:.3f}"


def in_words(blocks: Sequence[tuple[Chosen, str]], picked: set[str], ledger: Ledger) -> str:
    """The table, lowest error first.

    Args:
        blocks: of all rows, each with the beginning of the names of its trainings' steps.
        picked: titles of the blocks that a person would pick.
        ledger: of what is done.

    Returns:
        Lines; one sentence if nothing is trained yet.
    """
    grouped: dict[str, list[Trained]] = collections.defaultdict(list)
    for one in trainings(blocks, ledger):
        grouped[one.chosen.title].append(one)
    of = {title: samples(found) for title, found in grouped.items()}
    mean = {title: statistics.mean(values.values()) for title, values in of.items()}
    if not picked & mean.keys():
        return "No block that a person would pick is trained yet."
    best = min(picked & mean.keys(), key=mean.__getitem__)
    randoms = [title for title in mean if title.startswith("random, ")]
    random = min(randoms, key=mean.__getitem__, default="")
    rows = []
    for title in sorted(mean, key=mean.__getitem__):
        values, found = of[title], grouped[title]
        spread = f"{statistics.stdev(values.values()):.2f}" if len(values) > 1 else "-"
        kinds = {one.chosen.code: one.entry.result or {} for one in found}
        rows.append(
            [
                f"{mean[title]:.2f} +- {spread}",
                str(len(values)),
                str(len(found)),
                f"{mean[title] - mean[best]:+.2f}",
                "" if title == best else probability(values, of[best]),
                "" if title == random or not random else probability(values, of[random]),
                f"{next(iter(kinds.values()))['parameters']:,}" if len(kinds) == 1 else "",
                _minutes(ledger, found, "search"),
                _minutes(ledger, found, "finals"),
                f"{statistics.mean(one.entry.core_seconds for one in found) / 60:.1f}",
                title + (", best of those picked" if title == best else ""),
            ]
        )
    header = ["test error %", "samples", "trainings", "to best picked", "p", "p, random's"]
    header += ["parameters", "search", "finals", "training", "block"]
    return f"{table(header, rows)}\n\nsearch, finals, training: minutes of one core, mean of each\n"


def _minutes(ledger: Ledger, found: Sequence[Trained], kind: str) -> str:
    """Core minutes of the searches, or of the finals, that chose a row's blocks."""
    steps = {one.chosen.step for one in found}
    if kind == "finals":
        names = [step for step in steps if step.startswith("finals ")]
    else:
        names = [step.partition(BY)[0].replace("finals ", "search ", 1) for step in steps if step]
    costs = [ledger.entries[name].core_seconds for name in names if name in ledger.entries]
    return f"{statistics.mean(costs) / 60:.0f}" if costs else ""

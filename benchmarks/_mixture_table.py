"""What the searches in a ledger of `benchmarks.mixtures` have come to, as tables."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from blockqnn.evaluation.table import AccuracyTable
from blockqnn.listing import number, table
from blockqnn.mixture_settings import SECOND, MixtureSettings
from blockqnn.networks.spaces.mixing import CONVOLUTION, NONE, POOL, SKIP
from blockqnn.networks.spaces.registry import parse, space_named
from blockqnn.searching.mixture_stops import stop_of

SPACE = "nasbench201"
PARAMETERS = "cifar10_params_M"
PUBLISHED = 54.30
"""Test accuracy in percent of both orders: Dong and Yang, ICLR 2020, as later papers quote it."""
ALL_SKIPS = "+".join(f"|{'|'.join(f'skip_connect~{i}' for i in range(n))}|" for n in (1, 2, 3))
BY_EIGENVALUE = MixtureSettings(stop_ratio=1.3)
BY_SKIPS = MixtureSettings(stop_skips=2)
VARIANTS = (
    "first order",
    "first order, stopped by the eigenvalue",
    "first order, stopped at two skips",
    "first order, selected by perturbation",
    "second order",
    "few-shot",
)
FEW_SHOT = "few_shot"
"""In the place of an order, for a mixture in first order that is split."""
_HUNDREDTH = 100


def chosen_of(line: Mapping[str, Any], epochs: int) -> dict[str, tuple[int, int]]:
    """Which epoch's cell each variant comes to, and after how many epochs it knows.

    Args:
        line: of the ledger.
        epochs: of the mixture before any selection.

    Returns:
        {variant: (the epoch whose cell counts, epochs that were trained)}, from 1.
    """
    if line["order"] == SECOND:
        return {VARIANTS[4]: (epochs, epochs)}
    if line["order"] == FEW_SHOT:
        return {VARIANTS[5]: (line["chosen"], len(line["codes"]))}
    space = space_named(SPACE)
    records = [
        {"tally": space.tally(parse(code)), "eigenvalue": value}
        for code, value in zip(line["codes"], line["eigenvalues"], strict=True)
    ][:epochs]
    found = {VARIANTS[0]: (epochs, epochs)}
    for name, settings in ((VARIANTS[1], BY_EIGENVALUE), (VARIANTS[2], BY_SKIPS)):
        found[name] = (epochs, epochs)
        for trained in range(1, epochs + 1):
            if stop := stop_of(settings, records[:trained], ()):
                found[name] = (stop.epoch, trained)
                break
    found[VARIANTS[3]] = (len(line["codes"]), len(line["codes"]))
    return found


def rows_of(
    lines: Sequence[Mapping[str, Any]], epochs: int, truth: AccuracyTable
) -> list[dict[str, Any]]:
    """The cells that all variants of all seeds come to.

    Args:
        lines: of the ledger.
        epochs: of the mixture before any selection.
        truth: the table; its first column is the test accuracy in percent.

    Returns:
        By variant, then by seed, each with `accuracy` in percent, counts of operations, `epoch`,
        `trained` and `seconds` of processor.
    """
    space, rows = space_named(SPACE), []
    for line in lines:
        for name, (epoch, trained) in chosen_of(line, epochs).items():
            code = parse(line["codes"][epoch - 1])
            (counts,) = space.tally(code).values()
            found = truth.find(code)
            assert found is not None
            rows.append(
                {
                    "variant": name,
                    "seed": line["seed"],
                    "accuracy": found[1][0],
                    **counts,
                    NONE: len(code) - sum(counts.values()),
                    "epoch": epoch,
                    "trained": trained,
                    "seconds": line["seconds"][trained - 1] if line["seconds"] else None,
                    "code": line["codes"][epoch - 1],
                }
            )
    return sorted(rows, key=lambda row: (VARIANTS.index(row["variant"]), row["seed"]))


def rivals_of(truth: AccuracyTable) -> list[tuple[str, float]]:
    """What no search is needed for.

    Args:
        truth: with the test accuracies in percent, and the numbers of parameters.

    Returns:
        Pairs of words and of a test accuracy in percent.
    """
    cells = [truth.find(code) for code in truth.codes]
    pairs = [found[1] for found in cells if found is not None]
    by_size = sorted(pairs, key=lambda pair: -pair[1])
    count = max(1, len(pairs) // _HUNDREDTH)
    skips = truth.find(parse(ALL_SKIPS))
    return [
        ("the best cell of the table", max(accuracy for accuracy, _ in pairs)),
        ("the cell of most parameters", by_size[0][0]),
        (
            f"the {count} cells of most parameters, mean",
            statistics.fmean(accuracy for accuracy, _ in by_size[:count]),
        ),
        ("a random cell, mean of all", statistics.fmean(accuracy for accuracy, _ in pairs)),
        *([("skip connections alone", skips[1][0])] if skips else []),
        ("published, DARTS in both orders", PUBLISHED),
    ]


def in_words(rows: Sequence[Mapping[str, Any]], rivals: Sequence[tuple[str, float]]) -> str:
    """The tables: cell by cell, and the mean of each variant beside its rivals."""
    cells = [
        [
            number(row["accuracy"]),
            *(str(row[kind]) for kind in (SKIP, POOL, CONVOLUTION, NONE)),
            f"{row['epoch']} of {row['trained']}",
            "" if row["seconds"] is None else f"{row['seconds']:.0f}",
            str(row["seed"]),
            row["variant"],
            row["code"],
        ]
        for row in rows
    ]
    heads = ["test %", "skips", "pools", "convolutions", "none", "epoch", "seconds", "seed"]
    means = [(words, value, "") for words, value in rivals]
    for name in VARIANTS:
        own = [row["accuracy"] for row in rows if row["variant"] == name]
        if own:
            spread = f" +- {statistics.stdev(own):.2f}" if len(own) > 1 else ", one seed"
            means.append((name, statistics.fmean(own), spread))
    means.sort(key=lambda each: -each[1])
    return "\n\n".join(
        [
            table([*heads, "search", "cell"], cells),
            table(
                ["test %", "of"], [[f"{value:.2f}{spread}", name] for name, value, spread in means]
            ),
        ]
    )

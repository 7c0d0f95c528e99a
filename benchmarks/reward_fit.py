"""How well the reward ranks when it is fitted to a few cells of NAS-Bench-201.

TABLE is a CSV file, perhaps gzipped, with the columns `arch_str`,
`cifar10_valid_hp12`, `cifar10_test_hp200_mean` and `cifar10_flops_M`. In each
of DRAWS draws mu and rho are fitted to CELLS random cells; Spearman's
correlation of each score with the accuracy after 200 epochs is that of all
other cells. Density is edges that are not `none` over 4 nodes; the one cell
without any counts as if it had one. Takes some seconds.
"""

from __future__ import annotations

import csv
import gzip
import pathlib

import numpy as np

from benchmarks._arguments import make_parser
from blockqnn.calibration.rank_correlation import spearman
from blockqnn.calibration.reward_fit import fit_reward
from blockqnn.listing import number, table
from blockqnn.settings import RewardSettings


def read_table(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Early accuracy, log FLOPs in millions, log density and final accuracy of all cells."""
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8") as file
    ):
        rows = list(csv.DictReader(file))
    early, flops, final = (
        np.array([float(row[column]) for row in rows])
        for column in ("cifar10_valid_hp12", "cifar10_flops_M", "cifar10_test_hp200_mean")
    )
    edges = np.array([max(1, 6 - row["arch_str"].count("none")) for row in rows])
    return early, np.log(flops), np.log(edges / 4), final


def main() -> None:
    """Draws, fits and prints the table."""
    parser = make_parser("reward_fit", __doc__)
    parser.add_argument("table", metavar="TABLE", type=pathlib.Path, help="the accuracies")
    parser.add_argument("cells", metavar="CELLS", nargs="?", type=int, default=20, help="of a fit")
    parser.add_argument("draws", metavar="DRAWS", nargs="?", type=int, default=200, help="fits")
    given = parser.parse_args()
    path, cells, draws = given.table, given.cells, given.draws
    early, log_flops, log_density, final = read_table(path)

    def reward(settings: RewardSettings) -> np.ndarray:
        return early - settings.mu * log_flops - settings.rho * log_density

    found: dict[str, list[float]] = {}
    fits = []
    for seed in range(draws):
        drawn = np.random.default_rng(seed).choice(len(final), cells, replace=False)
        fit = fit_reward(early[drawn], log_flops[drawn], log_density[drawn], final[drawn])
        fits.append((fit.mu, fit.rho))
        scores = {
            "early accuracy": early,
            "the paper's reward": reward(RewardSettings()),
            "mu = -3, rho = 0": reward(RewardSettings(-3.0, 0.0)),
            "FLOPs alone": log_flops,
            f"fitted to {cells} cells": reward(fit),
        }
        for name, values in scores.items():
            rest = np.delete(values, drawn), np.delete(final, drawn)
            found.setdefault(name, []).append(float(spearman(*rest)))
    rows = [
        [*(number(v, 3) for v in (np.mean(values), *np.percentile(values, (5, 95)))), name]
        for name, values in found.items()
    ]
    print(f"Spearman on the other {len(final) - cells:,} cells, {draws} draws")
    print(table(["mean", "5 %", "95 %", "of"], rows))
    mu, rho = (np.percentile(values, (5, 50, 95)) for values in zip(*fits, strict=True))
    print(f"mu: median {mu[1]:.1f}, 5 % {mu[0]:.1f}, 95 % {mu[2]:.1f}")
    print(f"rho: median {rho[1]:.1f}, 5 % {rho[0]:.1f}, 95 % {rho[2]:.1f}")


if __name__ == "__main__":
    main()

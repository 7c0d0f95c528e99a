"""How well zero-cost scores rank the cells of NAS-Bench-201, beside size and early accuracy.

TABLE is a CSV file, perhaps gzipped, with the columns `arch_str`,
`cifar10_valid_hp12`, `cifar10_test_hp200_mean`, `cifar10_params_M` and
`cifar10_flops_M`. Random cells, untrained, are scored in a small network on one
batch; Spearman's correlation of each score with the accuracy after 200 epochs,
of all of them and of the better half, has a bootstrap interval of 95 %. What is
computed is kept in --out, and the same command goes on, with more cells too.
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
import json
import math
import pathlib
import sys
import time
from typing import Any

import numpy as np
from scipy.stats import rankdata

from benchmarks._arguments import listed, make_parser
from blockqnn.calibration.rank_correlation import Interval, bootstrap, spearman
from blockqnn.listing import number, table
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, design_plan, parse, space_of
from blockqnn.settings import DataSettings

EARLY, FINAL = "cifar10_valid_hp12", "cifar10_test_hp200_mean"
SIZE = {"parameters": "cifar10_params_M", "FLOPs": "cifar10_flops_M"}


def read_table(path: pathlib.Path) -> list[dict[str, str]]:
    """The rows of the table."""
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8") as file
    ):
        return list(csv.DictReader(file))


def score_cells(given: Any, codes: list[str], done: dict[str, dict[str, float]]) -> None:
    """Scores the cells that are not done yet, and appends each to the file."""
    if all(code in done for code in codes):
        return
    # Only now: a table that is complete is printed at once.
    import jax.numpy as jnp

    from blockqnn.children import zero_cost
    from blockqnn.children.execution import take_batch
    from blockqnn.children.training import on_device
    from blockqnn.data.datasets import load_search_parts
    from blockqnn.networks.initial import initial_parameters

    data = DataSettings(
        given.dataset, given.data_dir, train_examples=1000, resize=(given.size, given.size)
    )
    train, _ = on_device(*load_search_parts(data))
    images, labels = take_batch(train, jnp.arange(given.batch_size), jnp.float32)
    kind = next(iter(space_of(design_of(parse(codes[0]))).layouts))
    layout = Layout(kind, tuple(given.filters), given.repeats, given.size, given.size)
    layout = dataclasses.replace(layout, classes=int(train.labels.max()) + 1)
    with given.out.open("a", encoding="utf-8") as file:
        for place, code in enumerate(codes, start=1):
            if code in done:
                continue
            plan = design_plan(design_of(parse(code)), layout)
            found = {}
            for name in ("gradient_norm", "activation_patterns", "synaptic_flow"):
                begun = time.process_time()
                values = [
                    getattr(zero_cost, name)(plan, initial_parameters(plan, seed), images, labels)
                    for seed in range(given.seeds)
                ]
                found[name] = float(np.mean(values))
                found[f"{name} seconds"] = (time.process_time() - begun) / given.seeds
            file.write(json.dumps({"code": code} | found) + "\n")
            file.flush()
            done[code] = found
            if place % 25 == 0:
                print(f"{place} of {len(codes)} cells", file=sys.stderr, flush=True)


def kept(given: Any) -> dict[str, dict[str, float]]:
    """What the file has; it begins with the settings, which must be these."""
    settings = {
        name: getattr(given, name)
        for name in ("dataset", "size", "filters", "repeats", "batch_size", "seeds")
    }
    if not given.out.exists():
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(settings) + "\n", encoding="utf-8")
    # A process that was killed may have left half a line.
    text = given.out.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        given.out.write_text(whole, encoding="utf-8")
    first, *rest = map(json.loads, whole.splitlines())
    if first != settings:
        sys.exit(f"{given.out} was computed with {first}, not with {settings}; name another --out.")
    return {line.pop("code"): line for line in rest}


def main() -> None:
    """Scores, and prints the table."""
    parser = make_parser("zero_cost", __doc__)
    parser.add_argument("table", metavar="TABLE", type=pathlib.Path, help="the accuracies")
    parser.add_argument("--cells", type=int, default=500, help="drawn at random")
    parser.add_argument("--dataset", default="cifar10", help="whose images are looked at")
    parser.add_argument("--data_dir", default="", help="where TFDS keeps it; empty for its default")
    parser.add_argument("--size", type=int, default=16, help="height and width of the images")
    parser.add_argument(
        "--filters", type=listed(int), default="16,32,64", help="of each stage, with commas between"
    )
    parser.add_argument("--repeats", type=int, default=1, help="cells in a stage")
    parser.add_argument("--batch_size", type=int, default=64, help="images in the batch")
    parser.add_argument("--seeds", type=int, default=1, help="initial weights; scores are means")
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        default="runs/zero_cost.jsonl",
        help="file that keeps what is computed",
    )
    given = parser.parse_args()
    rows = read_table(given.table)
    drawn = np.random.default_rng(0).permutation(len(rows))[: given.cells]
    sample = [rows[place] for place in drawn]
    done = kept(given)
    score_cells(given, [row["arch_str"] for row in sample], done)
    print_table(sample, [done[row["arch_str"]] for row in sample])


def print_table(sample: list[dict[str, str]], found: list[dict[str, float]]) -> None:
    """Prints the correlations.

    Args:
        sample: rows of the table.
        found: of each its scores and their seconds.
    """
    final = np.array([float(row[FINAL]) for row in sample])
    early = np.array([float(row[EARLY]) for row in sample])
    scores = {name: np.array([float(row[of]) for row in sample]) for name, of in SIZE.items()}
    seconds: dict[str, float] = {}
    for name in (name for name in found[0] if not name.endswith(" seconds")):
        title = name.replace("_", " ")
        # A score that is -inf ranks last.
        scores[title] = np.array([each[name] for each in found])
        seconds[title] = float(np.median([each[f"{name} seconds"] for each in found]))
        scores[f"ranks of {title} and parameters"] = rankdata(scores[title]) + rankdata(
            scores["parameters"]
        )
    scores["accuracy after 12 epochs"] = early
    better = final >= np.median(final)
    lines = []
    for name, values in scores.items():
        cells = [
            bootstrap(spearman, values, final),
            bootstrap(spearman, values[better], final[better]),
        ]
        if values is early:
            cells.append(Interval(math.nan, math.nan, math.nan))
        else:
            cells.append(bootstrap(spearman, values, early))
        lines.append([*map(in_words, cells), number(seconds.get(name), 2), name])
    print(f"Spearman's correlation over {len(sample)} cells")
    header = ["200 epochs", "of the better half", "12 epochs", "seconds", "of"]
    print(table(header, lines))


def in_words(interval: Interval) -> str:
    """A correlation with its interval."""
    if math.isnan(interval.value):
        return "-"
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


if __name__ == "__main__":
    main()

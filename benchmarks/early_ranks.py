"""How a search's short training ranks blocks whose long training is known.

The blocks are those that `benchmarks.better_block` has trained to the end on CIFAR-10 at
16x16 pixels, each with its test error in the ledger: picked ones, and winners of searches.
A search of exactly these blocks (`--first_blocks`) teaches them by each of several short
ways. The table has Spearman's correlation of each way's validation accuracy with the test
error, with the sign turned, and beside it that of the number of FLOPs. Winners were chosen
by such an accuracy, so the correlations are lower than among blocks that nobody has chosen.
"""

from __future__ import annotations

import collections
import json
import pathlib
import statistics
import sys

import numpy as np
from scipy.stats import bootstrap, spearmanr

from benchmarks._arguments import listed, make_parser
from benchmarks._better_block_data import folds
from benchmarks._better_block_settings import BLOCKS, SEARCH_RECIPES, SETTINGS
from benchmarks._better_block_steps import Ledger
from blockqnn.__main__ import main as blockqnn
from blockqnn.listing import table
from blockqnn.networks.plan_counts import flops
from blockqnn.networks.sizing import matched
from blockqnn.networks.spaces.registry import design_of, design_plan, parse
from blockqnn.runs.run_record import read_run

SETTING = SETTINGS["cifar10"]
MEASURED = pathlib.Path(__file__).parent / "measured"

_MOMENTUM = ("--schedule=one_cycle", *SEARCH_RECIPES["momentum"])
WAYS = {
    "Adam": ("--schedule=one_cycle", *SEARCH_RECIPES["adam"]),
    "momentum at 0.1": (*_MOMENTUM, "--learning_rate=0.1"),
    "momentum in batches of 32": (*_MOMENTUM, "--batch_size=32"),
    "the same with 2.5 times the images": (*_MOMENTUM, "--batch_size=32", "--train_examples=15000"),
}
"""Flags of a search; 3 epochs of 6,000 images in batches of 64 if they say nothing else."""

_MOST_LAYERS = 16


def known(ledger: Ledger, epochs: int) -> dict[str, float]:
    """Mean test errors of blocks in percent, by code.

    Args:
        ledger: of `benchmarks.better_block`.
        epochs: of the trainings.

    Returns:
        One for each block that stands in layers without a cell's.
    """
    errors = collections.defaultdict(list)
    for step, entry in ledger.entries.items():
        if step.startswith(f"train paper {epochs} 16 ") and entry.result is not None:
            errors[str(entry.result["code"])].append(float(entry.result["error"]))
    return {
        code: statistics.mean(found)
        for code, found in errors.items()
        if design_of(parse(code, 10_000)).space == BLOCKS
    }


def taught(codes: list[str], way: str, data: str, out: pathlib.Path) -> dict[str, list[float]]:
    """Validation accuracies in percent and seconds of training, by code.

    Args:
        codes: of the blocks.
        way: in `WAYS`.
        data: as `--dataset` takes it.
        out: folder of the searches.

    Returns:
        Of the blocks that did not fail.
    """
    run = out / "".join(letter if letter.isalnum() else "-" for letter in way)
    filters = ",".join(map(str, SETTING.filters))
    words = ["search", f"--run_dir={run}", "--preset=digits", f"--dataset={data}"]
    words += [f"--first_blocks={';'.join(codes)}", f"--max_blocks={len(codes)}"]
    words += [f"--max_layers={_MOST_LAYERS}", f"--match={SETTING.match}", f"--filters={filters}"]
    words += ["--repeats=1", "--max_flops=0", "--mu=0", "--rho=0", "--agent=random"]
    words += ["--train_examples=6000", "--batch_size=64", *SETTING.search, *WAYS[way]]
    if status := blockqnn(words):
        sys.exit(status)
    by_hash = {design_of(parse(code, 10_000)).hash: code for code in codes}
    return {
        by_hash[trial.hash]: [trial.accuracy, round(trial.train_seconds, 1)]
        for trial in read_run(run).by_reward
        if trial.hash in by_hash and trial.accuracy is not None
    }


def row(
    title: str, values: dict[str, float], errors: dict[str, float], seconds: float
) -> list[str]:
    """A line of the table: the correlation with its 95 % interval, by resampling the blocks."""
    codes = sorted(values.keys() & errors.keys())
    pairs = np.array([[values[code], -errors[code]] for code in codes])

    def correlation(early: np.ndarray, late: np.ndarray) -> float:
        return float(spearmanr(early, late).statistic)

    interval = bootstrap(
        pairs.T, correlation, paired=True, vectorized=False, method="percentile",
        random_state=np.random.default_rng(0), n_resamples=2_000,
    ).confidence_interval  # fmt: skip
    found = f"{correlation(*pairs.T):.2f} [{interval.low:.2f}, {interval.high:.2f}]"
    return [title, found, str(len(codes)), f"{seconds:.0f}" if seconds else ""]


def main() -> None:
    """Teaches what is missing and prints the table."""
    parser = make_parser("early_ranks", __doc__)
    parser.add_argument("--data_dir", default="", help="where CIFAR-10 is prepared")
    parser.add_argument("--epochs", type=int, default=8, help="of the long trainings")
    parser.add_argument(
        "--ways", type=listed(str), help=f"of teaching; all if not given: {'; '.join(WAYS)}"
    )
    parser.add_argument("--out", type=pathlib.Path, default="runs/early_ranks", help="folder")
    parser.add_argument(
        "--ledger",
        type=pathlib.Path,
        help="of the long trainings; benchmarks/measured/better_block_cifar10.jsonl if not given",
    )
    parser.add_argument("--kept", type=pathlib.Path, help="file; OUT/early.json if not given")
    parser.add_argument("--only_table", action="store_true", help="print what is kept")
    own = parser.parse_args()
    errors = known(Ledger(own.ledger or MEASURED / "better_block_cifar10.jsonl"), own.epochs)
    kept = own.kept or own.out / "early.json"
    done = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for way in () if own.only_table else own.ways or WAYS:
        if missing := [code for code in errors if code not in done.get(way, {})]:
            own.out.mkdir(parents=True, exist_ok=True)
            (fold,) = folds("cifar10", SETTING.side, own.data_dir, own.out, 1)
            found = taught(missing, way, f"npz:{fold.path}", own.out / str(len(done.get(way, {}))))
            done[way] = done.get(way, {}) | found
            kept.write_text(json.dumps(done, indent=1), encoding="utf-8")
    rows = []
    for way, found in done.items():
        accuracies = {code: accuracy for code, (accuracy, _) in found.items()}
        rows.append(row(way, accuracies, errors, statistics.mean(s for _, s in found.values())))
    costs = {}
    # Of the blocks that the other rows are about.
    for code in [code for code in errors if any(code in found for found in done.values())]:
        design = design_of(parse(code, 10_000))
        costs[code] = float(
            flops(
                design_plan(design, matched(design, SETTING.layout(BLOCKS), SETTING.match).layout)
            )
        )
    rows.append(row("FLOPs", costs, errors, 0))
    print(table(["taught by", "Spearman", "blocks", "seconds"], rows))


if __name__ == "__main__":
    main()

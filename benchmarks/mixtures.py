"""Cells of NAS-Bench-201 that DARTS comes to on a processor, judged by the table of the benchmark.

TABLE is the file of accuracies; CIFAR-10 lies in --data_dir. For each seed there are searches of a
small mixture, in first and in second order. That in first order goes on with selection by
perturbation at its end, which changes nothing before it, and measures the eigenvalue in each epoch;
so four cells follow from it: the last one, those at which early stopping would have ended, and the
one that perturbation selects. A third is few-shot: a shorter one in first order that is then split
along the edge into the first node, all parts together being trained for as many epochs as the
others; the cell is that of the part whose mixture is best on the images held out. The table of
results has the accuracy after 200 epochs of each cell beside those of random cells and of cells
with many parameters.

A line for each search is in --ledger, and runs that were cut short go on where they were, so that
the same command continues; --only_table searches nothing. More flags behind TABLE are flags of the
search, such as --supernet_epochs=10.
"""

from __future__ import annotations

import json
import pathlib
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks._arguments import listed, make_parser
from benchmarks._mixture_table import FEW_SHOT, PARAMETERS, in_words, rivals_of, rows_of
from benchmarks.supernets import FINAL
from blockqnn.errors import UserError
from blockqnn.evaluation.table import read_table
from blockqnn.mixture_settings import FIRST, SECOND
from blockqnn.networks.spaces.registry import write
from blockqnn.runs.run_record import read_run

SETTING = (
    "--preset=darts_nasbench201",
    "--resize=16x16",
    "--train_examples=8000",
    "--validation_examples=1000",
    "--filters=8,16,32",
    "--repeats=1",
    "--supernet_epochs=24",
    # As published, the rate times the number of alpha's steps is 5.9.
    "--alpha_rate=0.004",
    "--perturbation_epochs=2",
)
"""Flags of each search: one cell a stage, 62 steps an epoch."""
_SPLIT_EDGE, _PARTS, _SHARE = "1<-0", 5, 8
"""The edge that the authors of few-shot NAS released, its operations, and one in how many epochs of
the others each part has."""


def line_of(run_dir: pathlib.Path, began: float, ended: float, processor: float) -> dict[str, Any]:
    """What the ledger keeps of a search that has ended.

    Args:
        run_dir: of the search.
        began: when, by `time.time`.
        ended: when.
        processor: seconds of a processor, all in all; 0 where they are not known.

    Returns:
        For each epoch the derived code, the mixture's accuracy in percent, the eigenvalue or None,
        and the seconds of processor by its end, which are parted as those of the clock are; and the
        epoch whose cell is the result.
    """
    run = read_run(run_dir)
    each_second = processor / (ended - began)
    return {
        "codes": [write(trial.code) for trial in run.trials],
        "mixture": [round(epoch["accuracy"], 2) for epoch in run.epochs],
        "eigenvalues": [epoch.get("eigenvalue") for epoch in run.epochs],
        "seconds": [
            round((trial.finished - began) * each_second, 1)
            for trial in run.trials
            if trial.finished is not None
        ]
        if processor
        else None,
        "chosen": run.chosen,
    }


def flags_of(order: str, epochs: int) -> list[str]:
    """The flags in which searches of a seed differ.

    Args:
        order: of the gradients, or few-shot.
        epochs: of a mixture that is not split.

    Returns:
        Flags. Whole mixture and parts of a few-shot search have as many epochs together, if these
        are enough for one each.
    """
    if order == FIRST:
        return [f"--bilevel={FIRST}", "--selection=perturbation"]
    if order != FEW_SHOT:
        return [f"--bilevel={order}"]
    each = max(1, epochs // _SHARE)
    return [
        f"--bilevel={FIRST}",
        f"--supernet_epochs={max(1, epochs - _PARTS * each)}",
        f"--split={_SPLIT_EDGE}",
        f"--split_epochs={each}",
    ]


def searched(
    run_dir: pathlib.Path, order: str, seed: int, flags: Sequence[str], data: Sequence[str]
) -> dict[str, Any]:
    """Searches, or goes on with it.

    Args:
        run_dir: of the search.
        order: of its gradients.
        seed: of it.
        flags: of every search.
        data: flags that say where images are.

    Returns:
        The line of the ledger.
    """
    words = [*flags, *data, *flags_of(order, epochs_of(flags)), f"--seed={seed}"]
    # In the process itself, so that its seconds are those of the search.
    words += ["--executor=inline", f"--run_dir={run_dir}"]
    known = not run_dir.exists()
    began, before = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", "blockqnn", "search", *words], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    own = line_of(run_dir, began, time.time(), processor if known else 0.0)
    return {"order": order, "seed": seed, "flags": list(flags), **own}


def epochs_of(flags: Sequence[str]) -> int:
    """Epochs of a mixture by its flags, of which the last one counts."""
    name = "--supernet_epochs="
    return int([flag for flag in flags if flag.startswith(name)][-1].removeprefix(name))


def main() -> None:
    """Searches what is missing, and prints the tables."""
    parser = make_parser("mixtures", __doc__)
    parser.add_argument("table", help="CSV file of accuracies")
    parser.add_argument("--data_dir", default="", help="of CIFAR-10; that of the search if empty")
    parser.add_argument("--seeds", type=listed(int), default="0,1,2", help="of searches")
    parser.add_argument(
        "--orders",
        type=listed(str),
        default=f"{FIRST},{SECOND},{FEW_SHOT}",
        help="of gradients, and few-shot",
    )
    parser.add_argument(
        "--ledger",
        type=pathlib.Path,
        default="benchmarks/measured/mixtures_nasbench201.jsonl",
        help="file of the results, a line for each search",
    )
    parser.add_argument("--out", type=pathlib.Path, default="runs/mixtures", help="folder of runs")
    parser.add_argument("--only_table", action="store_true", help="search nothing")
    own, rest = parser.parse_known_args()
    flags = [*SETTING, *rest]
    data = [f"--data_dir={own.data_dir}"] if own.data_dir else []
    lines = read_ledger(own.ledger)
    if any(line["flags"] != flags for line in lines):
        sys.exit(f"{own.ledger} has searches of other flags; name another --ledger and --out.")
    try:
        truth = read_table(own.table, (FINAL, PARAMETERS))
    except UserError as error:
        sys.exit(str(error))
    known = {(line["order"], line["seed"]) for line in lines}
    for seed in () if own.only_table else own.seeds:
        for order in own.orders:
            if (order, seed) not in known:
                line = searched(own.out / f"{order}-{seed}", order, seed, flags, data)
                own.ledger.parent.mkdir(parents=True, exist_ok=True)
                with own.ledger.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
    rows = rows_of(read_ledger(own.ledger), epochs_of(flags), truth)
    print(in_words(rows, rivals_of(truth)))


def read_ledger(path: pathlib.Path) -> list[dict[str, Any]]:
    """The lines of a ledger; none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()

"""DARTS on CIFAR-10 as published, in pieces: four searches, the choice of a cell, its training.

One command, again and again, until it prints the table of the end:

    until python -m benchmarks.darts_run OUT --data_dir=DIR; do [ $? = 75 ] || break; done

It searches with each seed (50 epochs, batches of 64), trains the cell of each search from nothing
for 100 epochs and judges it by training images that are held out, and trains the best as the paper
does: 600 epochs of 20 cells of 36 filters, then once the test images. `--order=second_order` is the
other order. Each call goes on for --minutes and interrupts what is going on then; one that is
killed at any moment loses one epoch at most. While there is something left, the exit status is 75.

The table has the seconds of all that has ended beside the published GPU-days. More flags are flags
of each search; those of both kinds of training stand in --training, with commas between them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks._arguments import listed, make_parser
from benchmarks._processes import UNFINISHED, piece
from blockqnn.full_training.directory import METRICS, read_result
from blockqnn.listing import number, table
from blockqnn.mixture_settings import FIRST, SECOND
from blockqnn.runs.run_record import read_run
from blockqnn.runs.store import FILE_NAME

PRESETS = {FIRST: "darts", SECOND: "darts_second_order"}
PUBLISHED = {FIRST: (1.5, "3.00 +- 0.14"), SECOND: (4.0, "2.76 +- 0.09")}
"""GPU-days of four searches on a GTX 1080 Ti, and the test error in percent of ten trainings of the
best cell: Liu, Simonyan, Yang, ICLR 2019, table 1."""
SHORT = (
    *("--preset=train_darts_cifar10", "--cells=8", "--filters=16", "--epochs=100"),
    *("--batch_size=64", "--hold_out", "--notest", "--checkpoint_epochs=1"),
)
"""The training by which a cell is chosen: the paper's short one, in the search's network."""
FULL = ("--preset=train_darts_cifar10", "--checkpoint_epochs=1")
_DAY = 86_400.0


@dataclasses.dataclass(frozen=True)
class Step:
    """Something that is done in pieces.

    Attributes:
        name: for the table.
        words: of the command line, the verb first.
        directory: that it fills.
        searches: whether it is a search, not a training.
    """

    name: str
    words: tuple[str, ...]
    directory: pathlib.Path
    searches: bool = False

    def epochs(self) -> list[dict[str, Any]]:
        """What is kept of the epochs that have ended."""
        if self.searches:
            there = (self.directory / FILE_NAME).exists()
            return list(read_run(self.directory).epochs) if there else []
        path = self.directory / METRICS
        if not path.exists():
            return []
        # A line that is being written ends with none.
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left."""
        if self.searches:
            there = (self.directory / FILE_NAME).exists()
            return there and bool(read_run(self.directory).chosen)
        return read_result(self.directory) is not None


def searches(own: argparse.Namespace, flags: Sequence[str]) -> list[Step]:
    """The searches, one for each seed."""
    found = []
    for seed in own.seeds:
        directory = own.out / f"search-{seed}"
        words = ["search", f"--preset={PRESETS[own.order]}", "--finals=off", *flags]
        words += [*_data(own), f"--seed={seed}", f"--run_dir={directory}"]
        found.append(Step(f"search, seed {seed}", tuple(words), directory, searches=True))
    return found


def short_trainings(own: argparse.Namespace) -> list[Step]:
    """The training of each search's cell by which one of them is chosen."""
    found = []
    for seed in own.seeds:
        directory = own.out / f"short-{seed}"
        words = ["train", f"{own.out / f'search-{seed}'}#best", *SHORT, *_data(own), *own.training]
        words += [f"--seed={seed}", f"--out_dir={directory}"]
        found.append(Step(f"short training, seed {seed}", tuple(words), directory))
    return found


def best_seed(own: argparse.Namespace, trained: Sequence[Step]) -> int:
    """The seed whose cell has the best accuracy on what was held out, in the last epoch."""
    accuracies = [float(step.epochs()[-1]["validation_accuracy"]) for step in trained]
    return int(own.seeds[max(range(len(accuracies)), key=lambda place: accuracies[place])])


def full_training(own: argparse.Namespace, seed: int) -> Step:
    """The training of the best cell to the end."""
    directory = own.out / "full"
    words = ["train", f"{own.out / f'search-{seed}'}#best", *FULL, *_data(own), *own.training]
    name = f"training of the cell of seed {seed}"
    return Step(name, (*words, f"--out_dir={directory}"), directory)


def _data(own: argparse.Namespace) -> list[str]:
    return [f"--data_dir={own.data_dir}"] if own.data_dir else []


def in_words(own: argparse.Namespace, steps: Sequence[Step]) -> str:
    """What has ended, with its seconds, and the days of all searches beside those published."""
    rows = []
    for step in steps:
        epochs = step.epochs()
        seconds = sum(float(epoch["seconds"]) for epoch in epochs)
        result = "" if step.searches or not epochs else _judged(step, epochs[-1])
        rows.append([str(len(epochs)), f"{seconds:,.0f}", result, step.name])
    spent = sum(
        float(epoch["seconds"]) for step in steps if step.searches for epoch in step.epochs()
    )
    days, error = PUBLISHED[own.order]
    return (
        f"{table(['epochs', 'seconds', 'judged', 'step'], rows)}\n"
        f"{len(own.seeds)} searches: {spent:,.0f} s, {number(spent / _DAY, 3)} days of this "
        f"device; published for four: {days:g} GPU-days of a GTX 1080 Ti, and {error} % error on "
        "the test images."
    )


def _judged(step: Step, last: dict[str, Any]) -> str:
    result = read_result(step.directory)
    if result is not None and result.get("test"):
        return f"test error {number(float(result['test']['error']))} %"
    if last["validation_accuracy"] is None:
        return ""
    return f"validation {number(float(last['validation_accuracy']))} %"


def main() -> int:
    """Goes on for some minutes, and prints what has ended."""
    parser = make_parser("darts_run", __doc__)
    parser.add_argument("out", type=pathlib.Path, metavar="OUT", help="folder of all runs")
    parser.add_argument("--minutes", type=float, default=9.0, help="of this call, about")
    parser.add_argument("--order", choices=list(PRESETS), default=FIRST, help="of gradients")
    parser.add_argument("--seeds", type=listed(int), default="0,1,2,3", help="of searches")
    parser.add_argument("--data_dir", default="", help="of CIFAR-10; that of a search if empty")
    parser.add_argument(
        "--training", type=listed(str), default=(), help="more flags of the trainings"
    )
    own, flags = parser.parse_known_args()
    ends = time.monotonic() + 60 * own.minutes
    first, second = searches(own, flags), short_trainings(own)
    steps = [*first, *second]
    while True:
        missing = next((step for step in steps if not step.finished), None)
        if missing is None and len(steps) == len(first) + len(second):
            steps.append(full_training(own, best_seed(own, second)))
            continue
        if missing is None:
            print(f"\n{in_words(own, steps)}")
            return 0
        before = len(missing.epochs())
        status = piece(["blockqnn", *missing.words], ends)
        if status == UNFINISHED or (status == 0 and time.monotonic() >= ends):
            break
        if status:
            return abs(status)
    print(f"\n{in_words(own, steps)}")
    if status == UNFINISHED and len(missing.epochs()) == before:
        print(
            f"No epoch of {missing.name} ended in this call. If it is not the first, which also "
            "compiles, give more --minutes."
        )
    print("The time is up, and something is left: the same command goes on.")
    return UNFINISHED


if __name__ == "__main__":
    sys.exit(main())

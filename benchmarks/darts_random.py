"""Cells that DARTS found against random cells of its space, trained equally to the end.

For each seed one search by gradient. Its best cell, the winner of its finals where there are any,
and as many random cells as --random says are trained by one recipe in the search's layout, in
turns, and measured on test images that no search has seen. `--setting=digits` are the 8x8 digits,
`--setting=cifar10` is CIFAR-10 averaged to 16x16 pixels, from --data_dir.

Searches go on where they were and trainings are lines of --ledger, so that the same command
continues; --only_table makes the table of what is there. More flags are flags of the searches, such
as --supernet_epochs=4; those of trainings stand in --training, with commas between them.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys

from benchmarks._arguments import listed, make_parser
from benchmarks._better_block_data import folds
from benchmarks.enas_random import compared, in_words
from blockqnn.__main__ import main as blockqnn_main

DIGITS, CIFAR10 = "digits", "cifar10"
SIDE = 16
"""Height and width of CIFAR-10's images here, in pixels."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is searched, and how cells are trained.

    Attributes:
        search: flags of every search.
        training: flags of every training.
    """

    search: tuple[str, ...]
    training: tuple[str, ...]


SETTINGS = {
    DIGITS: Setting(("--preset=darts_digits",), ("--preset=train_digits",)),
    CIFAR10: Setting(
        (
            "--preset=darts",
            *("--filters=8,16,32", "--cells=4", "--train_examples=10000"),
            *("--validation_examples=2000", "--supernet_epochs=12"),
            # As published, the rate times the number of alpha's steps is 5.9.
            *("--alpha_rate=0.006", "--eigenvalue_every=0"),
            *("--optimiser=adam", "--learning_rate=0.003", "--finals=4:3"),
        ),
        ("--preset=train_cifar10_cpu", "--crop_padding=2", "--epochs=15"),
    ),
}
"""Of CIFAR-10 what two cores can do in a night."""


def main() -> None:
    """Searches and trains what is missing, and prints the table."""
    parser = make_parser("darts_random", __doc__)
    parser.add_argument("--setting", choices=list(SETTINGS), default=DIGITS, help="see above")
    parser.add_argument("--data_dir", default="", help="of CIFAR-10; that of a search if empty")
    parser.add_argument("--seeds", type=listed(int), default="0,1,2", help="of searches")
    parser.add_argument("--random", type=int, default=4, help="random cells for each search")
    parser.add_argument(
        "--training", type=listed(str), default=(), help="more flags of the trainings"
    )
    parser.add_argument(
        "--ledger",
        type=pathlib.Path,
        help="file of the results, a line for each training; that of the setting in "
        "benchmarks/measured if empty",
    )
    parser.add_argument(
        "--out", type=pathlib.Path, default="runs/darts_random", help="folder of all runs"
    )
    parser.add_argument("--only_table", action="store_true", help="search and train nothing")
    own, rest = parser.parse_known_args()
    ledger = own.ledger or pathlib.Path(f"benchmarks/measured/darts_random_{own.setting}.jsonl")
    if own.only_table:
        if not ledger.exists():
            sys.exit(f"There is no ledger {ledger} yet.")
        lines = [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]
        print(in_words(lines))
        return
    setting, data = SETTINGS[own.setting], list[str]()
    if own.setting == CIFAR10:
        own.out.mkdir(parents=True, exist_ok=True)
        (fold,) = folds(CIFAR10, SIDE, own.data_dir, own.out, 1)
        data = [f"--dataset=npz:{fold.path}"]
    runs = []
    for seed in own.seeds:
        runs.append(own.out / f"{own.setting}-{seed}")
        words = [*setting.search, *data, *rest, f"--seed={seed}", f"--run_dir={runs[-1]}"]
        if status := blockqnn_main(["search", *words]):
            sys.exit(status)
    training = [*setting.training, *data, *own.training]
    print(in_words(compared(runs, own.random, ledger, own.out / "trained", training)))


if __name__ == "__main__":
    main()

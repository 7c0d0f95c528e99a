"""A run with shared weights in pieces, from nothing to Kendall's tau beside what was published.

One command, again and again, until it prints the table:

    python -m benchmarks.supernet_run RUN_DIR TABLE --preset=few_shot_nasbench201 --data_dir=DIR

Each call goes on for --minutes: with the search, whose flags stand behind TABLE, and when that
has ended with scores of its cells by every bank of the run (`benchmarks.supernets`). A call that is
killed at any moment loses one epoch at most. While there is something left, the exit status is 75.
"""

from __future__ import annotations

import json
import pathlib
import sys
import time

from benchmarks._arguments import listed, make_parser
from benchmarks._processes import UNFINISHED, piece
from benchmarks.supernets import FINAL, opened, read_scores, scored, show
from blockqnn.listing import table
from blockqnn.supernet_settings import OF_BATCH, RECALIBRATED

PUBLISHED = (
    ("0.485", "0.551", "few-shot NAS, the authors' released scores of all cells"),
    ("0.502", "0.606", "the same, as the authors state of another training"),
)
"""Tau with the accuracy on CIFAR-10 after 200 epochs, of one supernet and of five: Zhao et al.,
"Few-shot Neural Architecture Search", ICML 2021, and its published code."""


def main() -> int:
    """Goes on for some minutes; prints the tables when nothing is left."""
    parser = make_parser("supernet_run", __doc__)
    parser.add_argument("run_dir", type=pathlib.Path, help="of the run")
    parser.add_argument("table", help="CSV file of accuracies")
    parser.add_argument("--minutes", type=float, default=9.0, help="of this call, about")
    parser.add_argument("--column", default=FINAL, help="of the table, the truth")
    parser.add_argument(
        "--statistics", type=listed(str), default=f"{RECALIBRATED},{OF_BATCH}", help="of batch norm"
    )
    own, flags = parser.parse_known_args()
    ends = time.monotonic() + 60 * own.minutes
    status = piece(["blockqnn", "search", *flags, f"--run_dir={own.run_dir}"], ends)
    if status not in (0, UNFINISHED):
        return abs(status)
    own.out, own.cells = own.run_dir / "scores.json", 0
    if status == 0:
        settings, run, codes = opened(own.run_dir, own.cells)
        if scored(own, settings, run, codes, ends):
            found = read_scores(json.loads(own.out.read_text(encoding="utf-8")))
            show(own, found, settings.layout)
            print("\nPublished, tau of one supernet and of five:")
            print(table(["one", "five", "of"], [list(row) for row in PUBLISHED]))
            return 0
    print("\nThe time is up, and something is left: the same command goes on.")
    return UNFINISHED


if __name__ == "__main__":
    sys.exit(main())

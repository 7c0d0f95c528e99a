"""Cells that searches found against random cells of the same space, trained equally to the end.

Each RUN_DIR is a search, such as `search --preset=enas_digits --seed=0`. Its best cell (the winner
of its finals, or else the highest score) and as many random cells as --random says, drawn
uniformly with the run's place as seed, are trained by the preset --recipe in the run's layout, in
turns; the table has their test errors. Trainings are kept, and lines of them in --ledger, so that
the same command goes on.

Figures: the mean error of the found cells, that of the random ones, the mean over runs of their
difference, paired by run, with its standard error, and how many of the random cells are better
than the found one of their run.
"""

from __future__ import annotations

import json
import math
import pathlib
import statistics
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks._arguments import make_parser
from blockqnn.__main__ import main as blockqnn_main
from blockqnn.full_training.directory import read_result
from blockqnn.listing import number, table
from blockqnn.networks.cost import parameters
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import design_of, design_plan, write
from blockqnn.runs.run_record import read_run
from blockqnn.supernets.sampling import uniform_path

FOUND, RANDOM = "found", "random"


def layout_flags(layout: Layout) -> list[str]:
    """The flags by which `train` stacks a code as a run does."""
    flags = [
        f"--layout={layout.kind}",
        f"--filters={','.join(map(str, layout.filters))}",
        f"--repeats={layout.repeats}",
    ]
    flags += [f"--cells={layout.cells}"] if layout.cells else []
    return [*flags, f"--cell_rules={layout.rules}"] if layout.rules else flags


def cells_of(run_dir: pathlib.Path, place: int, count: int) -> list[tuple[str, Code]]:
    """The best cell of a run, and random ones of its space.

    Args:
        run_dir: of the search.
        place: of the run among all, by which random cells are drawn.
        count: of random cells.

    Returns:
        Pairs of a kind and a code.
    """
    run = read_run(run_dir)
    (best,) = run.best(1)
    random = np.random.default_rng([1, place])
    drawn = [uniform_path(run.space, {}, random) for _ in range(count)]
    return [(FOUND, best.code), *((RANDOM, code) for code in drawn)]


def error_of(
    code: Code, layout: Layout, directory: pathlib.Path, flags: Sequence[str]
) -> tuple[float, float]:
    """Trains a cell unless that was done: its test error in percent, and seconds."""
    words = [write(code), *layout_flags(layout), *flags, f"--out_dir={directory}"]
    if status := blockqnn_main(["train", *words]):
        sys.exit(status)
    result = read_result(directory)
    assert result is not None
    return float(result["test"]["error"]), float(result["seconds"])


def summary(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the ledger comes to.

    Args:
        lines: each with `run`, `kind` and the test `error` in percent.

    Returns:
        `found` and `random`, the mean errors; `difference`, the mean over runs of that of the
        found cell less that of the random ones of its run, and `error`, its standard error, None
        for one run; `better`, how many random cells have a smaller error than the found one of
        their run, of `drawn`.
    """
    differences, better, drawn = [], 0, 0
    for run in dict.fromkeys(line["run"] for line in lines):
        own = [line for line in lines if line["run"] == run]
        found = [line["error"] for line in own if line["kind"] == FOUND]
        others = [line["error"] for line in own if line["kind"] == RANDOM]
        if found and others:
            differences.append(statistics.fmean(found) - statistics.fmean(others))
            better += sum(other < statistics.fmean(found) for other in others)
            drawn += len(others)
    spread = None
    if len(differences) > 1:
        spread = statistics.stdev(differences) / math.sqrt(len(differences))
    means = {
        kind: statistics.fmean(line["error"] for line in lines if line["kind"] == kind)
        for kind in (FOUND, RANDOM)
    }
    return {
        **means,
        "difference": statistics.fmean(differences),
        "error": spread,
        "better": better,
        "drawn": drawn,
    }


def compared(
    runs: Sequence[pathlib.Path],
    count: int,
    ledger: pathlib.Path,
    out: pathlib.Path,
    flags: Sequence[str],
) -> list[dict[str, Any]]:
    """Trains the best cell of each run and random ones, as far as the ledger does not have them.

    Args:
        runs: searches, a seed each.
        count: of random cells for each.
        ledger: file that gets a line for each training.
        out: folder of the trainings.
        flags: of each training.

    Returns:
        The lines of the ledger.
    """
    lines: list[dict[str, Any]] = []
    if ledger.exists():
        lines = [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]
    known = {(line["run"], line["place"]) for line in lines}
    cells = [cells_of(run, place, count) for place, run in enumerate(runs)]
    # The runs take turns, so that a table of all of them is there early.
    for at in range(1 + count):
        for place, run in enumerate(runs):
            if (run.name, at) in known:
                continue
            kind, code = cells[place][at]
            layout = read_run(run).layout
            own = [*flags, f"--seed={place}"]
            error, seconds = error_of(code, layout, out / f"{run.name}-{at}", own)
            line = {
                "run": run.name,
                "place": at,
                "kind": kind,
                "error": error,
                "seconds": round(seconds, 1),
                "parameters": parameters(design_plan(design_of(code), layout)),
                "code": write(code),
            }
            lines.append(line)
            ledger.parent.mkdir(parents=True, exist_ok=True)
            with ledger.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
    return lines


def in_words(lines: Sequence[dict[str, Any]]) -> str:
    """The table of all trainings, and what they come to."""
    rows = [
        [number(each["error"]), f"{each['parameters']:,}", each["kind"], each["run"]]
        for each in sorted(lines, key=lambda line: (line["run"], line["place"]))
    ]
    found = summary(lines)
    spread = "" if found["error"] is None else f" +- {found['error']:.2f}"
    return (
        f"{table(['test error %', 'parameters', 'cell', 'run'], rows)}\n"
        f"found {found[FOUND]:.2f} %, random {found[RANDOM]:.2f} %, difference "
        f"{found['difference']:+.2f}{spread} (standard error over runs); {found['better']} of "
        f"{found['drawn']} random cells are better than the found one of their run"
    )


def main() -> None:
    """Trains what is missing, and prints the tables."""
    parser = make_parser("enas_random", __doc__)
    parser.add_argument(
        "runs", metavar="RUN_DIR", nargs="+", type=pathlib.Path, help="searches, a seed each"
    )
    parser.add_argument("--random", type=int, default=4, help="random cells for each run")
    parser.add_argument("--recipe", default="train_digits", help="preset of train")
    parser.add_argument(
        "--ledger",
        type=pathlib.Path,
        default="benchmarks/measured/enas_random_digits.jsonl",
        help="file of the results, a line for each training",
    )
    parser.add_argument(
        "--out", type=pathlib.Path, default="runs/enas_random", help="folder of the trainings"
    )
    own, rest = parser.parse_known_args()
    flags = [f"--preset={own.recipe}", *rest]
    print(in_words(compared(own.runs, own.random, own.ledger, own.out, flags)))


if __name__ == "__main__":
    main()

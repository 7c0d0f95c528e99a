"""Rows of the papers for a GPU, each by one command, in pieces that go on.

    until python -m benchmarks.paper_rows ROW --data_dir=DIR; do [ $? = 75 ] || break; done

Each call works for --minutes, nine if nothing is said, and goes on where the last one ended, which
may have been killed; while something is left, the exit status is 75. At its end a row has its
figure, its seconds, its card, and beside them what was published. `--rows` lists the rows. What
follows ROW and is no flag of this program is a flag of the row's first step, so that a row can be
tried small (`--epochs=1`, or `--of_step=1 --epochs=1` for its second step).
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks._arguments import make_parser
from benchmarks._processes import UNFINISHED, piece
from benchmarks.supernet_run import PUBLISHED
from blockqnn.full_training.directory import read_result
from blockqnn.listing import duration, table

LEDGER = "ledger.jsonl"
Figure = Callable[[pathlib.Path], str]


@dataclasses.dataclass(frozen=True)
class Step:
    """A command of a row.

    Attributes:
        words: of the module, in which OUT is the row's folder, DATA stands for where images are
            and TABLE for a file of accuracies.
        keeps: file in OUT that is there when the step has ended; empty where its status says so.
    """

    words: tuple[str, ...]
    keeps: str = ""


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a paper.

    Attributes:
        title: what it is.
        steps: commands, one after the other.
        published: its figure there.
        figure: what came of it here, read from its folder.
    """

    title: str
    steps: tuple[Step, ...]
    published: str
    figure: Figure


def test_error(out: pathlib.Path) -> str:
    """The error of a training on the test images."""
    result = read_result(out / "trained")
    return "-" if result is None else f"{result['test']['error']:.2f} % test error"


def printed(out: pathlib.Path) -> str:
    """Of a step that prints its figures itself."""
    return "printed above" if (out / "run" / "scores.json").exists() else "-"


def _train(*words: str) -> Step:
    return Step(
        ("blockqnn", "train", *words, "--data_dir=DATA", "--out_dir=OUT/trained"),
        "trained/result.json",
    )


def _search(preset: str, *words: str) -> Step:
    return Step(
        ("blockqnn", "search", f"--preset={preset}", "--data_dir=DATA", "--run_dir=OUT/run", *words)
    )


ROWS: Mapping[str, Row] = {
    "block_qnn_s": Row(
        "Block-QNN-S, N = 2, CIFAR-10, the paper's training",
        (_train("block-qnn-s", "--preset=train_cifar10"),),
        "4.38 % (Zhong et al., CVPR 2018, table 3)",
        test_error,
    ),
    "enas_micro": Row(
        "ENAS, two cells on CIFAR-10: search, then the training of the best",
        (
            _search("enas_micro"),
            _train("OUT/run#best", "--preset=train_enas_cifar10", "--cutout=16"),
        ),
        "2.89 % with cutout, 0.45 GPU-days of search (Pham et al., ICML 2018)",
        test_error,
    ),
    "enas_micro_cell": Row(
        "ENAS's published cell, the same training without a search",
        (_train("enas-micro", "--preset=train_enas_cifar10", "--cutout=16"),),
        "2.89 % with cutout",
        test_error,
    ),
    "nasbench201_supernet": Row(
        "NAS-Bench-201, one supernet and five at full size: Kendall's tau",
        (
            Step(
                (
                    *("benchmarks.supernet_run", "OUT/run", "TABLE", "--minutes=LEFT"),
                    *("--preset=few_shot_nasbench201", "--data_dir=DATA"),
                ),
            ),
        ),
        "; ".join(f"{one} and {five} ({of})" for one, five, of in PUBLISHED),
        printed,
    ),
}
"""By name; a new one is an entry here."""


def filled(words: Sequence[str], own: Any, out: pathlib.Path, left: float) -> list[str]:
    """The words of a step with what stands for them."""
    found = []
    for word in words:
        for mark, text in (
            ("OUT", str(out)),
            ("DATA", own.data_dir),
            ("TABLE", own.table),
            ("LEFT", f"{left:.3f}"),
        ):
            word = word.replace(mark, text)
        if word != "--data_dir=":
            found.append(word)
    return found


def card() -> str:
    """The device in words, without starting it in this process: what the system says."""
    gpus = sorted(pathlib.Path("/proc/driver/nvidia/gpus").glob("*/information"))
    for path in gpus:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("Model:"):
                return line.partition(":")[2].strip()
    from blockqnn.networks.processor import processor_name

    return processor_name()


def spent(out: pathlib.Path) -> list[dict[str, Any]]:
    """What the calls of a row have taken, from its ledger."""
    path = out / LEDGER
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def go_on(name: str, own: Any, more: Sequence[str]) -> int:
    """Goes on with a row for some minutes.

    Args:
        name: of the row.
        own: arguments of the program.
        more: flags of the step `own.of_step`.

    Returns:
        The exit status of the step that did not end, else 0.
    """
    row, out, ends = ROWS[name], own.out / name, time.monotonic() + 60 * own.minutes
    out.mkdir(parents=True, exist_ok=True)
    done = {each["step"] for each in spent(out) if each["ended"]}
    for number, step in enumerate(row.steps):
        if number in done:
            continue
        left = (ends - time.monotonic()) / 60
        words = filled(step.words, own, out, left) + (list(more) if number == own.of_step else [])
        begun = time.time()
        status = piece(words, ends)
        ended = status == 0 and (not step.keeps or (out / step.keeps).exists())
        line = {"step": number, "seconds": round(time.time() - begun, 1), "card": card()}
        with (out / LEDGER).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | {"ended": ended}) + "\n")
        if not ended:
            return status or UNFINISHED
    return 0


def main() -> int:
    """Goes on with a row; prints its line when nothing is left."""
    parser = make_parser("paper_rows", __doc__)
    parser.add_argument("row", nargs="?", choices=ROWS, help="of a paper")
    parser.add_argument("--rows", action="store_true", help="list the rows, and what is published")
    parser.add_argument("--minutes", type=float, default=9.0, help="of this call, about")
    parser.add_argument("--data_dir", default="", help="where images are")
    parser.add_argument("--table", default="nasbench201.csv.gz", help="file of accuracies")
    parser.add_argument("--out", type=pathlib.Path, default="runs/paper_rows", help="folder")
    parser.add_argument("--of_step", type=int, default=0, help="which more flags are for, from 0")
    own, more = parser.parse_known_args()
    if own.rows or own.row is None:
        lines = [[name, row.published, row.title] for name, row in ROWS.items()]
        print(table(["row", "published", "what"], lines))
        return 0
    status = go_on(own.row, own, more)
    if status == UNFINISHED:
        print("\nThe time is up, and something is left: the same command goes on.")
    if status:
        return status
    out, row = own.out / own.row, ROWS[own.row]
    pieces = spent(out)
    cards = ", ".join(dict.fromkeys(each["card"] for each in pieces))
    seconds = duration(sum(each["seconds"] for each in pieces))
    print(f"\n{row.title}")
    print(
        table(
            ["here", "published", "seconds", "calls", "card"],
            [[row.figure(out), row.published, seconds, str(len(pieces)), cards]],
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

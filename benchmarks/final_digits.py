"""The best block of a search on the digits, trained to the end, against published blocks.

Trains the run's best block in the run's layout, and each published block in a
layout of as many stages and blocks whose filters make its parameters nearly
equal, all by the preset `train_digits` on the 1,500 training images, with seeds
0, 1, ...; prints the error on the 297 test images, mean and standard deviation
over the seeds. `modern` is the recipe of the preset `train_modern`, for images
of 8x8 pixels. Further flags go to every training. Trainings that exist are not
repeated.
"""

from __future__ import annotations

import dataclasses
import pathlib
import statistics
import sys
from collections.abc import Iterator
from typing import Any

from benchmarks._arguments import listed, make_parser
from blockqnn.__main__ import main as blockqnn_main
from blockqnn.full_training.directory import read_result
from blockqnn.inspection.block_reference import resolve
from blockqnn.listing import table
from blockqnn.networks.cost import parameters
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import MAX_LAYERS, Code, Design
from blockqnn.networks.spaces.registry import design_of, design_plan, write

RECIPES = {
    "paper": [],
    "modern": [
        "--schedule=cosine",
        "--warmup_epochs=2",
        "--nesterov",
        "--nodecay_norm",
        "--label_smoothing=0.1",
        "--cutout=3",
        "--drop_path=0.1",
        "--ema_decay=0.99",
        "--bfloat16",
    ],
}
MOST_FILTERS = 256


@dataclasses.dataclass(frozen=True)
class Contender:
    """A block and the layout that it is trained in."""

    name: str
    code: Code
    layout: Layout

    @property
    def parameters(self) -> int:
        """Trained numbers of its network."""
        return parameters(design_plan(design_of(self.code), self.layout))


def contenders(run_dir: str, published: list[str]) -> Iterator[Contender]:
    """The best block of a run, and others of its size."""
    best = resolve(f"{run_dir}#best", MAX_LAYERS)
    assert best.layout is not None
    first = Contender("best of the search", best.code, best.layout)
    yield first
    for name in published:
        code = resolve(name, MAX_LAYERS).code
        layout = same_size(design_of(code), best.layout, first.parameters)
        yield Contender(name, code, layout)


def same_size(block: Design, layout: Layout, wanted: int) -> Layout:
    """The layout with filters that double from stage to stage, or nearly, nearest in parameters."""

    def with_filters(first: int, more: int) -> Layout:
        rest = tuple((first << stage) + more for stage in range(1, len(layout.filters)))
        return dataclasses.replace(layout, filters=(first, *rest))

    choices = [with_filters(f, more) for f in range(2, MOST_FILTERS) for more in (-1, 0, 1)]
    return min(choices, key=lambda choice: abs(parameters(design_plan(block, choice)) - wanted))


def trained(contender: Contender, flags: list[str], directory: pathlib.Path) -> dict[str, Any]:
    """Trains a contender, unless that was done, and returns its result."""
    words = [
        write(contender.code),
        f"--filters={','.join(map(str, contender.layout.filters))}",
        f"--repeats={contender.layout.repeats}",
        f"--out_dir={directory}",
        *flags,
    ]
    status = blockqnn_main(["train", *words])
    if status:
        sys.exit(status)
    result = read_result(directory)
    assert result is not None
    return result


def main() -> None:
    """Trains all contenders by all recipes and prints the table."""
    parser = make_parser("final_digits", __doc__)
    parser.add_argument("run_dir", metavar="RUN_DIR", help="a search on the digits")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each block")
    parser.add_argument(
        "--blocks",
        type=listed(str),
        default="residual,inception",
        help="published ones to compare with, with commas between them",
    )
    parser.add_argument(
        "--recipes",
        type=listed(str),
        default="paper,modern",
        help=f"of {', '.join(RECIPES)}, with commas between them",
    )
    parser.add_argument(
        "--out", type=pathlib.Path, default="runs/final_digits", help="folder of the trainings"
    )
    own, rest = parser.parse_known_args()
    rows = []
    found = list(contenders(own.run_dir, own.blocks))
    for recipe in own.recipes:
        errors: dict[str, list[float]] = {each.name: [] for each in found}
        seconds = dict.fromkeys(errors, 0.0)
        for seed in range(own.seeds):
            # The blocks take turns, so that a machine that slows down slows all.
            for each in found:
                directory = own.out / f"{recipe}-{each.name.split()[0]}-{seed}"
                flags = [*RECIPES[recipe], f"--seed={seed}", *rest]
                result = trained(each, flags, directory)
                errors[each.name].append(result["test"]["error"])
                seconds[each.name] += result["seconds"]
        for each in found:
            values = errors[each.name]
            spread = f"{statistics.stdev(values):.2f}" if len(values) > 1 else "-"
            rows.append(
                [
                    f"{statistics.mean(values):.2f} +- {spread}",
                    " ".join(f"{value:.2f}" for value in values),
                    f"{each.parameters:,}",
                    ",".join(map(str, each.layout.filters)),
                    f"{seconds[each.name] / len(values):.0f}",
                    recipe,
                    each.name,
                ]
            )
    header = ["test error %", "of each seed", "parameters", "filters", "seconds", "recipe", "block"]
    print()
    print(table(header, rows))


if __name__ == "__main__":
    main()

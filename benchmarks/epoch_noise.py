"""How much the accuracy of a child moves from one epoch to the next, and from seed to seed.

Blocks of one number of parameters are trained on a part of CIFAR-10 at 16x16 pixels, as
finals train them; printed is each one's accuracy after every epoch, and the mean and
standard deviation over the last half. What is decided by a last epoch is decided by
this noise where blocks differ by less.
"""

from __future__ import annotations

import pathlib
import statistics
import sys

from benchmarks._arguments import listed, make_parser
from benchmarks._better_block_data import folds
from benchmarks._better_block_settings import BLOCKS, PICKED, SETTINGS
from blockqnn.listing import table
from blockqnn.networks.sizing import matched
from blockqnn.networks.spaces.registry import design_of, design_plan, parse
from blockqnn.settings import DataSettings, Recipe
from blockqnn.workers.allocation import keep_memory

SETTING = SETTINGS["cifar10"]


def accuracies(code: str, data: DataSettings, epochs: int, seed: int) -> list[float]:
    """The validation accuracy after each epoch, in percent.

    Args:
        code: of the block.
        data: what it is trained and judged on.
        epochs: passes over the training part.
        seed: of the weights and the order of images.

    Returns:
        As many as there are epochs.
    """
    from blockqnn.children.training import compile_child, on_device, train_compiled
    from blockqnn.data.datasets import load_search_parts

    parts = on_device(*load_search_parts(data))
    design = design_of(parse(code))
    layout = matched(design, SETTING.layout(BLOCKS), SETTING.match).layout
    # A search's recipe, its schedule drawn out as finals do.
    recipe = Recipe(epochs=3, batch_size=64).drawn_out(epochs)
    child = compile_child(design_plan(design, layout), recipe, *parts)
    return train_compiled(child, recipe, *parts, seed).accuracies


def main() -> None:
    """Trains every block with every seed and prints the table."""
    parser = make_parser("epoch_noise", __doc__)
    parser.add_argument("--data_dir", default="", help="where CIFAR-10 is prepared")
    parser.add_argument(
        "--blocks", default="residual;two 3x3", help="picked names or codes, ; between them"
    )
    parser.add_argument("--images", type=int, default=10_000, help="to train on")
    parser.add_argument("--epochs", type=int, default=12, help="of a training")
    parser.add_argument("--seeds", type=listed(int), default=[0, 1], help="of weights and order")
    parser.add_argument("--out", type=pathlib.Path, default="runs/epoch_noise", help="folder")
    own = parser.parse_args()
    keep_memory()
    own.out.mkdir(parents=True, exist_ok=True)
    (fold,) = folds("cifar10", SETTING.side, own.data_dir, own.out, 1)
    data = DataSettings(f"npz:{fold.path}", train_examples=own.images, validation_examples=4_000)
    rows = []
    for name in own.blocks.split(";"):
        for seed in own.seeds:
            found = accuracies(PICKED.get(name, name), data, own.epochs, seed)
            last = found[len(found) // 2 :]
            spread = statistics.stdev(last) if len(last) > 1 else 0.0
            rows.append(
                [
                    f"{statistics.mean(last):.2f} +- {spread:.2f}",
                    str(seed),
                    " ".join(f"{each:.1f}" for each in found),
                    name,
                ]
            )
            print(f"{name}, seed {seed}: {rows[-1][2]}", file=sys.stderr, flush=True)
    print(table(["last half %", "seed", "after each epoch %", "block"], rows))


if __name__ == "__main__":
    main()

"""What a step costs whose weights come from a bank: beside a lone child's, alternately.

Random cells of NAS-Bench-201 are trained for some steps as children of their own and as paths
through one bank, by turns; the table has milliseconds of the median step and the median ratio.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np

from benchmarks._arguments import listed, make_parser
from blockqnn.listing import number, table
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, design_plan, space_named
from blockqnn.settings import Recipe


def measured(side: int, cells: int, steps: int, batch_size: int) -> tuple[float, float, float]:
    """Milliseconds of a lone child's step and of a bank's, and the median ratio."""
    import jax

    from blockqnn.children.layer_by_layer import LayerByLayer
    from blockqnn.children.training import on_device
    from blockqnn.data.images import Images
    from blockqnn.networks.initial import initial_parameters, initial_statistics
    from blockqnn.searching.supernet_paths import uniform_path
    from blockqnn.supernet_settings import ADAM, SupernetSettings
    from blockqnn.supernets.bank import Bank, compiled_for
    from blockqnn.supernets.paths import Paths, train

    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (4 * batch_size, side, side, 3), np.uint8)
    part = on_device(*[Images(pixels, np.arange(len(pixels)) % 10)] * 2)[0]
    space = space_named("nasbench201")
    layout = Layout("nasbench201", (16, 32, 64), 1, side, side)
    settings = SupernetSettings(optimiser=ADAM, batch_size=batch_size)
    bank = Bank(compiled_for(settings), 0)
    paths = Paths(layout, bank, batch_size, part)
    order = np.arange(steps * batch_size, dtype=np.int32).reshape(steps, -1) % len(pixels)
    lone, shared = [], []
    for _ in range(cells):
        code = uniform_path(space, {}, random)
        plan = design_plan(design_of(code), layout)
        child = LayerByLayer(plan, Recipe(batch_size=batch_size), batch_size)
        child.compile(part, part, steps)
        child.start(initial_parameters(plan, 0), initial_statistics(plan))
        path = paths.path(design_of(code))
        rates = np.full(steps, 1e-3)
        for turn in range(2):
            begun = time.perf_counter()
            child.train_epoch(part, order, 1e-3)
            between = time.perf_counter()
            # Planning and looking programs up are a part of a bank's step.
            made = [paths.path(design_of(code)) for _ in range(steps)]
            train(bank, made, part, order, rates, 0.0)
            jax.block_until_ready(bank.weights(path.plan, path.chain.all_steps)[-1].parameters)
            if turn:
                lone.append((between - begun) / steps)
                shared.append((time.perf_counter() - between) / steps)
    ratios = [own / alone for own, alone in zip(shared, lone, strict=True)]
    return 1e3 * statistics.median(lone), 1e3 * statistics.median(shared), statistics.median(ratios)


def main() -> None:
    """Measures, and prints a table."""
    parser = make_parser("bank_step", __doc__)
    parser.add_argument("--sides", type=listed(int), default="8,16,32", help="of images, pixels")
    parser.add_argument("--cells", type=int, default=15, help="random ones")
    parser.add_argument("--steps", type=int, default=10, help="of each, by turns")
    parser.add_argument("--batch_size", type=int, default=64, help="images in a step")
    own = parser.parse_args()
    rows = []
    for side in own.sides:
        lone, shared, ratio = measured(side, own.cells, own.steps, own.batch_size)
        rows.append([f"{side}x{side}", number(lone, 1), number(shared, 1), number(ratio)])
    print(table(["images", "lone child, ms", "path of a bank, ms", "ratio"], rows))


if __name__ == "__main__":
    sys.exit(main())

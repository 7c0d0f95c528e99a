"""What a step of a mixture of DARTS's operations costs beside PyTorch's: one cell of 14 edges.

Both train the same search network of one normal cell, alpha included, in processes of their own
that take turns, each with all cores. The table has milliseconds of a step, the median of the turns,
the median ratio, and that of the fastest turns, which suffer least from what else runs.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

import numpy as np

from benchmarks._arguments import listed, make_parser
from blockqnn.data.images import Images
from blockqnn.listing import number, table
from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.registry import space_named
from blockqnn.settings import Recipe

_JAX, _TORCH = "jax", "torch"


def _network(side: int, filters: int, batch_size: int) -> tuple[Plan, Images]:
    layout = Layout("cells", (filters,), 1, side, side, 3, 10, cells=1, unscaled=True)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (4 * batch_size, side, side, 3), np.uint8)
    images = Images(pixels, np.arange(len(pixels), dtype=np.int32) % 10)
    return space_named("darts").mixture_plan(layout), images


def _answer(framework: str, side: int, filters: int, batch_size: int, steps: int) -> None:
    """Answers each line of standard input with the milliseconds of a step."""
    plan, images = _network(side, filters, batch_size)
    order = np.arange(steps * batch_size, dtype=np.int32).reshape(steps, -1) % len(images)
    if framework == _TORCH:
        from blockqnn.bench.torch_child import TorchChild

        child = TorchChild(plan, Recipe(batch_size=batch_size), images)

        def run() -> None:
            child.train_epoch(order)
    else:
        from blockqnn.children.optimiser import Compiled
        from blockqnn.children.training import on_device
        from blockqnn.mixture_settings import JOINT, MixtureSettings
        from blockqnn.supernets.alpha import first_alpha
        from blockqnn.supernets.bank import Bank
        from blockqnn.supernets.mixture_chain import MixtureChain

        part = on_device(images, images)[0]
        settings = MixtureSettings(bilevel=JOINT)
        mixture = MixtureChain(plan, Bank(Compiled(), 0), settings, batch_size, 0.0, part)
        alpha = first_alpha(space_named("darts").mixture_rows(), 1e-3, 0)

        def run() -> None:
            mixture.train(part, order, order, 1e-3, alpha, True)

    run()
    print("ready", flush=True)
    for _ in sys.stdin:
        begun = time.perf_counter()
        run()
        print(json.dumps(1e3 * (time.perf_counter() - begun) / steps), flush=True)


def main() -> None:
    """Measures, and prints a table."""
    parser = make_parser("mixed_edge", __doc__)
    parser.add_argument("--sides", type=listed(int), default="8,16", help="of images, pixels")
    parser.add_argument("--filters", type=int, default=8, help="channels of each edge")
    parser.add_argument("--turns", type=int, default=5, help="of each framework")
    parser.add_argument("--steps", type=int, default=4, help="of a turn")
    parser.add_argument("--batch_size", type=int, default=64, help="images in a step")
    parser.add_argument("--answer", default="", help="for the processes that this one starts")
    own = parser.parse_args()
    if own.answer:
        _answer(own.answer, own.sides[0], own.filters, own.batch_size, own.steps)
        return
    rows = []
    for side in own.sides:
        given = [f"--sides={side}", f"--filters={own.filters}", f"--batch_size={own.batch_size}"]
        command = [sys.executable, "-m", "benchmarks.mixed_edge", *given, f"--steps={own.steps}"]
        found: dict[str, list[float]] = {_JAX: [], _TORCH: []}
        processes = {
            framework: subprocess.Popen(
                [*command, f"--answer={framework}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
            for framework in found
        }
        for process in processes.values():
            assert process.stdout is not None
            process.stdout.readline()
        for _ in range(own.turns):
            for framework, process in processes.items():
                assert process.stdin is not None and process.stdout is not None
                process.stdin.write("\n")
                process.stdin.flush()
                found[framework].append(float(process.stdout.readline()))
        for process in processes.values():
            process.communicate()
        ratios = [ours / theirs for ours, theirs in zip(found[_JAX], found[_TORCH], strict=True)]
        ours, theirs = (statistics.median(found[framework]) for framework in (_JAX, _TORCH))
        fastest = min(found[_JAX]) / min(found[_TORCH])
        ratio = statistics.median(ratios)
        rows.append([f"{side}x{side}", *(number(n, 1) for n in (ours, theirs)), number(ratio)])
        rows[-1].append(number(fastest))
    print(table(["images", "chain, ms", "PyTorch, ms", "ratio", "of the fastest turns"], rows))


if __name__ == "__main__":
    main()

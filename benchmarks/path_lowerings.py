"""What one program for all paths of a supernet costs, by how a path's choice is compiled.

Random cells of NAS-Bench-201 with 16, 32 and 64 filters, one cell a stage, take turns in one
program, forward and back: with a switch for each edge, as supernets on GPUs and TPUs have it; with
a branch for each operation; with all operations, of which those that are not taken are multiplied
by zero; and, on a processor, in the chain of small programs, whose update of the weights is counted
too. Times are of the wall and of the processor, which say little where a GPU computes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._arguments import listed, make_parser
from blockqnn.listing import number, table
from blockqnn.networks.layout import Layout
from blockqnn.networks.parts import cut_into_layers
from blockqnn.networks.spaces.registry import design_of, design_plan, space_named
from blockqnn.searching.supernet_paths import uniform_path

BRANCHES, SWITCH, ALL, CHAIN = "branches", "switch", "all operations", "chain"


def program_step(how: str, layout: Layout, designs: list[Any], images: Any) -> Callable[[int], Any]:
    """A compiled step of one program, by the number of a design; and its gradient."""
    import jax

    from blockqnn.children.execution import mean_cross_entropy
    from blockqnn.networks.initial import shared_arrays
    from blockqnn.supernets.all_paths import AllPaths

    space = space_named("nasbench201")
    plan = space.paths_plan(designs[0], layout)
    switches = how == SWITCH
    network = AllPaths(plan, lambda row: switches, branches=how != ALL)
    vectors = []
    for design in designs:
        own = design_plan(design, layout)
        keys = {own[step.layer].bank_key for step in cut_into_layers(own)}
        used = np.array([layer.bank_key in keys for layer in plan])
        vectors.append(network.vector(space.path(design), used))
    weights = jax.device_put([shared_arrays(layer, 0) for layer in plan])
    labels = jax.device_put(np.arange(len(images), dtype=np.int32) % layout.classes)

    def loss(weights: Any, vector: Any) -> Any:
        logits, seen = network.forward(weights, None, images, vector)
        return mean_cross_entropy(logits, labels), seen

    step = jax.jit(jax.value_and_grad(loss, has_aux=True))
    compiled = step.lower(weights, vectors[0]).compile()
    return lambda place: compiled(weights, vectors[place])


def chain_step(layout: Layout, designs: list[Any], images: Any) -> Callable[[int], Any]:
    """A compiled step of the chain, by the number of a design."""
    import jax

    from blockqnn.children.execution import DeviceImages
    from blockqnn.supernet_settings import SupernetSettings
    from blockqnn.supernets.bank import Bank, compiled_for
    from blockqnn.supernets.paths import PathChain

    channels, batch = np.ones(3, np.float32), len(images)
    pixels = np.zeros(images.shape, np.uint8)
    arrays = jax.device_put((pixels, np.arange(batch, dtype=np.int32) % 10, channels, channels))
    part = DeviceImages(*arrays)
    bank = Bank(compiled_for(SupernetSettings(batch_size=batch)), 0)
    chain = PathChain(layout, bank, batch, 0.0, part)
    order = np.arange(batch, dtype=np.int32)[None]
    rate = np.full(1, 0.01)
    for design in designs:
        chain.train(bank, [design], part, order, rate)
    return lambda place: chain.train(bank, [designs[place]], part, order, rate)


def measured(how: str, side: int, repeats: int, steps: int, batch: int) -> list[str]:
    """A row of the table: compiling, and the median step."""
    import jax

    random = np.random.default_rng(0)
    layout = Layout("nasbench201", (16, 32, 64), repeats, side, side)
    space = space_named("nasbench201")
    designs = [design_of(uniform_path(space, {}, random)) for _ in range(8)]
    images = jax.device_put(random.standard_normal((batch, side, side, 3), np.float32))
    begun, used = time.perf_counter(), time.process_time()
    if how == CHAIN:
        step = chain_step(layout, designs, images)
    else:
        step = program_step(how, layout, designs, images)
    compiling = time.perf_counter() - begun, time.process_time() - used
    jax.block_until_ready(step(0))
    walls, processor = [], []
    for place in range(steps):
        begun, used = time.perf_counter(), time.process_time()
        jax.block_until_ready(step(place % len(designs)))
        walls.append(1e3 * (time.perf_counter() - begun))
        processor.append(1e3 * (time.process_time() - used))
    medians = statistics.median(walls), statistics.median(processor)
    return [f"{side}x{side}", *(number(each, 1) for each in (*compiling, *medians)), how]


def main() -> None:
    """Measures, and prints a table."""
    parser = make_parser("path_lowerings", __doc__)
    parser.add_argument("--sides", type=listed(int), default="8,16", help="of images, pixels")
    parser.add_argument("--repeats", type=int, default=1, help="cells of a stage")
    parser.add_argument("--steps", type=int, default=24, help="of each")
    parser.add_argument("--batch_size", type=int, default=64, help="images in a step")
    parser.add_argument(
        "--ways", type=listed(str), default=f"{SWITCH},{BRANCHES},{ALL},{CHAIN}", help="which"
    )
    own = parser.parse_args()
    rows = [
        measured(how, side, own.repeats, own.steps, own.batch_size)
        for side in own.sides
        for how in own.ways
    ]
    head = ["images", "compile, s", "processor s", "step, ms", "processor ms", "of"]
    print(table(head, rows))


if __name__ == "__main__":
    main()

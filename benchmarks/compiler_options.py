"""What XLA's quick-to-compile options cost and give, layer by layer on a CPU.

Compiles three published blocks layer by layer with and without the options, in
turn, each time in a fresh process, and prints seconds to compile and the
median step. Takes about three minutes on two cores.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

from benchmarks._arguments import make_parser

ROUNDS = 3
BLOCKS = ("block-qnn-s", "inception", "block-qnn-a")


def measure(with_options: bool) -> dict[str, float]:
    """Seconds to compile the blocks, and of a step of all three."""
    import numpy as np

    from blockqnn.children import compiler_options
    from blockqnn.children.layer_by_layer import LayerByLayer
    from blockqnn.children.training import on_device
    from blockqnn.data.datasets import load_search_parts
    from blockqnn.networks.initial import initial_parameters, initial_statistics
    from blockqnn.networks.layout import Layout
    from blockqnn.networks.spaces.registry import design_of, design_plan, published
    from blockqnn.settings import DataSettings, Recipe

    if not with_options:
        compiler_options._QUICK_TO_COMPILE.clear()
    layout = Layout(filters=(16, 32), repeats=1, height=8, width=8, channels=1)
    train, validation = on_device(*load_search_parts(DataSettings()))
    order = np.arange(64, dtype=np.int32).reshape(1, 64)
    compile_seconds = step_seconds = 0.0
    for name in BLOCKS:
        plan = design_plan(design_of(published()[name]), layout)
        execution = LayerByLayer(plan, Recipe(), 64)
        start = time.perf_counter()
        execution.compile(train, validation, 1)
        compile_seconds += time.perf_counter() - start
        execution.start(initial_parameters(plan, 0), initial_statistics(plan))
        seconds = []
        for _ in range(20):
            start = time.perf_counter()
            execution.train_epoch(train, order, 1e-3)
            seconds.append(time.perf_counter() - start)
        step_seconds += statistics.median(seconds)
    return {"compile": compile_seconds, "step": step_seconds}


def main() -> None:
    """Measures both ways in turn, or one of them where it is named."""
    parser = make_parser("compiler_options", __doc__)
    parser.add_argument(
        "way",
        metavar="WAY",
        nargs="?",
        choices=("with", "without"),
        help="measure once in this process, with or without the options",
    )
    only = parser.parse_args().way
    if only:
        print(json.dumps(measure(only == "with")))
        return
    results: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    for _ in range(ROUNDS):
        for way, measured in results.items():
            command = [sys.executable, "-m", "benchmarks.compiler_options", way]
            output = subprocess.run(
                command, capture_output=True, text=True, check=True, encoding="utf-8"
            ).stdout
            measured.append(json.loads(output.splitlines()[-1]))
    for way, measured in results.items():
        compile_seconds = statistics.median(result["compile"] for result in measured)
        step = statistics.median(result["step"] for result in measured)
        print(f"{way:8} options: compile {compile_seconds:.1f} s, step {1e3 * step:.1f} ms")


if __name__ == "__main__":
    main()

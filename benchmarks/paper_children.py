"""Children an hour of the paper's recipe, for a GPU: one command, no network, JSON at the end.

Draws different random blocks that the limits allow and trains their children as
a search would (preset cifar10 with N = 4: 12 epochs, batches of 256, bfloat16;
flags of `search` change it), in worker processes that compile ahead. Then times
steps of some of these blocks against PyTorch (compiled, on a GPU) if it is
installed. What has not ended after --seconds is left out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from benchmarks._arguments import make_parser
from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.bench.child import JAX, MeasuredSetting
from blockqnn.bench.floor import Rates, floor_seconds
from blockqnn.bench.process import MeasuringProcess
from blockqnn.data.datasets import search_part_sizes
from blockqnn.flags.search import parse
from blockqnn.networks.cost import cost, infeasible_reason
from blockqnn.networks.spaces.contract import Code, Design
from blockqnn.networks.spaces.registry import design_of, design_plan, space_named, write
from blockqnn.settings import SearchSettings
from blockqnn.trial import Job, Outcome, child_seed
from blockqnn.workers.contract import LocalExecutor
from blockqnn.workers.placement import compile_threads, places
from blockqnn.workers.state import WorkerState
from blockqnn.workers.worker import encode_settings

RECIPE = ("--preset=cifar10", "--repeats=4", "--run_dir=unused")


class TimeIsUpError(Exception):
    """What has not ended is left out."""


def random_codes(settings: SearchSettings, count: int) -> list[Code]:
    """Different feasible blocks, drawn as the settings explore."""
    exploration = RandomSearchConfig(settings.agent.exploration)
    agent = RandomSearch(space_named("nsc", settings.max_layers), exploration, settings.seed)
    found: dict[str, Code] = {}
    while len(found) < count:
        code: Code = agent.suggest(1)[0]
        block = design_of(code)
        if infeasible(settings, block) is None:
            found.setdefault(block.hash, code)
    return list(found.values())


def infeasible(settings: SearchSettings, block: Design) -> str | None:
    """Why a child would not be trained."""
    return infeasible_reason(
        block,
        cost(block, settings.layout),
        settings.limits,
        settings.recipe.batch_size,
        2 if settings.recipe.bfloat16 else 4,
    )


def train(
    settings: SearchSettings, codes: list[Code], directory: pathlib.Path, deadline: float
) -> tuple[dict[int, Outcome], float, int]:
    """Trains children as a search does.

    Returns:
        Outcomes by place, the seconds from the first hand-over to the last
        outcome, and how many are trained at a time.
    """
    found = places(0, 1, len(codes), settings.evaluator)
    _, run = parse([*RECIPE, "--evaluator=dry"])
    worker = dataclasses.replace(run.worker, compile_threads=compile_threads(found))
    line = encode_settings(
        settings.evaluator, settings.data, settings.recipe, settings.layout, worker
    )
    outcomes: dict[int, Outcome] = {}

    def watch(_: Sequence[WorkerState]) -> None:
        """Ends the wait for a child that would end too late."""
        if time.monotonic() >= deadline:
            raise TimeIsUpError

    left = max(1.0, deadline - time.monotonic())
    with contextlib.closing(LocalExecutor(line, found, directory, left, watcher=watch)) as executor:
        begun = ended = time.monotonic()
        for place, code in enumerate(codes):
            name = design_of(code).hash
            executor.submit(Job(place, code, name, child_seed(settings.seed, name)))
        with contextlib.suppress(TimeIsUpError):
            while len(outcomes) < len(codes):
                place, outcome = executor.next_outcome()
                outcomes[place], ended = outcome, time.monotonic()
                print(f"child {len(outcomes)}: {outcome.status}, {_seconds(outcome)}", flush=True)
        return outcomes, ended - begun, executor.slots


def _seconds(outcome: Outcome) -> str:
    return (
        f"waiting {outcome.waiting_seconds:.1f} s, compiling {outcome.compile_seconds:.1f} s, "
        f"training {outcome.train_seconds:.1f} s"
    )


def shares_of_floor(
    settings: SearchSettings, codes: list[Code], outcomes: dict[int, Outcome], rates: Rates
) -> list[float]:
    """What each child's steps had to take at least, over what its training took."""
    recipe = settings.recipe
    examples, _ = search_part_sizes(settings.data)
    steps = recipe.epochs * max(1, examples // recipe.batch_size)
    shares = []
    for place, outcome in outcomes.items():
        if outcome.reason is None:
            plan = design_plan(design_of(codes[place]), settings.layout)
            numbers = 2 if recipe.bfloat16 else 4
            floor = floor_seconds(plan, recipe.batch_size, numbers, rates)
            shares.append(steps * floor / outcome.train_seconds)
    return shares


def measured_rates(settings: SearchSettings, directory: pathlib.Path) -> tuple[Rates, str]:
    """What the device does at best, and its name."""
    recipe = settings.recipe
    setting = MeasuredSetting(JAX, settings.layout, recipe, recipe.batch_size, 1)
    with MeasuringProcess(setting, directory / "rates.log", None, False) as process:
        return Rates(**process.rates()), process.device


def against_torch(settings: SearchSettings, codes: list[Code], seconds: float) -> Any:
    """The rows of `bench --against=torch`, or why there are none."""
    if not codes:
        return "not asked for"
    if importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed"
    layout, recipe = settings.layout, settings.recipe
    command = [
        *(sys.executable, "-m", "blockqnn", "bench", "--against=torch", "--format=json"),
        f"--blocks={','.join(map(write, codes))}",
        f"--filters={','.join(map(str, layout.filters))}",
        f"--repeats={layout.repeats}",
        f"--image_size={layout.height}",
        f"--channels={layout.channels}",
        f"--classes={layout.classes}",
        f"--batch_size={recipe.batch_size}",
        f"--bfloat16={str(recipe.bfloat16).lower()}",
        "--cores=0",
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, check=True, encoding="utf-8"
        )
    except subprocess.TimeoutExpired:
        return f"not ended after {seconds:.0f} seconds"
    except subprocess.CalledProcessError as error:
        return error.stderr.strip()[-500:]
    return json.loads(done.stdout)["rows"]


def main() -> None:
    """Reads the command line, measures and prints."""
    parser = make_parser("paper_children", __doc__)
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        help="as for `search`, as npz:cifar10.npz with arrays train_images and train_labels",
    )
    parser.add_argument("--blocks", type=int, default=20, help="whose children are trained")
    parser.add_argument("--torch_blocks", type=int, default=3, help="of them timed against PyTorch")
    parser.add_argument("--seconds", type=int, default=480, help="for all of it")
    own, flags = parser.parse_known_args()
    deadline = time.monotonic() + own.seconds
    settings, _ = parse([*RECIPE, f"--dataset={own.dataset}", *flags])
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        # Nothing that an earlier run compiled may help.
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(directory / "cache")
        rates, device = measured_rates(settings, directory)
        codes = random_codes(settings, own.blocks)
        reserve = 40 * own.torch_blocks
        outcomes, seconds, slots = train(settings, codes, directory, deadline - reserve)
    trained = [outcome for outcome in outcomes.values() if outcome.reason is None]
    shares = shares_of_floor(settings, codes, outcomes, rates)
    left = max(1.0, deadline - time.monotonic())
    facts = {
        "device": device,
        **dataclasses.asdict(rates),
        "blocks": len(codes),
        "trained": len(trained),
        "failed": [outcome.reason for outcome in outcomes.values() if outcome.reason],
        "seconds": seconds,
        "children_per_hour": 3600 * len(trained) / max(seconds, 1e-9),
        "idle_share": 1 - sum(o.train_seconds for o in trained) / max(seconds * slots, 1e-9),
        "waiting_seconds": sum(o.waiting_seconds for o in trained),
        "compile_seconds": sum(o.compile_seconds for o in trained),
        "train_seconds": sum(o.train_seconds for o in trained),
        "of_floor_median": statistics.median(shares) if shares else None,
        "of_floor": shares,
        "accuracies": [o.accuracies[-1] for o in trained],
        "against_torch": against_torch(settings, codes[: own.torch_blocks], left),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()

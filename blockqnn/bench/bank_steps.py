"""`bench --supernet`: what a step of a path through shared weights costs, beside a lone child's.

Random designs are trained for some steps as children of their own and as paths through one bank,
by turns, in a process of its own that is bound to its cores.
"""

from __future__ import annotations

import concurrent.futures
import json
import multiprocessing
import os
import statistics
import time
from typing import Any, TextIO

import numpy as np

from blockqnn.bench.settings import BenchSettings
from blockqnn.errors import UserError
from blockqnn.heading import heading
from blockqnn.listing import number, table
from blockqnn.networks.parts import cut_into_layers
from blockqnn.networks.spaces.registry import design_of, design_plan, space_named
from blockqnn.settings import Recipe
from blockqnn.supernet_settings import ADAM, MOMENTUM, SupernetSettings
from blockqnn.supernets.sampling import uniform_path
from blockqnn.workers.allocation import keep_memory
from blockqnn.workers.machine import described
from blockqnn.workers.placement import available_cores

_LEARNING_RATE = 1e-3
_EARLY = 3
"""Designs after which hardly a program is new."""
_IMAGES = 4
"""Batches of images that steps take in turn."""
OPTIMISERS = {
    ADAM: SupernetSettings(optimiser=ADAM, gradient_norm=0.0),
    MOMENTUM: SupernetSettings(optimiser=MOMENTUM, gradient_norm=5.0),
}
"""As lone children are trained; and as supernets usually are, with a bound of gradients."""


def bench_supernet(settings: BenchSettings, stream: TextIO, progress: TextIO) -> None:
    """Measures steps of a supernet, and prints what they cost.

    Args:
        settings: what to measure.
        stream: where to print.
        progress: for what is being measured.

    Raises:
        UserError: if the designs of the space cannot share weights in the layout.
    """
    space = space_named(settings.supernet)
    if reason := space.unshared(settings.layout):
        raise UserError(f"{reason}; --supernet={space.name} cannot be measured so.")
    layout = settings.layout
    what = {
        "Device": described(),
        "Supernet": f"{settings.designs} random designs of {space.name}, {settings.steps} steps "
        f"each, images {layout.height}x{layout.width}x{layout.channels}, batches of "
        f"{settings.recipe.batch_size}",
    }
    print(
        heading(what), "Compiling, and training by turns ...", sep="\n", file=progress, flush=True
    )
    cores = available_cores()[: settings.cores or None]
    with concurrent.futures.ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(cores,)
    ) as pool:
        facts = pool.submit(measured, settings).result()
    facts["cores"] = len(cores)
    print(json.dumps(facts) if settings.as_json else in_words(facts), file=stream)


def _begin(cores: list[int]) -> None:
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    keep_memory()  # Before JAX is imported.


def measured(settings: BenchSettings) -> dict[str, Any]:
    """The measurements.

    Args:
        settings: what to measure.

    Returns:
        `device`; `programs`, how many different steps the designs have, each a few compiled
        programs, and `early_programs`, those of the first three designs; `rows`, for each
        optimiser its name, `lone_seconds` and `bank_seconds` of the median step, their median
        `ratio` over the designs, `steps_per_second` of the bank and `compile_seconds`; the
        supernet's steps include planning a path and looking its programs up.
    """
    import jax

    from blockqnn.children.training import on_device
    from blockqnn.data.images import Images

    random = np.random.default_rng(0)
    space, layout = space_named(settings.supernet), settings.layout
    codes = [uniform_path(space, {}, random) for _ in range(settings.designs)]
    size = settings.recipe.batch_size
    shape = (_IMAGES * size, layout.height, layout.width, layout.channels)
    pixels = random.integers(0, 256, shape, np.uint8)
    part = on_device(*[Images(pixels, np.arange(len(pixels)) % layout.classes)] * 2)[0]
    met: list[set[Any]] = []
    for code in codes:
        steps = cut_into_layers(design_plan(design_of(code), layout))[1:]
        met.append({step.signature for step in steps})
    return {
        "device": jax.devices()[0].device_kind,
        "space": space.name,
        "batch_size": size,
        "designs": len(codes),
        "programs": len(set().union(*met)),
        "early_programs": len(set().union(*met[:_EARLY])),
        "rows": [_row(settings, name, codes, part) for name in OPTIMISERS],
    }


def _row(settings: BenchSettings, optimiser: str, codes: list[Any], part: Any) -> dict[str, Any]:
    import jax

    from blockqnn.children.layer_by_layer import LayerByLayer
    from blockqnn.networks.initial import initial_parameters, initial_statistics
    from blockqnn.supernets.bank import Bank, compiled_for
    from blockqnn.supernets.paths import Paths, train

    own, size, steps = OPTIMISERS[optimiser], settings.recipe.batch_size, settings.steps
    bank = Bank(compiled_for(own), 0)
    paths = Paths(settings.layout, bank, size, part)
    order = np.arange(steps * size, dtype=np.int32).reshape(steps, -1) % (_IMAGES * size)
    rates = np.full(steps, _LEARNING_RATE)
    begun = time.perf_counter()
    for code in codes:
        paths.path(design_of(code))
    compiling = time.perf_counter() - begun
    lone: list[float] = []
    shared: list[float] = []
    for code in codes:
        plan = design_plan(design_of(code), settings.layout)
        child = LayerByLayer(plan, Recipe(batch_size=size), size)
        child.compile(part, part, steps)
        child.start(initial_parameters(plan, 0), initial_statistics(plan))
        path = paths.path(design_of(code))
        # The first turn makes weights, and runs what is compiled at the first use.
        for turn in range(2):
            begun = time.perf_counter()
            child.train_epoch(part, order, _LEARNING_RATE)
            between = time.perf_counter()
            made = [paths.path(design_of(code)) for _ in range(steps)]
            train(bank, made, part, order, rates, own.gradient_norm)
            jax.block_until_ready(bank.weights(path.plan, path.chain.all_steps)[-1].parameters)
            if turn:
                lone.append((between - begun) / steps)
                shared.append((time.perf_counter() - between) / steps)
    ratios = [ours / alone for ours, alone in zip(shared, lone, strict=True)]
    return {
        "optimiser": optimiser,
        "gradient_norm": own.gradient_norm,
        "lone_seconds": statistics.median(lone),
        "bank_seconds": statistics.median(shared),
        "ratio": statistics.median(ratios),
        "steps_per_second": len(shared) / sum(shared),
        "compile_seconds": compiling,
    }


def in_words(facts: dict[str, Any]) -> str:
    """The measurements for people.

    Args:
        facts: as `measured` returns them, and the `cores`.

    Returns:
        A table, and what its columns mean.
    """
    rows = [
        [
            number(1e3 * row["lone_seconds"]),
            number(1e3 * row["bank_seconds"]),
            number(row["ratio"]),
            number(row["steps_per_second"], 1),
            number(row["compile_seconds"], 1),
            row["optimiser"]
            + (f", gradients cut to {row['gradient_norm']:g}" if row["gradient_norm"] else ""),
        ]
        for row in facts["rows"]
    ]
    titles = ["lone child ms", "path ms", "ratio", "steps/s", "compile s", "optimiser of the bank"]
    return "\n".join(
        [
            table(titles, rows),
            "",
            f"{facts['programs']} different steps are compiled for {facts['designs']} designs of "
            f"{facts['space']}, {facts['early_programs']} of them for the first {_EARLY}; "
            "compile s is that of the bank's, with nothing cached",
            "a path's step plans the design and looks its programs up; the lone child has Adam; "
            "ratio is the median over the designs, which take turns",
            f"{facts['device']}, {facts['cores']} of its cores",
        ]
    )

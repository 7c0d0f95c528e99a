"""`bench --mixture`: what a step of a mixture of all operations costs, beside PyTorch's.

Both frameworks train the same network, alpha included, in processes of their own that take turns.
"""

from __future__ import annotations

import importlib.util
import json
import pathlib
import statistics
import tempfile
from typing import Any, TextIO

from blockqnn.bench.child import JAX, TORCH, MeasuredSetting
from blockqnn.bench.process import MeasuringProcess
from blockqnn.bench.settings import BenchSettings
from blockqnn.errors import UserError
from blockqnn.heading import heading
from blockqnn.listing import in_units, number, table
from blockqnn.networks.plan_counts import parameters
from blockqnn.networks.spaces.registry import mixture_of, space_named
from blockqnn.workers.machine import described
from blockqnn.workers.placement import available_cores

_DISCARDED = 1
"""Steps before those that are timed: the other process's threads may still spin."""
TURNS = 5
"""Of each framework."""


def bench_mixture(settings: BenchSettings, stream: TextIO, progress: TextIO) -> None:
    """Measures steps of a mixture, and prints what they cost.

    Args:
        settings: what to measure.
        stream: where to print.
        progress: for what is being measured.

    Raises:
        UserError: if there is no mixture of the space in the layout, or PyTorch is missing.
    """
    refuse(settings)
    layout = settings.layout
    plan = mixture_of(settings.mixture, layout)
    what = {
        "Device": described(),
        "Mixture": f"{space_named(settings.mixture).title}, {in_units(parameters(plan))} "
        f"parameters, images {layout.height}x{layout.width}x{layout.channels}, batches of "
        f"{settings.recipe.batch_size}",
    }
    print(
        heading(what), "Compiling, and training by turns ...", sep="\n", file=progress, flush=True
    )
    facts = measured(settings)
    print(json.dumps(facts) if settings.as_json else in_words(facts), file=stream)


def refuse(settings: BenchSettings) -> None:
    """Refuses what cannot be measured.

    Args:
        settings: what to measure.

    Raises:
        UserError: if there is no such mixture, or PyTorch is missing.
    """
    if reason := space_named(settings.mixture).unmixed(settings.layout):
        raise UserError(f"{reason}; --mixture={settings.mixture} cannot be measured.")
    if importlib.util.find_spec("torch") is None:
        raise UserError("--mixture needs PyTorch, which is not installed: pip install torch.")


def measured(settings: BenchSettings) -> dict[str, Any]:
    """The measurements.

    Args:
        settings: what to measure.

    Returns:
        `space`, `device`, `torch_device`, `cores`, `batch_size`, `parameters`; `step_seconds` and
        `torch_step_seconds`, medians of the turns; `ratio`, the median of theirs, and
        `fastest_ratio`, of the fastest turns, which suffer least from what else runs;
        `compile_seconds`.

    Raises:
        UserError: if a framework fails.
    """
    cores = available_cores()[: settings.cores or None]
    steps = -(-settings.steps // TURNS)
    setting = {
        framework: MeasuredSetting(
            framework=framework,
            layout=settings.layout,
            recipe=settings.recipe,
            batch_size=settings.recipe.batch_size,
            steps=steps,
            clock=settings.clock,
        )
        for framework in (JAX, TORCH)
    }
    found: dict[str, list[float]] = {JAX: [], TORCH: []}
    with tempfile.TemporaryDirectory() as directory:
        logs = {name: pathlib.Path(directory) / f"{name}.log" for name in found}
        cache = pathlib.Path(directory) / "cache"
        with (
            MeasuringProcess(setting[JAX], logs[JAX], cache, True, cores) as ours,
            MeasuringProcess(setting[TORCH], logs[TORCH], None, True, cores) as theirs,
        ):
            compiling = ours.prepare_mixture(settings.mixture)
            theirs.prepare_mixture(settings.mixture)
            for _ in range(TURNS):
                for name, process in ((JAX, ours), (TORCH, theirs)):
                    found[name].append(statistics.median(process.train(_DISCARDED, steps)))
            devices = ours.device, theirs.device
    ratios = [one / other for one, other in zip(found[JAX], found[TORCH], strict=True)]
    return {
        "space": settings.mixture,
        "device": devices[0],
        "torch_device": devices[1],
        "cores": len(cores),
        "batch_size": settings.recipe.batch_size,
        "parameters": parameters(mixture_of(settings.mixture, settings.layout)),
        "step_seconds": statistics.median(found[JAX]),
        "torch_step_seconds": statistics.median(found[TORCH]),
        "ratio": statistics.median(ratios),
        "fastest_ratio": min(found[JAX]) / min(found[TORCH]),
        "compile_seconds": compiling["wait_seconds"],
    }


def in_words(facts: dict[str, Any]) -> str:
    """The measurements for people.

    Args:
        facts: as `measured` returns them.

    Returns:
        A table, and what its columns mean.
    """
    row = [
        number(1e3 * facts["step_seconds"], 1),
        number(1e3 * facts["torch_step_seconds"], 1),
        number(facts["ratio"]),
        number(facts["fastest_ratio"]),
        number(facts["compile_seconds"], 1),
        facts["space"],
    ]
    titles = ["step ms", "PyTorch ms", "ratio", "of the fastest", "compile s", "mixture of"]
    return "\n".join(
        [
            table(titles, [row]),
            "",
            f"a step trains weights and alpha in one pass; medians over {TURNS} turns, of the "
            "ratio too; compile s has nothing cached, and in one program it is part of the first "
            "step",
            f"{facts['device']}, {facts['cores']} of its cores; PyTorch: {facts['torch_device']}",
        ]
    )

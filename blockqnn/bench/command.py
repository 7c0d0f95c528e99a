"""The verb `bench`: what children cost here, from compiling to children an hour.

Each block is compiled in two processes of its own: a cold one with an empty
cache on disk, and a warm one with the cache that the cold one has filled, in
which the steps are timed as well.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import os
import pathlib
import shutil
import statistics
import tempfile
import time
from typing import Any, TextIO

from blockqnn.bench.child import IMAGES, JAX, TORCH, MeasuredSetting
from blockqnn.bench.floor import Rates, floor_seconds, step_flops
from blockqnn.bench.measured_text import measured_in_words
from blockqnn.bench.process import MeasuringProcess
from blockqnn.bench.settings import BenchSettings
from blockqnn.errors import UserError
from blockqnn.heading import heading
from blockqnn.inspection.block_reference import resolve
from blockqnn.listing import about, counted
from blockqnn.networks import lowerings
from blockqnn.networks.cost import flops, parameters
from blockqnn.networks.layout import LANGUAGE
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import (
    design_of,
    design_plan,
    fitting,
    is_code,
    space_of,
    write,
)
from blockqnn.trial import with_filters
from blockqnn.workers.machine import described
from blockqnn.workers.placement import available_cores

NONE = "none"
AGAINST = (NONE, TORCH)

_DISCARDED = 2
"""Steps before those that are timed: the other process's threads may still spin."""
_LONGEST_NAME = 40
_ROUNDS = 5
"""How often two frameworks take turns."""

_Child = tuple[Code, tuple[int, ...]]
"""A block with the filters of its stages; none for those of the layout."""


def bench(settings: BenchSettings, stream: TextIO, progress: TextIO) -> None:
    """Measures blocks and prints what they cost.

    `idle_share` is the share of the seconds, over all blocks compiled in one
    process with warm caches and trained as the preset says, in which the
    device had nothing to run because the host was lowering or compiling:
    waiting / (waiting + training). Training is computed from the rows.

    `load` is what else ran before, as the system counts it. It should be near
    0: threads that wait for one another, PyTorch's above all, take many times
    longer on cores that others use. Fastest steps suffer less than medians.

    Args:
        settings: what to measure.
        stream: where to print.
        progress: for what is being measured.

    Raises:
        UserError: if a block cannot be found or measured, or PyTorch is missing.
        CodeError: if a code breaks a rule.
    """
    found = [resolve(name, settings.max_layers) for name in settings.references]
    codes = [
        (one.code, one.trial.filters if one.trial and settings.own_filters else ()) for one in found
    ]
    for one, (code, _) in zip(found, codes, strict=True):
        if LANGUAGE in space_of(code).layouts:
            raise UserError(
                f"{one.title} is a {space_of(code).unit}, and bench measures networks of images; "
                "in a checkout, python -m benchmarks.recurrent --steps measures language models."
            )
    if settings.against == TORCH and importlib.util.find_spec("torch") is None:
        raise UserError("--against=torch needs PyTorch, which is not installed: pip install torch.")
    what = {"Device": described(), "Blocks": ", ".join(settings.references)}
    notes = filter(None, (block.note for block in found))
    print(heading(what), *notes, sep="\n", file=progress, flush=True)
    with tempfile.TemporaryDirectory() as directory:
        facts = _Bench(settings, pathlib.Path(directory), progress).measure(codes)
    print(
        json.dumps(facts) if settings.as_json else measured_in_words(facts, settings), file=stream
    )


class _Bench:
    """Measures blocks one after the other."""

    def __init__(self, settings: BenchSettings, directory: pathlib.Path, progress: TextIO):
        self._settings, self._directory = settings, directory
        self._progress, self._begun = progress, time.monotonic()
        self._setting = MeasuredSetting(
            framework=JAX,
            layout=settings.layout,
            recipe=settings.recipe,
            batch_size=settings.recipe.batch_size,
            steps=settings.steps,
        )
        self._cores = available_cores()[: settings.cores or None]
        self._rates: Rates | None = None

    def measure(self, codes: list[_Child]) -> dict[str, Any]:
        """All facts, as they are printed in JSON."""
        settings = self._settings
        load = os.getloadavg()[0]
        with contextlib.ExitStack() as stack:
            torch = None
            if settings.against == TORCH:
                setting = dataclasses.replace(self._setting, framework=TORCH)
                log = self._directory / "torch.log"
                torch = stack.enter_context(MeasuringProcess(setting, log, None, True, self._cores))
            rows = [self._row(place, child, torch) for place, child in enumerate(codes)]
            devices = {"torch_device": torch.device} if torch else {}
        assert self._rates is not None, "the first block has measured the rates"
        return {
            "device": self._device,
            **devices,
            "load": load,
            "cores": len(self._cores),
            "cores_of_the_machine": len(available_cores()),
            "bfloat16": settings.recipe.bfloat16,
            "execution": settings.recipe.execution,
            "lowerings": lowerings.in_use().name,
            "batch_size": settings.recipe.batch_size,
            **dataclasses.asdict(self._rates),
            **dataclasses.asdict(settings.children),
            "idle_share": self._idle_share(codes, rows),
            "rows": rows,
        }

    def _row(self, place: int, child: _Child, torch: MeasuringProcess | None) -> dict[str, Any]:
        settings, batch_size = self._settings, self._setting.batch_size
        cache = self._cache(place)
        self._say(place, "compiling with an empty cache")
        with self._process(cache) as cold_process:
            cold = cold_process.prepare(*child)
            self._device = cold_process.device
            if self._rates is None:
                self._say(place, "measuring what the device does at best")
            rates = self._rates = self._rates or Rates(**cold_process.rates())
        self._say(place, "compiling with the cache that this has filled")
        with self._process(cache) as process:
            warm = process.prepare(*child)
            against = "" if torch is None else ", in turn with PyTorch"
            self._say(place, f"training {counted(settings.steps, 'step')}{against}")
            ours, theirs = self._steps(child, process, torch)
            profiles = self._profiles(place, process, torch) if settings.profile else {}
            evaluation = process.evaluate() * settings.children.validation_images / IMAGES
        step = statistics.median(ours)
        code, filters = child
        layout = with_filters(fitting(code, settings.layout), filters)
        plan = design_plan(design_of(code), layout)
        numbers = 2 if settings.recipe.bfloat16 else 4
        floor = floor_seconds(plan, batch_size, numbers, rates)
        done = step_flops(plan, batch_size) / step
        child_seconds = warm["wait_seconds"] + settings.children.training_seconds(
            step, evaluation, batch_size
        )
        name = settings.references[place]
        row: dict[str, Any] = profiles | {
            "block": write(code) if is_code(name) else name,
            "filters": list(layout.filters),
            "parameters": parameters(plan),
            "flops": flops(plan),
            "lower_seconds": cold["lower_seconds"],
            "compile_cold_seconds": cold["compile_seconds"],
            "compile_warm_seconds": warm["compile_seconds"],
            "wait_cold_seconds": cold["wait_seconds"],
            "wait_warm_seconds": warm["wait_seconds"],
            "step_seconds": step,
            "fastest_step_seconds": min(ours),
            "images_per_second": batch_size / step,
            "gflops_per_second": done / 1e9,
            "of_peak": done / rates.flops_per_second,
            "floor_seconds": floor,
            "of_floor": floor / step,
            "evaluation_seconds": evaluation,
            "child_seconds": child_seconds,
            "children_per_hour": 3600 / child_seconds,
        }
        if theirs:
            torch_step = statistics.median(theirs)
            row |= {
                "torch_step": torch_step,
                "torch_fastest_step": min(theirs),
                "ratio_to_torch": step / torch_step,
            }
        return row

    def _say(self, place: int, doing: str) -> None:
        """Tells what is being done to a block."""
        names, passed = self._settings.references, time.monotonic() - self._begun
        left = f"; about {about(passed / place * (len(names) - place))} left" if place else ""
        # A code is too long for a line of this kind.
        name = names[place] if len(names[place]) <= _LONGEST_NAME else "a code"
        print(
            f"{name} ({place + 1} of {len(names)}): {doing} ...{left}",
            file=self._progress,
            flush=True,
        )

    def _steps(
        self, child: _Child, process: MeasuringProcess, torch: MeasuringProcess | None
    ) -> tuple[list[float], list[float]]:
        """Seconds of steps, and of PyTorch's where they are measured in turn."""
        steps = self._settings.steps
        if torch is None:
            return process.train(_DISCARDED, steps), []
        torch.prepare(*child)
        rounds = min(_ROUNDS, steps)
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(rounds):
            ours += process.train(_DISCARDED, -(-steps // rounds))
            theirs += torch.train(_DISCARDED, -(-steps // rounds))
        return ours, theirs

    def _profiles(
        self, place: int, process: MeasuringProcess, torch: MeasuringProcess | None
    ) -> dict[str, Any]:
        self._say(place, "measuring every program of a step by itself")
        found = {"profile": process.profile()}
        return found if torch is None else found | {"torch_profile": torch.profile()}

    def _idle_share(self, codes: list[_Child], rows: list[dict[str, Any]]) -> float:
        """See `bench`: one more process compiles all blocks, with all their caches."""
        everything = self._directory / "all"
        for place in range(len(codes)):
            shutil.copytree(self._cache(place), everything, dirs_exist_ok=True)
        print("All blocks: compiling in one process, with all caches ...", file=self._progress)
        with self._process(everything) as process:
            waiting = sum(process.prepare(*child)["wait_seconds"] for child in codes)
        training = sum(row["child_seconds"] - row["wait_warm_seconds"] for row in rows)
        return waiting / (waiting + training)

    def _process(self, cache: pathlib.Path) -> MeasuringProcess:
        share = self._settings.against != NONE
        log = self._directory / "jax.log"
        return MeasuringProcess(self._setting, log, cache, share, self._cores)

    def _cache(self, place: int) -> pathlib.Path:
        directory = self._directory / str(place)
        directory.mkdir(exist_ok=True)
        return directory

"""Measures every lowering of a convolution on this machine, and makes the table of its choices.

For each shape that the presets' children have, every candidate for the value and for
the gradient for the kernel is measured in turn, on one core, as a worker of a search has.
"""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TextIO

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.compiler_options import compiler_options
from blockqnn.children.devices import local_devices
from blockqnn.errors import UserError
from blockqnn.listing import about, counted, table
from blockqnn.networks.convolution import KERNEL_GRADIENTS, VALUES
from blockqnn.networks.lowerings import (
    PLAIN,
    LoweringTable,
    Row,
    Shape,
    applies,
    own_table,
)
from blockqnn.networks.processor import kind_of_processor, processor_name

KERNELS = (3, 5)
TIMES_INPUTS = (1, 2, 4)
"""A convolution of concatenated parts reads one, two or four of them."""
STAGES: Mapping[int, Sequence[int]] = {
    32: (8, 16, 32),
    16: (16, 32, 64),
    8: (16, 32, 64, 128),
    4: (32, 64),
    2: (64,),
}
"""Sides of maps, and filters there, in the children of the presets and of `bench`."""
_ROUNDS = 9
_LOOKS, _HOPELESS = 2, 1.4
"""After so many rounds, what takes so many times as long as the fastest is measured no more."""

Program = Callable[..., jax.Array]


def measure_lowerings(batch_size: int, as_json: bool, stream: TextIO, progress: TextIO) -> None:
    """Measures this machine, and keeps the table as this user's own.

    Args:
        batch_size: images in a step.
        as_json: print the table as it is kept.
        stream: where to print what is taken.
        progress: for what is being measured.

    Raises:
        UserError: if the processor does not compute here, or the table cannot be kept.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    if local_devices()[0].platform != "cpu":
        raise UserError(
            "Lowerings are measured on the processor, and another device computes here; set "
            "JAX_PLATFORMS=cpu."
        )
    path = own_table()
    unfinished = path.with_suffix(".new")
    _write(unfinished, "")  # Not after ten minutes.
    wanted = list(shapes())
    print(
        f"Processor:  {processor_name()} ({kind_of_processor()}), one core\n"
        f"Shapes:     {len(wanted)}, in batches of {batch_size}; nothing else should run meanwhile",
        file=progress,
        flush=True,
    )
    rows, plain, begun = [], [], time.monotonic()
    for done, shape in enumerate(wanted, 1):
        row, seconds = measured(shape, batch_size, _ROUNDS)
        rows.append(row)
        plain.append(seconds)
        left = (time.monotonic() - begun) / done * (len(wanted) - done)
        if done % 10 == 0 or done == 1:
            said = f"shape {done}/{len(wanted)}  about {about(left)} left"
            print(said, file=progress, flush=True)
    facts = {
        "kind": kind_of_processor(),
        "processor": processor_name(),
        "jax": jax.__version__,
        "batch_size": batch_size,
        "rows": [as_facts(row) for row in rows],
    }
    _write(unfinished, in_lines(facts))
    unfinished.replace(path)
    words = (
        f"{in_words(rows, plain, batch_size)}\n\n"
        f"Kept in {path}, by which children and trainings here are computed from now on; remove "
        "the file to go back."
    )
    print(json.dumps(facts) if as_json else words, file=stream)


def _write(path: pathlib.Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from error


def shapes() -> Iterator[Shape]:
    """What is measured: the convolutions of the presets' children."""
    for (side, filters), kernel, times in itertools.product(STAGES.items(), KERNELS, TIMES_INPUTS):
        for outputs in filters:
            yield Shape(kernel, side, side, times * outputs, outputs)


def measured(shape: Shape, batch_size: int, rounds: int) -> tuple[Row, dict[str, float]]:
    """Measures a shape.

    Args:
        shape: of a convolution.
        batch_size: images in a step.
        rounds: that the medians are of.

    Returns:
        A row of the table, and the seconds of XLA's own operation in each direction.
    """
    random = np.random.default_rng(0)
    maps = batch_size, shape.height, shape.width
    sizes = (
        (*maps, shape.inputs),
        (shape.kernel, shape.kernel, shape.inputs, shape.outputs),
        (*maps, shape.outputs),
    )
    arrays = tuple(jnp.asarray(random.standard_normal(size, dtype=np.float32)) for size in sizes)
    found = {d: _ratios(programs, arrays, rounds) for d, programs in _candidates(shape).items()}
    row = Row(shape, found["value"][0], found["kernel_gradient"][0])
    return row, {direction: seconds for direction, (_, seconds) in found.items()}


def _candidates(shape: Shape) -> dict[str, dict[str, Program]]:
    """The candidates for a shape, as functions of input, kernel and gradient, by direction."""
    side = shape.kernel
    values = {n: lambda x, k, g, f=f: f(x, k) for n, f in VALUES.items() if applies(n, shape)}
    gradients = {
        n: lambda x, k, g, f=f: f(x, g, side)
        for n, f in KERNEL_GRADIENTS.items()
        if applies(n, shape)
    }
    return {"value": values, "kernel_gradient": gradients}


def _ratios(
    programs: Mapping[str, Program], arrays: tuple[jax.Array, ...], rounds: int
) -> tuple[dict[str, float], float]:
    """Each candidate's time over XLA's own, and the seconds of that; measured in turn.

    The time is the processor's, so that others who use the machine count for less. Most
    candidates are hopeless at a shape, and some of these take five times as long as the rest, so
    a few rounds are all that they get.
    """
    options = compiler_options()
    jitted = {name: jax.jit(f, compiler_options=options) for name, f in programs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in jitted}
    for program in jitted.values():
        jax.block_until_ready(program(*arrays))
    for turn in range(rounds):
        if turn == _LOOKS:
            most = _HOPELESS * min(min(values) for values in seconds.values())
            jitted = {n: f for n, f in jitted.items() if n == PLAIN or min(seconds[n]) <= most}
        for name, program in jitted.items():
            start = time.process_time()
            jax.block_until_ready(program(*arrays))
            seconds[name].append(time.process_time() - start)
    found = {name: statistics.median(values) for name, values in seconds.items()}
    return {name: found[name] / found[PLAIN] for name in found}, found[PLAIN]


def as_facts(row: Row) -> dict[str, Any]:
    """A row as a table keeps it."""
    return {
        "shape": list(row.shape),
        "value": {name: _short(ratio) for name, ratio in row.value.items()},
        "kernel_gradient": {name: _short(ratio) for name, ratio in row.kernel_gradient.items()},
    }


def _short(ratio: float) -> float:
    """Three digits: some candidates take a hundredth of the time, and are compared with others."""
    return float(f"{ratio:.3g}")


def in_lines(facts: Mapping[str, Any]) -> str:
    """A table as JSON with a line for each shape, so that two can be compared."""
    head = json.dumps({name: value for name, value in facts.items() if name != "rows"})
    rows = ",\n".join(json.dumps(row) for row in facts["rows"])
    return f'{head[:-1]}, "rows": [\n{rows}\n]}}\n'


def in_words(rows: Sequence[Row], plain: Sequence[Mapping[str, float]], batch_size: int) -> str:
    """What is taken at each shape, and what that brings.

    Args:
        rows: of the table.
        plain: the seconds of XLA's own operation in each direction, row by row.
        batch_size: images in a step.

    Returns:
        Lines.
    """
    chosen = LoweringTable("measured", tuple(rows))
    lines = []
    for row, seconds in zip(rows, plain, strict=True):
        shape = row.shape
        products = shape.height * shape.width * shape.inputs * shape.outputs * shape.kernel**2
        line = [
            f"{shape.height}x{shape.width}",
            f"{shape.kernel}x{shape.kernel}",
            f"{shape.inputs} to {shape.outputs}",
        ]
        for direction, ratios, name in (
            ("value", row.value, chosen.value(shape)),
            ("kernel_gradient", row.kernel_gradient, chosen.kernel_gradient(shape)),
        ):
            rate = 2e-9 * batch_size * products / seconds[direction]
            line += [f"{rate:.0f}", f"{rate / ratios[name]:.0f}", name]
        lines.append(line)
    header = ["map", "kernel", "channels", "GFLOP/s", "then", "value"]
    header += ["GFLOP/s", "then", "kernel's gradient"]
    notes = "GFLOP/s: of XLA's own operation; then: of the lowering that is named"
    return f"{counted(len(rows), 'shape')}\n{table(header, lines)}\n\n{notes}"

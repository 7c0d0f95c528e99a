"""The process that measures children: requests come in on stdin, figures go out on stdout.

Both are lines of JSON. The first line in holds the settings; the first line
out names the device. One framework lives in a process: the threads of another
would spin beside its own. Whatever else writes to standard output is sent to
standard error.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from blockqnn.bench.clock import PASSING, use_clock
from blockqnn.data.images import Images
from blockqnn.errors import UserError
from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import (
    design_of,
    design_plan,
    fitting,
    mixture_of,
    parse,
    write,
)
from blockqnn.settings import Recipe
from blockqnn.trial import with_filters
from blockqnn.workers.allocation import keep_memory

IMAGES = 256
"""Images that are made up, to train and to evaluate on."""
JAX = "jax"
TORCH = "torch"


@dataclasses.dataclass(frozen=True)
class MeasuredSetting:
    """What a measuring process is told first.

    Attributes:
        framework: `jax` or `torch`.
        layout: of the child networks.
        recipe: how to train them.
        batch_size: images in a step.
        steps: timed for a block.
        clock: one of `blockqnn.bench.clock.CLOCKS`.
    """

    framework: str
    layout: Layout
    recipe: Recipe
    batch_size: int
    steps: int
    clock: str = PASSING


class Measurements(Protocol):
    """What can be measured of a framework."""

    @property
    def device(self) -> str:
        """What computes, in words."""

    def prepare(self, plan: Plan) -> dict[str, float]:
        """Makes a child that can be trained; returns the seconds that this took, by name."""

    def train(self, discarded: int, timed: int) -> list[float]:
        """Trains the child; returns seconds of its steps."""


def encode_setting(setting: MeasuredSetting) -> str:
    """The first line that a measuring process reads."""
    return json.dumps(dataclasses.asdict(setting))


def encode_block(code: Code, filters: Sequence[int] = ()) -> dict[str, Any]:
    """The request to prepare the child of a block, with filters of its own if there are any."""
    return {"measure": "prepare", "code": write(code), "filters": list(filters)}


def main() -> None:
    """Answers requests until standard input closes."""
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    setting = _decode_setting(json.loads(sys.stdin.readline()))
    try:
        measurements = _measurements(setting)
        _check_clock(setting.clock, measurements.device)
        answers.write(json.dumps({"device": measurements.device}) + "\n")
        for line in sys.stdin:
            answer = _answer(measurements, setting.layout, json.loads(line))
            answers.write(json.dumps({"answer": answer}) + "\n")
    except UserError as error:
        answers.write(json.dumps({"refused": str(error)}) + "\n")
    except Exception as error:
        # Compilers and drivers raise what they like; the parent says it in a sentence.
        first = "".join(str(error).strip().splitlines()[:1])[:300].rstrip(".")
        answers.write(json.dumps({"error": f"{type(error).__name__}: {first}"}) + "\n")
        raise


def _decode_setting(fields: dict[str, Any]) -> MeasuredSetting:
    layout = fields["layout"] | {"filters": tuple(fields["layout"]["filters"])}
    recipe = Recipe(**fields["recipe"])
    return MeasuredSetting(**fields | {"layout": Layout(**layout), "recipe": recipe})


def _measurements(setting: MeasuredSetting) -> Measurements:
    """Imports the framework, and no other."""
    use_clock(setting.clock)
    arguments = setting.recipe, _made_up(setting.layout), setting.batch_size, setting.steps
    if setting.framework == TORCH:
        from blockqnn.bench.torch_child import TorchMeasurements

        return TorchMeasurements(*arguments)
    keep_memory()
    from blockqnn.bench.jax_child import JaxMeasurements

    return JaxMeasurements(*arguments)


def _check_clock(clock: str, device: str) -> None:
    if clock != PASSING and device != "cpu":
        raise UserError(
            f"--clock={clock} measures a CPU, and {device} computes here; leave it out, or set "
            "JAX_PLATFORMS=cpu and CUDA_VISIBLE_DEVICES=."
        )


def _made_up(layout: Layout) -> Images:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (IMAGES, *layout.image_shape), np.uint8)
    return Images(images, np.arange(IMAGES, dtype=np.int32) % layout.classes)


def _answer(measurements: Measurements, layout: Layout, request: dict[str, Any]) -> Any:
    arguments = {name: value for name, value in request.items() if name != "measure"}
    if "code" in arguments:
        # The parent has checked the block against its own limit on layers.
        code = parse(arguments["code"], max_layers=sys.maxsize)
        layout = with_filters(fitting(code, layout), tuple(arguments["filters"]))
        arguments = {"plan": design_plan(design_of(code), layout)}
    elif "mixture" in arguments:
        arguments = {"plan": mixture_of(arguments["mixture"], layout)}
    return getattr(measurements, request["measure"])(**arguments)


if __name__ == "__main__":
    main()

"""Which way paths are executed, and the programs of paths, one for all designs of a size."""

from __future__ import annotations

import collections
import logging
from collections.abc import Sequence

import jax
import numpy as np

from blockqnn.children.execution import DeviceImages
from blockqnn.children.training import is_whole
from blockqnn.errors import UserError
from blockqnn.networks.layout import Layout
from blockqnn.networks.parts import cut_into_layers
from blockqnn.networks.spaces.contract import Design
from blockqnn.networks.spaces.registry import design_plan, space_of
from blockqnn.settings import Recipe
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.supernets.bank import Bank
from blockqnn.supernets.device_group import group_for
from blockqnn.supernets.execution import Calibration, PathExecution, UsedPath
from blockqnn.supernets.path_program import PathProgram
from blockqnn.supernets.paths import PathChain

_KEPT_PATHS = 20_000

_log = logging.getLogger(__name__)


def make_paths(
    design: Design,
    layout: Layout,
    settings: SupernetSettings,
    recipe: Recipe,
    bank: Bank,
    part: DeviceImages,
    devices: Sequence[jax.Device],
) -> PathExecution:
    """The way of executing paths that the recipe asks for.

    Args:
        design: one of the space's.
        layout: of every network.
        settings: of the supernet.
        recipe: its `execution` is `layers`, `whole` or `auto`.
        bank: that says what is compiled.
        part: images of the shape that is read.
        devices: that share each batch.

    Returns:
        What executes them.

    Raises:
        UserError: if paths cannot be executed in that way, or not on these devices.
    """
    reason = space_of(design).unplanned(layout)
    if is_whole(recipe) and not reason:
        return PathPrograms(layout, bank, settings.batch_size, settings.gradient_norm, devices)
    if recipe.execution == "whole":
        raise UserError(f"{reason}, so --execution=whole cannot be; --execution=layers can.")
    if len(devices) > 1:
        raise UserError(
            f"--devices_per_worker is {len(devices)}, and devices share a batch of the supernet in "
            f"one program for all paths alone (--execution=whole). {reason and reason + '. '}"
            "--devices_per_worker=1 does without."
        )
    if is_whole(recipe):
        _log.warning("%s: its paths are chains of small programs here, too.", reason)
    return PathChain(layout, bank, settings.batch_size, settings.gradient_norm, part)


class PathPrograms:
    """Executes paths by one program for all designs that have the same choices to make."""

    def __init__(
        self,
        layout: Layout,
        bank: Bank,
        batch_size: int,
        most_norm: float,
        devices: Sequence[jax.Device],
        loops: bool | None = None,
    ):
        """Prepares, without compiling.

        Args:
            layout: of every network.
            bank: that says what is compiled.
            batch_size: images in a step, in equal parts on all devices.
            most_norm: to which the norm of a step's gradients is cut; 0 for no bound.
            devices: that share each batch.
            loops: as for `PathProgram`.

        Raises:
            UserError: if a batch has no equal parts.
        """
        self._layout, self._group = layout, group_for(devices, batch_size)
        self._arguments = bank, batch_size, most_norm, self._group, loops
        self._programs: dict[tuple[str, ...], PathProgram] = {}
        self._paths: collections.OrderedDict[str, UsedPath] = collections.OrderedDict()

    def train(
        self,
        bank: Bank,
        designs: Sequence[Design],
        part: DeviceImages,
        order: np.ndarray,
        rates: np.ndarray,
    ) -> np.ndarray:
        """See `PathExecution.train`."""
        paths = [self._path(design) for design in designs]
        return self._program(designs[0]).train(bank, paths, part, order, rates)

    def accuracy(
        self,
        bank: Bank,
        design: Design,
        part: DeviceImages,
        statistics: str,
        calibration: Calibration | None = None,
        batches: range | None = None,
    ) -> float:
        """See `PathExecution.accuracy`."""
        program, path = self._program(design), self._path(design)
        return program.accuracy(bank, path, part, statistics, calibration, batches)

    def _program(self, design: Design) -> PathProgram:
        """The program of all designs with the same choices, of which a depth may have its own."""
        choices = space_of(design).name, *self._path(design).rows
        if choices not in self._programs:
            space = space_of(design)
            plan = space.paths_plan(design, self._layout)
            self._programs[choices] = PathProgram(plan, space.takes_one, *self._arguments)
        return self._programs[choices]

    def _path(self, design: Design) -> UsedPath:
        if design.hash not in self._paths:
            plan = design_plan(design, self._layout)
            read = [plan[step.layer] for step in cut_into_layers(plan)]
            keys = (each.bank_key for each in read if each.parameter_shapes or each.normalises)
            self._paths[design.hash] = UsedPath(space_of(design).path(design), frozenset(keys))
            while len(self._paths) > _KEPT_PATHS:
                self._paths.popitem(last=False)
        return self._paths[design.hash]

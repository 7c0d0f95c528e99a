"""What is exported: a network with its weights, from a checkpoint or made anew."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from blockqnn.children.checkpoint import load_checkpoint
from blockqnn.children.checkpoint_metadata import Metadata
from blockqnn.children.named_weights import by_layer
from blockqnn.errors import UserError
from blockqnn.inspection.block_reference import BEST, is_run, resolve
from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.contract import Code, Design
from blockqnn.networks.spaces.registry import (
    MOST_LAYERS,
    design_named,
    design_of,
    design_plan,
    is_code,
    parse,
    published,
)
from blockqnn.runs.store import FILE_NAME

if TYPE_CHECKING:
    import numpy as np

# Of pixels whose data set is not known: they become numbers from -1 to 1.
_MIDDLE = 127.5


@dataclasses.dataclass(frozen=True)
class Subject:
    """A network to export.

    Attributes:
        title: how the user calls it.
        code: the block.
        layout: what stands around it.
        parameters: for each layer of the plan its trained arrays, float32.
        statistics: for each layer of the plan its running statistics, float32.
        mean: of each channel, on the scale of 0 to 255; taken from images first.
        deviation: of each channel; by which they are divided then.
        class_names: in the order of the labels; empty if not known.
        training: facts about the training; None if the weights are initial ones.
        seed: of the weights.
        note: what is to be said of the choice of the block; empty for nothing.
        hash: names what the code meant to the version that trained it; empty for what it
            means today.
    """

    title: str
    code: Code
    layout: Layout
    parameters: list[dict[str, np.ndarray]]
    statistics: list[dict[str, np.ndarray]]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    class_names: tuple[str, ...]
    training: Mapping[str, Any] | None
    seed: int
    note: str = ""
    hash: str = ""

    @property
    def design(self) -> Design:
        """What the code means, in the form in which the weights are."""
        return design_named(self.code, self.hash)

    @property
    def plan(self) -> Plan:
        """Of the network."""
        return design_plan(self.design, self.layout)


def find_subject(
    reference: str, layout: Layout, fresh_weights: bool, seed: int, max_layers: int
) -> Subject:
    """Finds the network that a user means.

    Args:
        reference: a checkpoint, a training's directory, or what `show` takes for a block.
        layout: for a block that no run gives a layout.
        fresh_weights: whether initial weights take the place of trained ones.
        seed: of initial weights.
        max_layers: most layers of a code, Terminal not counted.

    Returns:
        The network with its weights: trained ones of a training, initial ones of all else.

    Raises:
        UserError: if there is none, or it cannot be read.
        CodeError: if a code breaks a rule.
    """
    if is_run(reference):
        if not (pathlib.Path(reference) / FILE_NAME).exists():
            return _trained(pathlib.Path(reference), fresh_weights, seed)
        reference = f"{reference}#{BEST}"
    elif not (reference in published() or "#" in reference or is_code(reference)):
        raise UserError(
            f"There is nothing to export at {reference!r}; allowed: the directory of a training or "
            "of one of its checkpoints, or for a block without trained weights a run, "
            f"RUN_DIR#NUMBER, RUN_DIR#best, RUN_DIR#best_early, a code, {', '.join(published())}."
        )
    found = resolve(reference, max_layers)
    from blockqnn.networks.initial import initial_parameters, initial_statistics

    layout = found.standing_in(layout)
    plan = design_plan(design_of(found.code), layout)
    return Subject(
        title=found.title,
        code=found.code,
        layout=layout,
        parameters=initial_parameters(plan, seed),
        statistics=initial_statistics(plan),
        mean=(_MIDDLE,) * layout.channels,
        deviation=(_MIDDLE,) * layout.channels,
        class_names=(),
        training=None,
        seed=seed,
        note=found.note,
    )


def _trained(path: pathlib.Path, fresh_weights: bool, seed: int) -> Subject:
    checkpoint = load_checkpoint(path)
    metadata = checkpoint.metadata
    layout, plan = metadata.child_layout, metadata.plan
    parameters = by_layer(plan, checkpoint.parameters)
    statistics = by_layer(plan, checkpoint.statistics)
    mean, deviation = (_of_channels(v, layout) for v in (metadata.mean, metadata.deviation))
    if mean is None or deviation is None:
        raise UserError(
            f"The checkpoint {checkpoint.path} does not say by which mean and deviation of its "
            f"{layout.channels} channels images are normalised."
        )
    for layer, arrays in zip(plan, parameters, strict=True):
        found = {name: tuple(array.shape) for name, array in arrays.items()}
        if found != layer.parameter_shapes:
            raise UserError(
                f"The checkpoint {checkpoint.path} holds the weights of another network: "
                f"{layer.name} has {found}, wanted is {layer.parameter_shapes}."
            )
    if fresh_weights:
        from blockqnn.networks.initial import initial_parameters, initial_statistics

        parameters, statistics = initial_parameters(plan, seed), initial_statistics(plan)
    return Subject(
        title=metadata.title,
        code=parse(metadata.code, MOST_LAYERS),
        layout=layout,
        parameters=parameters,
        statistics=statistics,
        mean=mean,
        deviation=deviation,
        class_names=tuple(metadata.class_names),
        training=None if fresh_weights else _facts(metadata),
        seed=seed if fresh_weights else metadata.seed,
        hash=metadata.hash,
    )


def _facts(metadata: Metadata) -> dict[str, Any]:
    return {
        "data": metadata.data,
        "recipe": metadata.recipe,
        "steps": metadata.step,
        "epochs": len(metadata.history),
        "last_epoch": metadata.history[-1] if metadata.history else None,
    }


def _of_channels(values: Sequence[Any], layout: Layout) -> tuple[float, ...] | None:
    """A number for each channel of the images, or None if that is not what is given."""
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == layout.channels and all(map(isfinite, numbers)) else None

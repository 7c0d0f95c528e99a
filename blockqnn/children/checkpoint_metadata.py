"""What a checkpoint says of itself beside the weights; read without JAX."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from blockqnn.errors import UserError
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.contract import CodeError, Design
from blockqnn.networks.spaces.registry import design_named, design_plan, parse

FORMAT = 1
"""Version of all that `blockqnn.children.checkpoint` describes; readers refuse others."""

METADATA = "metadata.json"
"""Name of the file."""


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What a checkpoint says of itself beside the weights.

    Attributes:
        code: the block, as `spaces.registry.write` writes it.
        hash: names its canonical form, as the version had it that began the training.
        title: how the user called the block.
        layout: the fields of `blockqnn.networks.layout.Layout`.
        recipe: the fields of `full_training.settings.FullRecipe`.
        data: the fields of `full_training.settings.FullData`; `data["source"]["dataset"]`
            is the data set's name. `data["judged_on"]` is `test`, `validation`, `held_out`
            or `nothing`; checkpoints of earlier versions do not have it.
        mean: of each channel of the training images, on the scale of 0 to 255.
        deviation: likewise.
        class_names: in the order of the labels; empty where the data set has none.
        seed: of the training.
        step: how many steps it holds.
        steps_per_epoch: how many an epoch has.
        history: one object for each finished epoch, as in `metrics.jsonl`.
        epoch_seconds: spent on the epoch that has begun and not ended.
        flags: that say what the training is, by name, as one would type them.
        data_digest: of the data set, as `blockqnn.data.datasets.digest` has it; empty in
            a checkpoint of an earlier version.
        judged_digest: of the images that judge the training in the end, as
            `full_training.parts.part_digest` has it; empty where none do, or likewise.
        format: version of the format.
    """

    code: str
    hash: str
    title: str
    layout: dict[str, Any]
    recipe: dict[str, Any]
    data: dict[str, Any]
    mean: list[float]
    deviation: list[float]
    class_names: list[str]
    seed: int
    step: int
    steps_per_epoch: int
    history: list[dict[str, Any]]
    epoch_seconds: float
    flags: dict[str, str]
    data_digest: str = ""
    judged_digest: str = ""
    format: int = FORMAT

    @property
    def design(self) -> Design:
        """What the code meant to the version that began the training."""
        return design_named(parse(self.code), self.hash)

    @property
    def plan(self) -> Plan:
        """Of the network."""
        return design_plan(self.design, self.child_layout)

    @property
    def child_layout(self) -> Layout:
        """The layout as an object."""
        return Layout(**self.layout | {"filters": tuple(self.layout["filters"])})


def read_metadata(path: pathlib.Path) -> Metadata:
    """What a checkpoint is, without its weights and without JAX.

    Args:
        path: of its directory.

    Returns:
        Its description.

    Raises:
        UserError: if it cannot be read, or is of another format.
    """
    try:
        facts: Mapping[str, Any] = json.loads((path / METADATA).read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise UserError(
                f"The checkpoint {path} is of format {facts['format']}; this version reads "
                f"format {FORMAT}."
            )
        metadata = Metadata(**facts)
        parse(metadata.code)
        assert metadata.child_layout
    except (OSError, UnicodeDecodeError, TypeError, KeyError, json.JSONDecodeError) as error:
        raise UserError(f"{path / METADATA} does not describe a checkpoint: {error}.") from error
    except (CodeError, LayoutError) as error:
        raise UserError(f"{path / METADATA} does not describe a network: {error}") from error
    return metadata

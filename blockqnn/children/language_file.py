"""A language model in training as one file: its weights, what goes on with it, and what it is.

The file is written as a whole or not at all, and holds a sum over all that it says.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from typing import Any

import numpy as np

from blockqnn.children.language_program import ProgramState
from blockqnn.errors import UserError
from blockqnn.language_settings import MODEL_FILE
from blockqnn.networks.initial import Weights
from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import MOST_LAYERS, design_of, design_plan, parse

_FACTS, _SUM = "facts", "sum"
_WEIGHTS, _AVERAGE, _MOMENT = "weights", "average", "moment"


@dataclasses.dataclass(frozen=True)
class ModelFacts:
    """What a file says of its model.

    Attributes:
        code: the cell, as text.
        title: how it was called.
        layout: of the model, as JSON.
        recipe: how it is trained, as JSON.
        data: which text, as JSON.
        digest: of the text.
        seed: of the training.
        history: epochs that have ended, each with loss and perplexity.
        averaged_after: epochs after which its weights became averages; 0 for never.
        vocabulary: words by number.
    """

    code: str
    title: str
    layout: dict[str, Any]
    recipe: dict[str, Any]
    data: dict[str, Any]
    digest: str
    seed: int
    history: list[dict[str, float]]
    averaged_after: int
    vocabulary: list[str]

    @property
    def cell(self) -> Code:
        """The cell."""
        return parse(self.code, MOST_LAYERS)

    @property
    def model_layout(self) -> Layout:
        """The layout of the model."""
        return Layout(**self.layout | {"filters": tuple(self.layout["filters"])})

    @property
    def plan(self) -> Plan:
        """Of the model."""
        return design_plan(design_of(self.cell), self.model_layout)


def write_model(path: pathlib.Path, facts: ModelFacts, state: ProgramState) -> None:
    """Writes a model.

    Args:
        path: of the file; what lies there is replaced.
        facts: what it is.
        state: its weights, and what goes on with them.

    Raises:
        UserError: if it cannot be written.
    """
    from safetensors.numpy import save

    arrays = _named(_WEIGHTS, state.parameters)
    arrays |= _named(_AVERAGE, state.average) if state.average is not None else {}
    arrays |= {f"{_MOMENT}/{i}": np.asarray(a) for i, a in enumerate(state.moments)}
    said = json.dumps(dataclasses.asdict(facts) | {"averaged": state.averaged})
    content = save(arrays, {_FACTS: said, _SUM: _sum(said, arrays)})
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from error


def read_model(path: pathlib.Path) -> tuple[ModelFacts, ProgramState]:
    """Reads a model.

    Args:
        path: of the file, or of the folder that it is in.

    Returns:
        What it is, and its state.

    Raises:
        UserError: if there is none, or it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    file = path if path.name == MODEL_FILE else path / MODEL_FILE
    try:
        with safe_open(file, framework="numpy") as opened:
            metadata = opened.metadata() or {}
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        said = metadata[_FACTS]
        if metadata[_SUM] != _sum(said, arrays):
            raise ValueError("its sum is another one")
        fields = json.loads(said)
        averaged = int(fields.pop("averaged"))
        facts = ModelFacts(**fields)
        plan = facts.plan
    except FileNotFoundError as error:
        raise UserError(f"There is no language model at {path}.") from error
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"The language model in {file} is damaged: {error}.") from error
    moments = [array for _, array in sorted(_numbered(arrays).items())]
    average = _by_layer(plan, arrays, _AVERAGE) if averaged or facts.averaged_after else None
    return facts, ProgramState(_by_layer(plan, arrays, _WEIGHTS), moments, average, averaged)


def _named(kind: str, weights: Weights) -> dict[str, np.ndarray]:
    return {
        f"{kind}/{place}/{name}": np.asarray(array)
        for place, arrays in enumerate(weights)
        for name, array in arrays.items()
    }


def _by_layer(plan: Plan, arrays: dict[str, np.ndarray], kind: str) -> Weights:
    return [
        {name: arrays[f"{kind}/{place}/{name}"] for name in layer.parameter_shapes}
        for place, layer in enumerate(plan)
    ]


def _numbered(arrays: dict[str, np.ndarray]) -> dict[int, np.ndarray]:
    parts = ((name.partition("/"), array) for name, array in arrays.items())
    return {int(number): array for (kind, _, number), array in parts if kind == _MOMENT}


def _sum(said: str, arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(said.encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()

"""What an exported network is, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import Any

from blockqnn.export.architecture import Architecture
from blockqnn.export.subject import Subject
from blockqnn.networks.plan import Plan
from blockqnn.networks.plan_counts import depth, flops, parameters
from blockqnn.networks.spaces.registry import as_lists, write

FORMAT = 1
"""Version of the description."""


def describe(subject: Subject, parts: Architecture) -> dict[str, Any]:
    """A network as JSON, without its weights.

    Args:
        subject: the network.
        parts: what its source code consists of.

    Returns:
        Block, layout, figures, layers, normalisation, classes and training; FLOPs
        in units, mean and deviation on the scale of 0 to 255.
    """
    return {
        "format": FORMAT,
        "title": subject.title,
        "code": write(subject.code),
        "block": as_lists(subject.code),
        "hash": subject.design.hash,
        "layout": subject.layout.as_json(),
        "parameters": parameters(parts.written),
        "flops": flops(parts.written),
        "depth": depth(subject.plan),
        "mean": list(subject.mean),
        "deviation": list(subject.deviation),
        "class_names": list(subject.class_names),
        "trained": subject.training is not None,
        "training": subject.training,
        "seed": subject.seed,
        "made_with": {name: metadata.version(name) for name in ("jax", "flax")},
        "layers": _layers(subject.plan, parts.places),
    }


def _layers(plan: Plan, places: Mapping[int, str]) -> list[dict[str, Any]]:
    return [
        {
            "name": layer.name,
            "operation": layer.operation.name,
            "kernel": layer.kernel,
            **({"across": layer.across} if layer.across else {}),
            "inputs": [plan[i].name for i in layer.inputs],
            "shape": list(layer.shape),
            "weights": places.get(position) if layer.parameter_shapes else None,
        }
        for position, layer in enumerate(plan)
    ]

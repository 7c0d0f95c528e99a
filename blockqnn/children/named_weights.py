"""Weights as nested dicts that follow the names of a plan's layers."""

from __future__ import annotations

from typing import Any

from blockqnn.networks.plan import Plan

Arrays = dict[str, Any]
"""A nested dict whose leaves are arrays."""


def by_name(plan: Plan, weights: list[dict[str, Any]]) -> Arrays:
    """Weights in the order of a plan as a nested dict; layers without any are left out."""
    nested: Arrays = {}
    for layer, arrays in zip(plan, weights, strict=True):
        if arrays:
            place = nested
            for word in layer.name.split("/"):
                place = place.setdefault(word, {})
            place.update(arrays)
    return nested


def by_layer(plan: Plan, nested: Arrays) -> list[dict[str, Any]]:
    """The inverse of `by_name`."""
    weights = []
    for layer in plan:
        place = nested
        for word in layer.name.split("/"):
            place = place.get(word, {})
        weights.append(dict(place))
    return weights

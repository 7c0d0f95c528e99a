"""Blocks in Network Structure Codes as a search space: a block is written layer by layer.

The state is the code of the layer that was written last, the action the code
of the next one, Terminal included (section 3.2 of the BlockQNN paper). What
may follow depends on the index alone, since a layer may read any earlier one.
"""

from __future__ import annotations

import functools
import itertools
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from blockqnn.networks.graph import Graph
from blockqnn.networks.layout import CELLS, CIFAR, IMAGENET, Layout
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.action_list import Field
from blockqnn.networks.spaces.contract import Promise, SearchSpace
from blockqnn.networks.spaces.nsc import codes
from blockqnn.networks.spaces.nsc.actions import LayerActions
from blockqnn.networks.spaces.nsc.canonical import (
    CanonicalBlock,
    canonical_form,
    canonical_numbers,
    computes_nothing,
    former_form,
)
from blockqnn.networks.spaces.nsc.cells import cells_plan
from blockqnn.networks.spaces.nsc.codes import MAX_LAYERS, Code, LayerCode, LayerType, terminal
from blockqnn.networks.spaces.nsc.features import BLOCK_FEATURES, block_features
from blockqnn.networks.spaces.nsc.graph import block_graph
from blockqnn.networks.spaces.nsc.mutation import mutated_block
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from blockqnn.networks.spaces.nsc.stacking import block_plan, make_plan, placed_alone

START = LayerCode(0, 0, 0, 0, 0)
"""The state before the first layer: an empty block."""


class BlockSpace(SearchSpace):
    """All blocks of at most `max_layers` layers, Terminal not counted."""

    name = "nsc"
    title = "blocks in Network Structure Codes"
    unit = "block"
    layouts: Mapping[str, str] = {CIFAR: "CIFAR", IMAGENET: "ImageNet", CELLS: "cells"}
    example = "[(1,1,3,0,0),(2,7,0,0,0)]"
    feature_names = BLOCK_FEATURES

    def __init__(self, max_layers: int = MAX_LAYERS):
        """Creates the space.

        Args:
            max_layers: largest number of layers, at least 1.
        """
        self.max_layers = max_layers

    @property
    def start(self) -> LayerCode:
        """The state in which every block begins."""
        return START

    def choices(self, state: LayerCode) -> tuple[tuple[LayerCode, ...], ...]:
        """The legal actions, one group for each layer type that is legal.

        Args:
            state: the start, or any action but Terminal.

        Returns:
            Groups of next layers. Terminal is a group of its own; it is legal
            from the second layer on, and the only choice after the last.
        """
        index = state[0] + 1
        return _choices(index, index <= self.max_layers)

    def is_end(self, action: LayerCode) -> bool:
        """Whether the block ends with this action."""
        return action[1] == LayerType.TERMINAL

    def unshared(self, layout: Layout) -> str:
        """See `Sharing.unshared`: concatenations give layers widths of their own."""
        return f"Blocks of {self.name} hardly share a layer"

    def limited(self, max_layers: int) -> BlockSpace:
        """See `SearchSpace.limited`."""
        return self if max_layers == self.max_layers else BlockSpace(max_layers)

    def numbered(self) -> LayerActions:
        """See `SearchSpace.numbered`."""
        return LayerActions(self.max_layers)

    def fields(self, state: LayerCode, action: LayerCode) -> tuple[Field, ...]:
        """See `SearchSpace.fields`: the type, its kernel, and pointers to the predecessors."""
        return codes.fields_of(LayerCode(*action))

    def ended(self, actions: Sequence[Any]) -> Code | CanonicalBlock:
        """See `SearchSpace.ended`; a block that passes its input on has no code."""
        layers = [layer for layer in _layers_of(actions) if layer.type != LayerType.TERMINAL]
        return (*layers, terminal(len(layers) + 1)) if layers else CanonicalBlock((), (0,))

    def owns(self, code: Sequence[Sequence[int]]) -> bool:
        """See `SearchSpace.owns`: a layer is five integers."""
        return len(code) > 0 and len(code[0]) == len(LayerCode._fields)

    def recognises(self, text: str) -> bool:
        """See `SearchSpace.recognises`."""
        return text.lstrip().startswith("[")

    def check(self, actions: Iterable[Sequence[int]]) -> Code:
        """See `SearchSpace.check`."""
        return codes.check(actions, self.max_layers)

    def parse(self, text: str) -> Code:
        """See `SearchSpace.parse`."""
        return codes.parse(text, self.max_layers)

    def write(self, code: Sequence[Sequence[int]]) -> str:
        """See `SearchSpace.write`."""
        return codes.write(LayerCode(*layer) for layer in code)

    def parse_prefix(self, text: str) -> Code:
        """See `SearchSpace.parse_prefix`."""
        return codes.parse_prefix(text, self.max_layers)

    def write_prefix(self, actions: Sequence[Sequence[int]]) -> str:
        """See `SearchSpace.write_prefix`."""
        return self.write(actions)

    def action_title(self, action: LayerCode) -> str:
        """See `SearchSpace.action_title`."""
        return codes.describe(LayerCode(*action))

    def action_kind(self, action: LayerCode) -> tuple[int, str]:
        """See `SearchSpace.action_kind`: the layer's type."""
        return action[0], LayerType(action[1]).title

    def design(self, code: Code) -> CanonicalBlock:
        """See `SearchSpace.design`: the canonical form."""
        return canonical_form(_layers_of(code))

    def former_designs(self, code: Code) -> tuple[CanonicalBlock, ...]:
        """See `SearchSpace.former_designs`."""
        return (former_form(_layers_of(code)),)

    def plan(self, design: CanonicalBlock, layout: Layout) -> Plan:
        """See `SearchSpace.plan`."""
        self.require_layout(layout)
        return (cells_plan if layout.kind == CELLS else make_plan)(design, layout)

    def rewarded_plan(self, design: CanonicalBlock, layout: Layout) -> Plan:
        """See `SearchSpace.rewarded_plan`: one block at the first stage."""
        return block_plan(design, layout)

    def alone(self, design: CanonicalBlock, channels: int, filters: int) -> Plan:
        """See `SearchSpace.alone`."""
        return placed_alone(design, (8, 8, channels), filters)

    def promise(self, design: CanonicalBlock) -> Promise:
        """See `SearchSpace.promise`."""
        convolutions = [each for each in design.layers if each.type == LayerType.CONVOLUTION]
        adds = sum(layer.type == LayerType.ADD for layer in design.layers)
        return Promise(tuple(layer.kernel for layer in convolutions), adds)

    def graph(self, code: Code, filters: int | None = None) -> Graph:
        """See `SearchSpace.graph`."""
        return block_graph(_layers_of(code), filters)

    def design_graph(self, design: CanonicalBlock, filters: int | None = None) -> Graph:
        """See `SearchSpace.design_graph`."""
        return block_graph(design, filters)

    def places(self, code: Code) -> dict[int, int]:
        """See `SearchSpace.places`."""
        layers = _layers_of(code)
        _, nodes = canonical_numbers(layers)
        found: dict[int, int] = {}
        for layer in layers[:-1]:
            node = nodes[layer.index]
            if node is not None and not computes_nothing(layer):
                # Of several Concats of the same tensors the first stands for all.
                found.setdefault(node, layer.index)
        return found

    def layer_facts(self, code: Code, node: int) -> list[int]:
        """See `SearchSpace.layer_facts`: the five integers of the layer."""
        return [int(field) for field in code[node - 1]]

    def facts(self, code: Code) -> dict[str, Any]:
        """See `SearchSpace.facts`."""
        block = self.design(code)
        return {
            "code": self.write(code),
            "layers": codes.as_lists(code),
            "canonical": {
                "layers": [
                    {"type": int(layer.type), "kernel": layer.kernel, "inputs": list(layer.inputs)}
                    for layer in block.layers
                ],
                "edges": [
                    [source, node]
                    for node, layer in enumerate(block.layers, start=1)
                    for source in layer.inputs
                ],
                "outputs": list(block.outputs),
            },
            "hash": block.hash,
            "nodes": block.nodes,
            "edges": block.edges,
            "density": block.density,
            "leaves": block.leaves,
        }

    def in_words(self, code: Code) -> tuple[list[str], list[str]]:
        """See `SearchSpace.in_words`: layers, then the canonical form."""
        layers, block = _layers_of(code), self.design(code)
        used = {p for layer in layers for p in layer.predecessors}
        decisions = [
            f"  {layer.index:2}  {codes.describe(layer)}"
            + ("" if layer.index in used else "  -> output")
            for layer in layers[:-1]
        ]
        canonical = f"canonical form {block.hash}: {_canonical_in_words(block)}"
        meaning = [
            *textwrap.fill(canonical, 88, subsequent_indent="  ").split("\n"),
            "",
            f"nodes {block.nodes}, edges {block.edges}, density {block.density:.3f}, "
            f"leaves {block.leaves}",
        ]
        return decisions, meaning

    def mutated(self, actions: Iterable[Sequence[int]], random: np.random.Generator) -> Code:
        """A legal block that differs a little; see `mutated_block`."""
        return mutated_block(_layers_of(actions), random, self.max_layers)

    def identity(self, actions: Iterable[Sequence[int]]) -> str:
        """The hash of the block's canonical form."""
        return _canonical(_layers_of(actions)).hash

    def features(self, actions: Iterable[Sequence[int]]) -> tuple[float, ...]:
        """What `block_features` says of the block."""
        return block_features(_canonical(_layers_of(actions)))

    @property
    def published(self) -> Mapping[str, Code]:
        """The blocks of the BlockQNN paper."""
        return PUBLISHED


def _layers_of(actions: Iterable[Sequence[int]]) -> Code:
    """The same layers with their names; agents may return plain tuples."""
    return tuple(a if isinstance(a, LayerCode) else LayerCode(*a) for a in actions)


def layer_name(kind: int, kernel: int) -> str:
    """A short name of what a layer computes, such as conv3x3."""
    name = LayerType(kind).name.lower().replace("_pooling", "").replace("volution", "v")
    return f"{name}{kernel}x{kernel}" if kernel else name


def _canonical_in_words(block: CanonicalBlock) -> str:
    names = ["input"]
    for node, layer in enumerate(block.layers, start=1):
        inputs = ", ".join("input" if i == 0 else f"n{i}" for i in layer.inputs)
        names.append(f"n{node} = {layer_name(layer.type, layer.kernel)}({inputs})")
    outputs = ", ".join("input" if o == 0 else f"n{o}" for o in block.outputs)
    return "; ".join([*names[1:], f"output = {outputs}"])


_canonical = functools.lru_cache(100_000)(canonical_form)
"""Agents ask for the same blocks again and again."""


@functools.cache
def _choices(index: int, may_continue: bool) -> tuple[tuple[LayerCode, ...], ...]:
    """The groups of codes that may stand at `index`."""
    groups, earlier = [], range(index)
    if may_continue:
        groups += [
            tuple(
                LayerCode(index, kind, kernel, source, 0)
                for kernel in kind.kernels
                for source in earlier
            )
            for kind in LayerType
            if kind.arity == 1
        ]
        if index > 1:
            pairs = list(itertools.combinations(earlier, 2))
            groups += [
                tuple(LayerCode(index, kind, 0, *pair) for pair in pairs)
                for kind in LayerType
                if kind.arity == 2
            ]
    if index > 1:
        groups.append((terminal(index),))
    return tuple(groups)

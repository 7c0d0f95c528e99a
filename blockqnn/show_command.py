"""The verb `show`: a block in words and figures, or the best of a run."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import textwrap
from typing import Any, TextIO

from blockqnn.block_reference import BlockReference, is_run, resolve
from blockqnn.drawing.terminal import for_stream
from blockqnn.errors import UserError
from blockqnn.listing import DRY_NOTICE, best_blocks, in_units, number
from blockqnn.run_record import read_run
from blockqnn.trials_command import trial_facts
from networks.canonical import CanonicalBlock, canonical_form
from networks.codes import Code, LayerType, as_lists, describe, write
from networks.cost import Cost, cost
from networks.layout import IMAGENET, Layout

_MOST_BITS = 10_000
"""Numbers of more bits Python refuses to write in decimal."""


@dataclasses.dataclass(frozen=True)
class ShowSettings:
    """What to show.

    Attributes:
        reference: the block, or the directory of a run.
        max_layers: most layers of a code, Terminal not counted.
        layout: for a block that no run gives a layout.
        top: blocks of a run to list.
        as_json: print one JSON object.
    """

    reference: str
    max_layers: int
    layout: Layout
    top: int
    as_json: bool


def show(settings: ShowSettings, stream: TextIO) -> None:
    """Prints a block, or the best blocks of a run.

    Args:
        settings: what to show.
        stream: where to print.

    Raises:
        UserError: if there is no such block or run.
        CodeError: if a code breaks a rule.
    """
    if is_run(settings.reference):
        _show_run(settings, stream)
        return
    found = resolve(settings.reference, settings.max_layers)
    layout = found.layout or settings.layout
    block = canonical_form(found.code)
    spent = cost(block, layout)
    if spent.parameters.bit_length() > _MOST_BITS:
        raise UserError(
            "The child network is too large for its figures to be written; fewer --repeats."
        )
    if settings.as_json:
        facts = block_facts(found.code, block, spent)
        if found.trial is not None:
            facts |= {"trial": trial_facts(found.trial, found.dry)}
        print(json.dumps(facts), file=stream)
    else:
        print(_in_words(found, block, layout, spent), file=stream)
        print(f"\n{for_stream(found.code, layout, stream)}", file=stream)


def block_facts(code: Code, block: CanonicalBlock, spent: Cost) -> dict[str, Any]:
    """A block as JSON.

    Args:
        code: as it was written.
        block: its canonical form.
        spent: cost of its child network.

    Returns:
        Text form, canonical form and figures; FLOPs in units.
    """
    return {
        "code": write(code),
        "layers": as_lists(code),
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
        "depth": spent.depth,
        "parameters": spent.parameters,
        "flops": spent.flops,
        "block_flops": spent.block_flops,
    }


def _show_run(settings: ShowSettings, stream: TextIO) -> None:
    run = read_run(pathlib.Path(settings.reference))
    best = run.best(settings.top)
    if settings.as_json:
        blocks = []
        for trial in best:
            block = canonical_form(trial.code)
            facts = block_facts(trial.code, block, cost(block, run.layout))
            blocks.append(
                {"number": trial.number, "reward": trial.reward, "accuracy": trial.accuracy} | facts
            )
        print(json.dumps({"run": str(run.path), "dry": run.dry, "best": blocks}), file=stream)
        return
    if run.dry:
        print(DRY_NOTICE, file=stream)
    if best:
        print(best_blocks(best), file=stream)
    else:
        print("No block has been trained yet.", file=stream)


def _in_words(found: BlockReference, block: CanonicalBlock, layout: Layout, spent: Cost) -> str:
    lines = [f"{found.title}: {write(found.code)}", ""]
    used = {p for layer in found.code for p in layer.predecessors}
    for layer in found.code[:-1]:
        leaf = "" if layer.index in used else "  -> output"
        lines.append(f"  {layer.index:2}  {describe(layer)}{leaf}")
    canonical = f"canonical form {block.hash}: {_canonical_in_words(block)}"
    lines += ["", textwrap.fill(canonical, 88, subsequent_indent="  "), ""]
    stages = ",".join(map(str, layout.filters))
    kind = "ImageNet" if layout.kind == IMAGENET else "CIFAR"
    lines += [
        f"nodes {block.nodes}, edges {block.edges}, density {block.density:.3f}, "
        f"leaves {block.leaves}",
        f"in a child network: {kind} layout, filters {stages}, {layout.repeats} blocks a stage, "
        f"images {layout.height}x{layout.width}x{layout.channels}, {layout.classes} classes",
        f"  depth        {spent.depth} convolutions",
        f"  parameters   {spent.parameters:,}",
        f"  FLOPs        {in_units(spent.flops)}  (2 x multiply-accumulate, one image, forward)",
        f"  block FLOPs  {in_units(spent.block_flops)}  (one block at the first stage)",
    ]
    if found.trial is not None:
        trial = found.trial
        lines += [
            "",
            f"trial {trial.number}, iteration {trial.iteration}: {trial.status}"
            + (f" ({trial.reason})" if trial.reason else "")
            + (f", as trial {trial.source}" if trial.source else ""),
            f"  reward       {number(trial.reward)}",
            f"  accuracy     {number(trial.accuracy)} %, by epoch "
            + (" ".join(number(a, 1) for a in trial.accuracies) or "-"),
            f"  seconds      {trial.compile_seconds:.1f} compiling, {trial.train_seconds:.1f} "
            "training",
        ]
    if found.dry:
        lines.append(DRY_NOTICE)
    return "\n".join(lines)


def _canonical_in_words(block: CanonicalBlock) -> str:
    names = ["input"]
    for node, layer in enumerate(block.layers, start=1):
        kind = LayerType(layer.type).name.lower().replace("_pooling", "").replace("volution", "v")
        size = f"{layer.kernel}x{layer.kernel}" if layer.kernel else ""
        inputs = ", ".join("input" if i == 0 else f"n{i}" for i in layer.inputs)
        names.append(f"n{node} = {kind}{size}({inputs})")
    outputs = ", ".join("input" if o == 0 else f"n{o}" for o in block.outputs)
    return "; ".join([*names[1:], f"output = {outputs}"])

"""The flags of `bench`."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Sequence

from blockqnn.bench.clock import CLOCKS, PASSING
from blockqnn.bench.command import AGAINST, NONE
from blockqnn.bench.floor import PresetChildren
from blockqnn.bench.settings import BenchSettings
from blockqnn.data.datasets import search_part_sizes
from blockqnn.errors import UserError
from blockqnn.flags import child_network, parsing, preset_files, search
from blockqnn.flags.verb import Verb
from blockqnn.invocation import command
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import MAX_LAYERS
from blockqnn.networks.spaces.registry import SPACES, space_named
from blockqnn.settings import Recipe
from blockqnn.workers.allocation import keep_memory

_BLOCKS = ("block-qnn-s", "residual", "inception")
_OF_BLOCKS = (
    *("blocks", "against", "profile", "measure_lowerings"),
    *("preset", "max_layers"),
)
_OF_SUPERNETS = (*_OF_BLOCKS, "bfloat16", "execution", "clock", "mixture")
"""Flags without an effect on `--supernet`."""
_OF_MIXTURES = (*_OF_BLOCKS, "designs")
"""Likewise on `--mixture`."""
_BLOCKS_ALLOWED = "blocks with commas between them, as in residual,[(1,1,3,0,0),(2,7,0,0,0)]"


def define() -> parsing.FlagSet:
    """The flags of `bench`, at their defaults."""
    flags = parsing.FlagSet(
        "bench",
        "",
        "Measures what children cost here: compiling, a training step, children an hour.",
    )
    recipe = Recipe()
    flags.group("Output")
    flags.choice("format", "table", ("table", "json"), "output for people, or one JSON object")
    flags.group("What to measure")
    flags.special(
        "blocks",
        _BLOCKS,
        "blocks with commas between them: published names, codes, RUN_DIR#NUMBER, RUN_DIR#best or "
        "RUN_DIR#best_early; a trial of a search with --match has its own filters, unless "
        "--filters names others",
        parse_blocks,
        _BLOCKS_ALLOWED,
    )
    flags.integer("steps", 10, "training steps that are timed for each block", 1)
    flags.choice("against", NONE, AGAINST, "take turns with the same child in PyTorch, or do not")
    flags.choice(
        "clock",
        PASSING,
        CLOCKS,
        "time steps by the seconds that pass, or by those of the processor, all cores added up, "
        "which other programs on the machine disturb less",
    )
    flags.switch(
        "profile",
        False,
        "say where a step goes: each program of it measured by itself, by kind and direction",
    )
    flags.switch(
        "measure_lowerings",
        False,
        "instead of blocks, measure every lowering of a convolution on one core of this machine, "
        "in float32, for some ten minutes, and keep the table, by which children and trainings "
        "here are computed from then on",
    )
    flags.choice(
        "supernet",
        NONE,
        (NONE, *SPACES),
        "instead of blocks, measure a step of a design whose weights all designs share, beside one "
        "of the same design by itself, for random designs of this search space",
    )
    flags.integer("designs", 12, "random designs that --supernet measures", 1)
    flags.choice(
        "mixture",
        NONE,
        (NONE, *SPACES),
        "instead of blocks, measure a step of the mixture of all operations of this search space, "
        "beside the same in PyTorch, by turns",
    )
    flags.integer(
        "cores",
        1,
        "cores of a CPU that each process is bound to, as a search binds its workers; 0 for all. "
        "Several share the batches of a child whose images are large enough",
    )
    flags.text(
        "preset",
        preset_files.DEFAULT_PRESET,
        "preset for whose epochs and numbers of images the children an hour are computed, from "
        "the measured seconds of a step, an evaluation and compiling with a filled cache, for one "
        f"worker: {', '.join(preset_files.preset_names())}",
    )
    flags.group("Child network")
    layout = Layout(filters=(16, 32, 64), repeats=2, height=8)
    child_network.define_layout(flags, layout)
    child_network.define_images(flags, layout)
    flags.integer("max_layers", MAX_LAYERS, "most layers of a block, Terminal not counted", 1)
    child_network.define_cells(flags)
    child_network.define_whole(flags)
    flags.group("Training of a child")
    flags.integer("batch_size", 64, "images in a step", 1)
    flags.switch("bfloat16", recipe.bfloat16, "compute in bfloat16; weights stay float32")
    flags.choice(
        "execution",
        recipe.execution,
        ("auto", "layers", "whole"),
        "children compiled layer by layer (CPU) or whole (GPU and TPU)",
    )
    return flags


def parse(arguments: Sequence[str]) -> BenchSettings:
    """Turns the command line of `bench` into settings.

    Args:
        arguments: what follows `bench`.

    Returns:
        What to measure.

    Raises:
        UserError: if the command line cannot be used.
        LayoutError: if the layout cannot be built.
    """
    flags = define()
    words = flags.parse(arguments)
    if words:
        raise UserError(
            f"bench takes flags alone, given {words[0]!r}. See: {command('bench', '--help')}"
        )
    value = flags.chosen()
    if value["measure_lowerings"]:
        named = [n for n in flags.values if flags.values[n].present]
        for name in named:
            if name not in ("measure_lowerings", "batch_size", "format"):
                raise UserError(
                    f"--measure_lowerings measures convolutions and no blocks, so --{name} has no "
                    "effect on it; leave it out."
                )
    for name, unused in (("supernet", _OF_SUPERNETS), ("mixture", _OF_MIXTURES)):
        if value[name] != NONE:
            _check(flags, name, value[name], unused)
    return BenchSettings(
        references=value["blocks"],
        own_filters=not flags.values["filters"].present,
        max_layers=value["max_layers"],
        layout=child_network.chosen_layout(flags),
        recipe=dataclasses.replace(
            Recipe(),
            batch_size=value["batch_size"],
            bfloat16=value["bfloat16"],
            execution=value["execution"],
        ),
        steps=value["steps"],
        children=_children(value["preset"]),
        against=value["against"],
        cores=value["cores"],
        clock=value["clock"],
        profile=value["profile"],
        measures_lowerings=value["measure_lowerings"],
        supernet="" if value["supernet"] == NONE else value["supernet"],
        designs=value["designs"],
        mixture="" if value["mixture"] == NONE else value["mixture"],
        as_json=value["format"] == "json",
    )


def _check(flags: parsing.FlagSet, kind: str, space: str, unused: Sequence[str]) -> None:
    """Refuses what has no effect with `--supernet` or `--mixture`; takes the space's layout."""
    for name in unused:
        if flags.values[name].present:
            raise UserError(
                f"--{kind} measures designs of {space} and no blocks, so --{name} has no effect on "
                "it; leave it out."
            )
    if not flags.values["layout"].present:
        flags.values["layout"].value = next(iter(space_named(space).layouts))


def parse_blocks(text: str) -> tuple[str, ...]:
    """Reads `--blocks`: references with commas between them, where a code has commas too."""
    blocks = tuple(part.strip() for part in re.split(r",(?![^\[]*\])", text))
    if not all(blocks):
        raise ValueError
    return blocks


def _children(preset: str) -> PresetChildren:
    # A dry search reads no images, so the data set of the preset need not be prepared; and with
    # shared weights nothing can be made up.
    settings, _ = search.parse([f"--preset={preset}", "--evaluator=dry", "--weights=own"])
    training, validation = search_part_sizes(settings.data)
    return PresetChildren(preset, settings.recipe.epochs, training, validation)


def _run(settings: BenchSettings) -> int:
    if settings.supernet:
        from blockqnn.bench.bank_steps import bench_supernet

        bench_supernet(settings, sys.stdout, sys.stderr)
        return 0
    if settings.mixture:
        from blockqnn.bench.mixture_steps import bench_mixture

        bench_mixture(settings, sys.stdout, sys.stderr)
        return 0
    if settings.measures_lowerings:
        keep_memory()  # Before JAX is imported.
        from blockqnn.bench.lowering_measurements import measure_lowerings

        batch_size = settings.recipe.batch_size
        measure_lowerings(batch_size, settings.as_json, sys.stdout, sys.stderr)
        return 0
    from blockqnn.bench.command import bench

    bench(settings, sys.stdout, sys.stderr)
    return 0


BENCH = Verb("bench", define, parse, _run)

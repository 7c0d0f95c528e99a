"""What `bench` prints of its measurements."""

from __future__ import annotations

from typing import Any

from blockqnn.bench.child import TORCH
from blockqnn.bench.clock import PROCESSOR
from blockqnn.bench.profile import in_words
from blockqnn.bench.settings import BenchSettings
from blockqnn.listing import number, table
from blockqnn.networks.spaces.registry import stacked

_BY_PROCESSOR = "steps and evaluation in seconds of the processor, all threads added up"


def measured_in_words(facts: dict[str, Any], settings: BenchSettings) -> str:
    """What was measured, for people.

    Args:
        facts: as `bench --format=json` prints them.
        settings: by which they were measured.

    Returns:
        Where steps go if that was asked for, a table, and what its columns mean.
    """
    columns = [
        ("lower s", "lower_seconds", 1.0, 2),
        ("compile s", "compile_cold_seconds", 1.0, 2),
        ("cached", "compile_warm_seconds", 1.0, 2),
        ("wait s", "wait_cold_seconds", 1.0, 2),
        ("wait cached", "wait_warm_seconds", 1.0, 2),
        ("step ms", "step_seconds", 1e3, 2),
        ("images/s", "images_per_second", 1.0, 0),
        ("GFLOP/s", "gflops_per_second", 1.0, 1),
        ("of peak %", "of_peak", 100.0, 1),
        ("floor ms", "floor_seconds", 1e3, 2),
        ("of floor %", "of_floor", 100.0, 1),
        ("children/h", "children_per_hour", 1.0, 0),
    ]
    if settings.against == TORCH:
        columns += [("torch ms", "torch_step", 1e3, 2), ("ratio", "ratio_to_torch", 1.0, 2)]
    rows = [
        [number(row[name] * scale, digits) for _, name, scale, digits in columns]
        + [",".join(map(str, row["filters"])), row["block"]]
        for row in facts["rows"]
    ]
    children = settings.children
    layout = settings.layout
    profiles = [
        f"{row['block']}: where a step goes\n{_profile(row)}\n"
        for row in facts["rows"]
        if "profile" in row
    ]
    return "\n".join(
        [
            *profiles,
            table([*(title for title, *_ in columns), "filters", "block"], rows),
            "",
            "cached: with the cache on disk that compiling once has filled",
            f"device {facts['device']}: at best {facts['flops_per_second'] / 1e9:.1f} GFLOP/s "
            f"in matrix products, {facts['bytes_per_second'] / 1e9:.1f} GB/s in copies",
            f"images {layout.height}x{layout.width}x{layout.channels}, "
            f"{stacked(layout)}, batches of {settings.recipe.batch_size}, "
            f"{'bfloat16' if settings.recipe.bfloat16 else 'float32'}",
            f"children of preset {children.preset}: {children.epochs} epochs of "
            f"{children.training_images:,} images, evaluated on {children.validation_images:,}",
            f"idle while compiling, caches warm: {100 * facts['idle_share']:.1f} %",
            f"convolutions by the {facts['lowerings']} table of lowerings",
            *([_BY_PROCESSOR] if settings.clock == PROCESSOR else []),
            f"on {facts['cores']} of {facts['cores_of_the_machine']} cores; load of other programs "
            f"before: {facts['load']:.1f}",
        ]
    )


def _profile(row: dict[str, Any]) -> str:
    ours, theirs = row["profile"], row.get("torch_profile", [])
    return in_words(ours, theirs, row["step_seconds"], row.get("torch_step"))

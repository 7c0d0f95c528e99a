"""What `evaluate` prints: before it begins, and of what it has measured."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Any

from blockqnn.children.checkpoint import Checkpoint
from blockqnn.children.checkpoint_metadata import Metadata
from blockqnn.full_training.evaluation_images import ALL, TRAIN, ChosenImages
from blockqnn.full_training.heading import class_list
from blockqnn.full_training.parts import by_size
from blockqnn.full_training.settings import HELD_OUT, TEST, VALIDATION
from blockqnn.heading import heading
from blockqnn.listing import counted, in_units, number, table
from blockqnn.workers.machine import described

if TYPE_CHECKING:
    import numpy as np

    from blockqnn.full_training.measuring import Measured

_SPLIT_WORDS = {
    TEST: "test split",
    VALIDATION: "validation split",
    HELD_OUT: "held-out images",
    TRAIN: "train split",
    ALL: "all splits",
}


@dataclasses.dataclass(frozen=True)
class Speed:
    """How fast a network is with batches of one size, images being in the host's memory.

    Attributes:
        batch_size: images at once.
        latency_milliseconds: from images to logits, the median of several runs.
        throughput: images a second.
    """

    batch_size: int
    latency_milliseconds: float
    throughput: float


def evaluation_heading(path: pathlib.Path, metadata: Metadata, chosen: ChosenImages) -> str:
    """The lines that are printed before anything that takes long.

    Args:
        path: of the checkpoint.
        metadata: of the network.
        chosen: which images.

    Returns:
        A sentence that names network, images, size and device, and facts below it.
    """
    layout = metadata.child_layout
    first = (
        f"Measures {metadata.title} on {chosen.in_words()}: {by_size(layout.image_shape)} in "
        f"{layout.classes} classes; on {described()}."
    )
    known = {"Checkpoint": str(path), "Classes": class_list(metadata.class_names)}
    return f"{first}\n{heading(known)}"


def as_facts(
    checkpoint: Checkpoint,
    chosen: ChosenImages,
    measured: Measured,
    speeds: list[Speed],
) -> dict[str, Any]:
    """All figures as JSON.

    Args:
        checkpoint: of the network.
        chosen: which images.
        measured: on them.
        speeds: by batch size.

    Returns:
        An object; errors in percent.
    """
    names = checkpoint.metadata.class_names
    return {
        "checkpoint": str(checkpoint.path),
        "code": checkpoint.metadata.code,
        "dataset": chosen.data.source.dataset,
        "split": chosen.split,
        **measured.facts(),
        "classes": [
            {
                "label": label,
                "name": names[label] if names else None,
                "examples": int(row.sum()),
                "error": _class_error(row, label),
            }
            for label, row in enumerate(measured.confusion)
        ],
        "speed": [dataclasses.asdict(each) for each in speeds],
    }


def _class_error(row: np.ndarray, label: int) -> float | None:
    return 100.0 * float(row.sum() - row[label]) / float(row.sum()) if row.sum() else None


def in_words(
    checkpoint: Checkpoint, chosen: ChosenImages, measured: Measured, speeds: list[Speed]
) -> str:
    """All figures as lines for the terminal; takes what `as_facts` takes."""
    metadata = checkpoint.metadata
    epochs = counted(len(metadata.history), "epoch")
    lines = [
        f"{metadata.title}, {in_units(_parameters(checkpoint))} parameters, after {epochs}: "
        f"{checkpoint.path}",
        "",
        f"{chosen.data.source.dataset}, {_SPLIT_WORDS[chosen.split]}, {measured.examples:,} images",
        f"  error        {measured.error:.2f} %",
    ]
    if measured.top5_error is not None:
        lines.append(f"  top-5 error  {measured.top5_error:.2f} %")
    lines += [
        f"  loss         {measured.loss:.4f}",
        "",
        _class_table(metadata.class_names, measured),
    ]
    if speeds:
        rows = [
            [str(s.batch_size), f"{s.latency_milliseconds:.2f}", f"{s.throughput:,.0f}"]
            for s in speeds
        ]
        lines += ["", table(["batch size", "milliseconds", "images a second"], rows)]
    return "\n".join(lines)


def _class_table(names: list[str], measured: Measured) -> str:
    def name(label: int) -> str:
        return names[label] if names else str(label)

    rows = []
    for label, row in enumerate(measured.confusion):
        wrong = row.copy()
        wrong[label] = 0
        taken = f"{name(int(wrong.argmax()))} ({wrong.max()})" if wrong.max() else "-"
        rows.append([name(label), f"{row.sum():,}", number(_class_error(row, label)), taken])
    return table(["class", "images", "error %", "most often taken for"], rows)


def _parameters(checkpoint: Checkpoint) -> int:
    from blockqnn.networks.cost import parameters

    return parameters(checkpoint.metadata.plan)

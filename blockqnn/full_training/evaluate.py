"""The verb `evaluate`: a trained network's errors, class by class, and its speed."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from blockqnn.children.checkpoint import Checkpoint, load_checkpoint
from blockqnn.errors import UserError
from blockqnn.full_training.settings import FullData
from blockqnn.full_training.splits import FullInfo, Part, describe_full, open_test, open_training
from blockqnn.listing import counted, in_units, number, table
from blockqnn.settings import DataSettings

if TYPE_CHECKING:
    import numpy as np

    from blockqnn.full_training.measuring import Measured

TEST, TRAIN = "test", "train"
SPLITS = (TEST, TRAIN)
_TIMED_SECONDS, _TIMED_RUNS = 1.0, 5


@dataclasses.dataclass(frozen=True)
class EvaluateSettings:
    """What to evaluate.

    Attributes:
        checkpoint: its directory, or that of a training.
        dataset: empty for the one that it was trained on.
        data_dir: where TFDS keeps data sets; empty for its default.
        split: `test` or `train`.
        batch_size: images at once while errors are counted.
        batch_sizes: whose latency and throughput are measured; empty for none.
        readers: threads that read and decode images.
        bfloat16: compute in bfloat16.
        as_json: print one JSON object.
    """

    checkpoint: pathlib.Path
    dataset: str
    data_dir: str
    split: str
    batch_size: int
    batch_sizes: tuple[int, ...]
    readers: int
    bfloat16: bool
    as_json: bool


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


def evaluate(settings: EvaluateSettings, stream: TextIO) -> None:
    """Prints how well and how fast a trained network is.

    Args:
        settings: what to evaluate.
        stream: where to print.

    Raises:
        UserError: if the checkpoint or the data set cannot be used, or they do not match.
    """
    checkpoint = load_checkpoint(settings.checkpoint)
    data = evaluation_data(checkpoint, settings)
    info = describe_full(data)
    refuse_unfit(checkpoint, info, data.source.dataset)
    part = open_test(data) if settings.split == TEST else open_training(data)[0]
    # JAX is slow to import, and what is wrong is found without it.
    from blockqnn.full_training.measuring import measure

    compute = forward(checkpoint, settings.bfloat16)
    measured = measure(compute, part, info.classes, settings.batch_size, settings.readers)
    speeds = [speed(compute, part, size) for size in settings.batch_sizes]
    if settings.as_json:
        facts = as_facts(checkpoint, data, settings.split, measured, speeds)
        print(json.dumps(facts), file=stream)
    else:
        print(_in_words(checkpoint, data, settings.split, measured, speeds), file=stream)


def evaluation_data(checkpoint: Checkpoint, settings: EvaluateSettings) -> FullData:
    """Which images to read: cut like those of the training.

    Args:
        checkpoint: of the network.
        settings: name and place of another data set, if it is to be another.

    Returns:
        The data set.
    """
    before = checkpoint.metadata.data
    name = settings.dataset or str(before["source"]["dataset"])
    same = name == before["source"]["dataset"]
    return FullData(
        source=DataSettings(name, settings.data_dir),
        test_split=str(before["test_split"]) if same else "",
        resize=int(before["resize"]),
        image_size=int(before["image_size"]),
    )


def refuse_unfit(checkpoint: Checkpoint, info: FullInfo, dataset: str) -> None:
    """Refuses images that a network was not made for.

    Args:
        checkpoint: of the network.
        info: of the data set.
        dataset: its name.

    Raises:
        UserError: if shape or classes differ.
    """
    layout = checkpoint.metadata.child_layout
    if info.seen != layout.image_shape or info.classes != layout.classes:
        given = "x".join(map(str, info.seen))
        wanted = "x".join(map(str, layout.image_shape))
        raise UserError(
            f"The images of {dataset} are {given} in {info.classes} classes; the network in "
            f"{checkpoint.path} takes {wanted} in {layout.classes} classes."
        )


def forward(checkpoint: Checkpoint, bfloat16: bool) -> Callable[[np.ndarray], np.ndarray]:
    """The network as a compiled function.

    Args:
        checkpoint: of the network.
        bfloat16: compute in bfloat16.

    Returns:
        From images, uint8 [B, H, W, C], perhaps larger than the network takes, to
        float32 [B, classes].
    """
    import jax
    import jax.numpy as jnp
    import numpy as np
    from flax import nnx

    from blockqnn.full_training.augmentation import central_crop

    layout, metadata = checkpoint.metadata.child_layout, checkpoint.metadata
    graph, state = nnx.split(checkpoint.network(bfloat16))
    mean = jnp.asarray(metadata.mean, jnp.float32)[None, None, None, :]
    deviation = jnp.asarray(metadata.deviation, jnp.float32)[None, None, None, :]

    @jax.jit
    def logits(state: Any, images: jax.Array) -> jax.Array:
        with jax.numpy_dtype_promotion("standard"):
            normalised = (images.astype(jnp.float32) - mean) / deviation
            side = layout.height, layout.width
            result: jax.Array = nnx.merge(graph, state)(central_crop(normalised, side))
            return result

    return lambda images: np.asarray(logits(state, images))


def speed(compute: Callable[[np.ndarray], np.ndarray], part: Part, batch_size: int) -> Speed:
    """Times a network, compiling not counted.

    Args:
        compute: as `forward` returns it.
        part: whose first images are taken, again and again if they are too few.
        batch_size: images at once.

    Returns:
        The figures.
    """
    import numpy as np

    images = part.read(np.arange(batch_size) % len(part)).images
    compute(images)
    seconds: list[float] = []
    while len(seconds) < _TIMED_RUNS or sum(seconds) < _TIMED_SECONDS:
        begun = time.perf_counter()
        compute(images)
        seconds.append(time.perf_counter() - begun)
    median = statistics.median(seconds)
    return Speed(batch_size, 1000 * median, batch_size / median)


def as_facts(
    checkpoint: Checkpoint,
    data: FullData,
    split: str,
    measured: Measured,
    speeds: list[Speed],
) -> dict[str, Any]:
    """All figures as JSON.

    Args:
        checkpoint: of the network.
        data: which images.
        split: `test` or `train`.
        measured: on them.
        speeds: by batch size.

    Returns:
        An object; errors in percent.
    """
    names = checkpoint.metadata.class_names
    return {
        "checkpoint": str(checkpoint.path),
        "code": checkpoint.metadata.code,
        "dataset": data.source.dataset,
        "split": split,
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


def _in_words(
    checkpoint: Checkpoint, data: FullData, split: str, measured: Measured, speeds: list[Speed]
) -> str:
    metadata = checkpoint.metadata
    epochs = counted(len(metadata.history), "epoch")
    lines = [
        f"{metadata.title}, {in_units(_parameters(checkpoint))} parameters, after {epochs}: "
        f"{checkpoint.path}",
        "",
        f"{data.source.dataset}, {split} split, {measured.examples:,} images",
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

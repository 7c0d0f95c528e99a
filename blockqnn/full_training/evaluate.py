"""The verb `evaluate`: a trained network's errors, class by class, and its speed."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import statistics
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from blockqnn.children.checkpoint import Checkpoint, find_checkpoint, load_checkpoint, verify
from blockqnn.children.checkpoint_metadata import Metadata, read_metadata
from blockqnn.full_training import evaluate_text
from blockqnn.full_training.evaluate_text import Speed
from blockqnn.full_training.evaluation_images import ChosenImages, choose, open_images
from blockqnn.full_training.parts import check_part, part_digest
from blockqnn.full_training.progress import ImageProgress
from blockqnn.full_training.splits import Part
from blockqnn.listing import counted
from blockqnn.settings import DataSettings

if TYPE_CHECKING:
    import numpy as np

_TIMED_SECONDS, _TIMED_RUNS = 1.0, 5


@dataclasses.dataclass(frozen=True)
class EvaluateSettings:
    """What to evaluate.

    Attributes:
        checkpoint: its directory, or that of a training.
        source: another data set; its `dataset` is empty for that of the training.
        split: one of `evaluation_images.SPLITS`.
        batch_size: images at once while errors are counted.
        batch_sizes: whose latency and throughput are measured; empty for none.
        readers: threads that read and decode images.
        bfloat16: compute in bfloat16.
        as_json: print one JSON object.
    """

    checkpoint: pathlib.Path
    source: DataSettings
    split: str
    batch_size: int
    batch_sizes: tuple[int, ...]
    readers: int
    bfloat16: bool
    as_json: bool


def evaluate(settings: EvaluateSettings, stream: TextIO) -> None:
    """Prints how well and how fast a trained network is.

    Args:
        settings: what to evaluate.
        stream: where to print.

    Raises:
        UserError: if the checkpoint or the data set cannot be used, or they do not match.
    """
    path = find_checkpoint(settings.checkpoint)
    verify(path)
    metadata = read_metadata(path)
    chosen = choose(metadata, settings.source, settings.split)
    shown = None if settings.as_json else stream
    say(evaluate_text.evaluation_heading(path, metadata, chosen), shown)
    part = open_images(chosen)
    check_part(part, chosen.info.stored, metadata.child_layout.classes, chosen.data.source.dataset)
    _warn_of_change(metadata, chosen, part)
    # JAX is slow to import, and what is wrong is found without it.
    from blockqnn.children.devices import local_devices
    from blockqnn.full_training.measuring import measure

    say(f"Read {counted(len(part), 'image')}. Compiling the network ...", shown)
    local_devices()
    checkpoint = load_checkpoint(path)
    compute = forward(checkpoint, settings.bfloat16)
    classes = metadata.child_layout.classes
    with ImageProgress(shown, len(part)) as progress:
        measured = measure(
            compute, part, classes, settings.batch_size, settings.readers, progress.seen
        )
    if settings.batch_sizes:
        say(f"Timing batches of {', '.join(map(str, settings.batch_sizes))} ...", shown)
    speeds = [speed(compute, part, size) for size in settings.batch_sizes]
    if settings.as_json:
        facts = evaluate_text.as_facts(checkpoint, chosen, measured, speeds)
        print(json.dumps(facts), file=stream)
    else:
        print(f"\n{evaluate_text.in_words(checkpoint, chosen, measured, speeds)}", file=stream)


def _warn_of_change(metadata: Metadata, chosen: ChosenImages, part: Part) -> None:
    """Says so where the images that judged the training are not those of that time."""
    if not chosen.own or chosen.split != metadata.data.get("judged_on") or not len(part):
        return
    if metadata.judged_digest and part_digest(part) != metadata.judged_digest:
        print(
            f"blockqnn: warning: {chosen.in_words()} is not what judged the training: the images "
            "have changed since.",
            file=sys.stderr,
        )


def say(text: str, stream: TextIO | None) -> None:
    """Prints a line at once; nothing where there is no stream."""
    if stream is not None:
        print(text, file=stream, flush=True)


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

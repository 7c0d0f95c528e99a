"""What a step holds of the weights of its layer, and how it is put back.

Most steps hold arrays of their layer as they are. Of a kernel whose input is
cut into parts, a step holds the rows of its parts, and where a part occurs more
than once, the sum of its rows (`blockqnn.networks.parts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from blockqnn.networks.parts import Step


def own_parameters(step: Step, layer: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a step holds of its layer's arrays; rows of one input are summed up.

    Args:
        step: of a plan that was cut.
        layer: the trained arrays of the layer that it belongs to.

    Returns:
        Arrays of the shapes that the step asks for.
    """
    own = {name: layer[name] for name in step.parameter_shapes}
    if step.rows:
        widths = [shape[-1] for shape in step.input_shapes]
        kernel = layer["kernel"]
        summed = [
            sum(kernel[..., start : start + width, :] for start in starts)
            for starts, width in zip(step.rows, widths, strict=True)
        ]
        own["kernel"] = np.concatenate(summed, axis=-2)
    return own


def copies(step: Step, own: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """How many of its layer's numbers each of a step's numbers stands for.

    Args:
        step: of a plan that was cut.
        own: its arrays, as `own_parameters` returns them.

    Returns:
        For each array a number, float32 []; for rows of a kernel one each, [rows, 1].
    """
    times = {name: np.ones((), np.float32) for name in own}
    if step.rows:
        widths = [shape[-1] for shape in step.input_shapes]
        times["kernel"] = np.repeat(np.asarray(step.copies, np.float32), widths)[:, None]
    return times


def put_back(
    step: Step,
    trained: Mapping[str, np.ndarray],
    initial: Mapping[str, np.ndarray],
    layer: dict[str, np.ndarray],
) -> None:
    """Writes what a step has trained into the arrays of its layer.

    Args:
        step: of a plan that was cut.
        trained: its arrays after training.
        initial: the layer's arrays before training.
        layer: the same arrays, which are changed; those rows of the kernel that
            belong to other steps stay.
    """
    own = dict(trained)
    if step.rows:
        before = own_parameters(step, initial)
        moved = (own.pop("kernel") - before["kernel"]) / copies(step, before)["kernel"]
        for rows, change in _kernel_rows(step, moved):
            layer["kernel"][..., rows, :] += change
    layer |= own


def _kernel_rows(step: Step, array: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Every place in the layer's kernel that a step stands for, with the part of an array."""
    end = 0
    for starts, shape in zip(step.rows, step.input_shapes, strict=True):
        begin, end = end, end + shape[-1]
        for start in starts:
            yield slice(start, start + shape[-1]), array[..., begin:end, :]

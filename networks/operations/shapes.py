"""The shapes of what operations write: height, width and channels, or channels of a vector."""

from __future__ import annotations

from collections.abc import Callable

from blockqnn.networks.operations.steps import Shape

ShapeRule = Callable[[tuple[Shape, ...], int, int, int], Shape]
"""From the inputs' shapes, kernel, stride and filters to the output's shape."""


def same_shape(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """That of the first input."""
    return inputs[0]


def of_filters(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """The input's pixels, thinned by the stride, of so many channels."""
    height, width, _ = inputs[0]
    return (-(-height // stride), -(-width // stride), filters)


def narrowed(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """The input's pixels, of so many channels."""
    return (*inputs[0][:-1], filters)


def as_the_rest(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """The second input's channels, of the first one's pixels."""
    return (*inputs[0][:-1], inputs[1][-1])


def halved(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """Half of the input's rows and columns, rounded down."""
    height, width, channels = inputs[0]
    return (height // 2, width // 2, channels)


def within(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """The places at which the whole window lies within the map."""
    height, width, _ = inputs[0]
    return ((height - kernel) // stride + 1, (width - kernel) // stride + 1, filters)


def thinned_within(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """The places at which the whole window lies within the map, of the input's channels."""
    return within(inputs, kernel, stride, inputs[0][-1])


def one_place(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """One pixel of so many channels."""
    return (1, 1, filters)


def thinned(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """The input's pixels, thinned by the stride."""
    height, width, channels = inputs[0]
    return (-(-height // stride), -(-width // stride), channels)


def thinned_across(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """The input's rows, and its columns thinned by the stride, of so many channels."""
    return (inputs[0][0], *of_filters(inputs, kernel, stride, filters)[1:])


def thinned_down(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """The input's rows thinned by the stride, and its columns, of so many channels."""
    return (of_filters(inputs, kernel, stride, filters)[0], inputs[0][1], filters)


def thinned_once(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """Half of the input's rows and columns, rounded up, of so many channels."""
    return of_filters(inputs, kernel, 2, filters)


def widest(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """That of the first input, of as many channels as the widest has."""
    return (*inputs[0][:-1], max(shape[-1] for shape in inputs))


def side_by_side(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """That of the first input, of all inputs' channels."""
    return (*inputs[0][:-1], sum(shape[-1] for shape in inputs))


def grown(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """The first input's channels, the second's rows and the third's columns."""
    return (inputs[1][0], inputs[2][1], inputs[0][-1])


def channels(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """The input's channels alone."""
    return inputs[0][-1:]


def vector_of_filters(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """So many channels alone."""
    return (filters,)


def second_shape(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """That of the second input."""
    return inputs[1]


def is_given(inputs: tuple[Shape, ...], kernel: int, stride: int, filters: int) -> Shape:
    """Refuses: the shape of an image is given."""
    raise ValueError("The shape of an image is given, not computed.")

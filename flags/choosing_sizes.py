"""Which heights and widths the preset `own` may scale images to."""

from __future__ import annotations


def image_sizes(
    own: tuple[int, int], one_size: bool, scalable: bool, accelerated: bool
) -> list[tuple[int, int]]:
    """Heights and widths that children may see.

    Args:
        own: height and width of the images, or of the median one.
        one_size: whether all have that size.
        scalable: whether another size can be asked for.
        accelerated: whether a GPU or a TPU trains.

    Returns:
        Sizes, the best first.
    """
    if not scalable:
        return [own]
    # Textures and small objects are gone below 32 pixels; above 64 a core is too slow.
    longest = [128, 96] if accelerated else [64, 48, 32]
    if one_size and max(own) <= longest[0]:
        return [own, *(_scaled(own, side) for side in longest if side < max(own))]
    if one_size:
        return [_scaled(own, side) for side in longest]
    # Of different shapes, squares cut off least.
    side = min(own)
    return [(s, s) for s in dict.fromkeys(min(_eights(side), s) for s in longest)]


def _scaled(size: tuple[int, int], side: int) -> tuple[int, int]:
    """The same proportions with another longer side."""
    height, width = (_eights(edge * side / max(size)) for edge in size)
    return height, width


def _eights(edge: float) -> int:
    """Sides in steps of eight are halved without rest."""
    return max(8, int(edge / 8 + 0.5) * 8)

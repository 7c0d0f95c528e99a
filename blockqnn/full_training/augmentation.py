"""Random crops, mirror images and blanked squares, computed on the device in a training step."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from blockqnn.full_training.settings import FullRecipe


def augmented(
    key: jax.Array, images: jax.Array, side: tuple[int, int], recipe: FullRecipe
) -> jax.Array:
    """Changes each image of a batch in its own way.

    Args:
        key: of the random choices.
        images: [B, H, W, C], normalised; zero is the mean of the training images.
        side: height and width that the network sees.
        recipe: which changes.

    Returns:
        [B, height, width, C].
    """
    crop_key, flip_key, cutout_key = jax.random.split(key, 3)
    images = random_crop(crop_key, images, side, recipe.crop_padding)
    if recipe.flip:
        images = random_flip(flip_key, images)
    if recipe.cutout:
        images = random_cutout(cutout_key, images, recipe.cutout)
    return images


def random_crop(
    key: jax.Array, images: jax.Array, side: tuple[int, int], padding: int
) -> jax.Array:
    """Cuts a window out of each padded image, all places being equally likely.

    Args:
        key: of the choice.
        images: [B, H, W, C].
        side: height and width of the window, at most those of the padded image.
        padding: pixels of zeros on each side of an image.

    Returns:
        [B, height, width, C].
    """
    height, width = (length + 2 * padding for length in images.shape[1:3])
    room = jnp.array([height - side[0] + 1, width - side[1] + 1])
    if height == side[0] and width == side[1]:
        return images
    padded = jnp.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    corners = jax.random.randint(key, (images.shape[0], 2), 0, room[None, :])

    def cut(image: jax.Array, corner: jax.Array) -> jax.Array:
        start = (corner[0], corner[1], jnp.zeros_like(corner[0]))
        return jax.lax.dynamic_slice(image, start, (*side, image.shape[-1]))

    return jax.vmap(cut)(padded, corners)


def central_crop(images: jax.Array, side: tuple[int, int]) -> jax.Array:
    """The middle of each image.

    Args:
        images: [B, H, W, C].
        side: height and width to keep, at most the image's.

    Returns:
        [B, height, width, C].
    """
    top, left = ((have - keep) // 2 for have, keep in zip(images.shape[1:3], side, strict=True))
    return images[:, top : top + side[0], left : left + side[1]]


def random_flip(key: jax.Array, images: jax.Array) -> jax.Array:
    """Mirrors half of the images, left for right.

    Args:
        key: of the choice.
        images: [B, H, W, C].

    Returns:
        [B, H, W, C].
    """
    mirrored = jax.random.bernoulli(key, 0.5, images.shape[:1])
    return jnp.where(mirrored[:, None, None, None], images[:, :, ::-1], images)


def random_cutout(key: jax.Array, images: jax.Array, side: int) -> jax.Array:
    """Blanks a square in each image (DeVries and Taylor, arXiv 1708.04552).

    Its centre is any pixel, so part of it may lie outside.

    Args:
        key: of the choice.
        images: [B, H, W, C]; zero is blank.
        side: of the square in pixels.

    Returns:
        [B, H, W, C].
    """
    batch, height, width, _ = images.shape
    lengths = jnp.array([height, width])
    first = jax.random.randint(key, (batch, 2), 0, lengths[None, :]) - side // 2
    rows = jnp.arange(height)[None, :] - first[:, :1]
    columns = jnp.arange(width)[None, :] - first[:, 1:]
    inside = ((rows >= 0) & (rows < side))[:, :, None] & ((columns >= 0) & (columns < side))[
        :, None, :
    ]
    return jnp.where(inside[..., None], jnp.zeros_like(images), images)

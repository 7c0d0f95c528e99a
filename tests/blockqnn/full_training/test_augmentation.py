"""Random crops, mirror images and cutout, against what they may make of an image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blockqnn.full_training.augmentation import (
    augmented,
    central_crop,
    random_crop,
    random_cutout,
    random_flip,
)
from blockqnn.full_training.settings import FullRecipe

KEY = jax.random.key(0)


def images(batch=1, height=5, width=4, channels=2):
    """Images whose pixels all differ from one another and from zero."""
    count = batch * height * width * channels
    return np.arange(1, count + 1, dtype=np.float32).reshape(batch, height, width, channels)


def repeated(image, times):
    return np.repeat(image, times, axis=0)


def test_every_window_of_the_padded_image_is_cut_equally_often():
    image = images()
    found = np.asarray(random_crop(KEY, repeated(image, 9000), (5, 4), 1))
    padded = np.pad(image[0], ((1, 1), (1, 1), (0, 0)))
    windows = [padded[i : i + 5, j : j + 4] for i in range(3) for j in range(3)]
    counts = [np.sum((found == window).all(axis=(1, 2, 3))) for window in windows]
    assert sum(counts) == 9000
    assert max(counts) - min(counts) < 9 * np.sqrt(1000)


def test_a_smaller_window_is_cut_from_a_larger_image_without_padding():
    image = images(height=6, width=6)
    found = np.asarray(random_crop(KEY, repeated(image, 500), (4, 4), 0))
    assert found.shape == (500, 4, 4, 2)
    windows = {image[0, i : i + 4, j : j + 4].tobytes() for i in range(3) for j in range(3)}
    assert {crop.tobytes() for crop in found} == windows


def test_without_room_nothing_is_cut():
    batch = images(batch=3)
    assert np.array_equal(random_crop(KEY, batch, (5, 4), 0), batch)


def test_the_middle_is_kept_for_evaluation():
    batch = images(height=7, width=6)
    assert np.array_equal(central_crop(batch, (4, 4)), batch[:, 1:5, 1:5])
    assert np.array_equal(central_crop(batch, (7, 6)), batch)


def test_half_of_the_images_are_mirrored():
    image = images()
    found = np.asarray(random_flip(KEY, repeated(image, 4000)))
    mirrored = (found == image[:, :, ::-1]).all(axis=(1, 2, 3))
    as_before = (found == image).all(axis=(1, 2, 3))
    assert (mirrored ^ as_before).all()
    assert mirrored.mean() == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("side", [1, 2, 3])
def test_cutout_blanks_a_square_around_any_pixel(side):
    image = images(height=5, width=6)
    found = np.asarray(random_cutout(KEY, repeated(image, 3000), side))
    blank = found[..., 0] == 0
    assert np.array_equal(found, np.where(blank[..., None], 0, image))
    wanted = set()
    for row in range(5):
        for column in range(6):
            square = np.zeros((5, 6), bool)
            top, left = row - side // 2, column - side // 2
            square[max(0, top) : top + side, max(0, left) : left + side] = True
            wanted.add(square.tobytes())
    assert {each.tobytes() for each in blank} == wanted


def test_the_recipe_says_what_is_done_and_the_key_how():
    batch = images(batch=8, height=8, width=8)
    nothing = FullRecipe(crop_padding=0, flip=False)
    assert np.array_equal(augmented(KEY, batch, (8, 8), nothing), batch)
    for recipe in (
        FullRecipe(crop_padding=2, flip=False),
        FullRecipe(crop_padding=0, flip=True),
        FullRecipe(crop_padding=0, flip=False, cutout=3),
    ):
        first, same = (augmented(KEY, batch, (8, 8), recipe) for _ in range(2))
        assert np.array_equal(first, same)
        assert not np.array_equal(first, batch)
        other = augmented(jax.random.key(1), batch, (8, 8), recipe)
        assert not np.array_equal(first, other)


def test_images_of_a_batch_are_changed_independently():
    found = np.asarray(random_crop(KEY, repeated(images(), 200), (5, 4), 2))
    assert len({crop.tobytes() for crop in found}) > 10
    assert jnp.asarray(found).dtype == jnp.float32

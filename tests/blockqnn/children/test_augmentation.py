"""Images that are changed before each epoch of a child or of a supernet."""

import dataclasses

import numpy as np
import pytest

from blockqnn.children.augmentation import (
    _interpolation,
    augmented,
    enlarged_crops,
    mirrored,
    padded_crops,
)
from blockqnn.children.training import on_device, train_child
from blockqnn.contests.shared_outcomes import children_digest
from blockqnn.data.images import Images
from blockqnn.flags import search
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, design_plan, parse
from blockqnn.settings import AUGMENTATIONS, ENLARGED, PADDED, UNCHANGED, Recipe


def pixels(count=200, shape=(8, 16, 3), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def test_windows_of_padded_images_are_the_image_moved():
    images, fill = pixels(), np.array([7, 8, 9], np.uint8)
    found = padded_crops(images, fill, np.random.default_rng(1))
    assert found.shape == images.shape and found.dtype == np.uint8
    places = set()
    for image, window in zip(images, found, strict=True):
        padded = np.empty((10, 20, 3), np.uint8)
        padded[:] = fill
        padded[1:9, 2:18] = image
        fits = [(i, j) for i in range(3) for j in range(5)
                if np.array_equal(padded[i : i + 8, j : j + 16], window)]  # fmt: skip
        assert len(fits) == 1
        places.update(fits)
    assert len(places) == 15, "every place occurs"


def test_enlarging_by_hand():
    # Four pixels become five: centres at 0.4, 1.2, 2, 2.8 and 3.6 of old pixels, less a half.
    np.testing.assert_allclose(
        _interpolation(4),
        [[1, 0, 0, 0], [0.3, 0.7, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0.7, 0.3], [0, 0, 0, 1]],
        atol=1e-6,
    )
    assert _interpolation(32).shape == (40, 32) and _interpolation(1).tolist() == [[1], [1]]
    for side in (2, 7, 28, 32):
        np.testing.assert_allclose(_interpolation(side).sum(1), 1, rtol=1e-6)


def test_windows_of_enlarged_images_are_those_of_a_slow_enlargement():
    images = pixels(40, (8, 4, 1))
    found = enlarged_crops(images, np.random.default_rng(2))
    places = set()
    for image, window in zip(images[..., 0].astype(float), found[..., 0], strict=True):
        rows = np.clip((np.arange(10) + 0.5) * 0.8 - 0.5, 0, 7)
        columns = np.clip((np.arange(5) + 0.5) * 0.8 - 0.5, 0, 3)
        tall = np.stack([np.interp(rows, np.arange(8), column) for column in image.T], axis=1)
        large = np.stack([np.interp(columns, np.arange(4), row) for row in tall])
        fits = [(i, j) for i in range(3) for j in range(2)
                if np.abs(large[i : i + 8, j : j + 4] - window).max() < 0.51]  # fmt: skip
        assert len(fits) == 1
        places.update(fits)
    assert len(places) == 6


def test_half_of_the_images_are_mirrored():
    images = pixels(400)
    found = mirrored(images, np.random.default_rng(3))
    same = np.array([np.array_equal(a, b) for a, b in zip(found, images, strict=True)])
    turned = np.array([np.array_equal(a[:, ::-1], b) for a, b in zip(found, images, strict=True)])
    assert (same ^ turned).all() and 150 < turned.sum() < 250


@pytest.fixture(scope="module")
def parts():
    images = Images(pixels(32, (8, 8, 1)), np.arange(32) % 3)
    return on_device(images, images)


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_a_part_is_changed_by_its_seed_alone(parts, kind):
    first, again, other = (augmented(parts[0], kind, seed) for seed in ((1, 2), (1, 2), (1, 3)))
    assert first.images.dtype == np.uint8 and first.images.shape == parts[0].images.shape
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.labels, parts[0].labels)
    assert np.array_equal(first.images, other.images) == (kind == UNCHANGED)
    assert (first is parts[0]) == (kind == UNCHANGED)


def test_the_border_is_what_is_zero_after_normalising(parts):
    found = np.asarray(augmented(parts[0], PADDED, (0,)).images)
    # Of these images an edge is a border for two of nine places.
    mean = int(np.rint(float(parts[0].mean[0])))
    assert any((image[0] == mean).all() or (image[-1] == mean).all() for image in found[..., 0])


@pytest.mark.parametrize("execution", ["layers", "whole"])
def test_a_child_sees_other_images_each_epoch_and_the_same_the_next_time(parts, execution):
    code = parse("[(1,1,3,0,0)]")
    layout = Layout(filters=(4,), repeats=1, height=8, width=8, channels=1, classes=3)
    plan = design_plan(design_of(code), layout)

    def losses(kind, seed=5):
        recipe = Recipe(epochs=2, batch_size=16, restarts=0, execution=execution, augmentation=kind)
        return train_child(plan, recipe, *parts, seed).losses

    enlarged = losses(ENLARGED)
    assert enlarged == losses(ENLARGED) and enlarged != losses(ENLARGED, 6)
    assert len({tuple(losses(kind)) for kind in AUGMENTATIONS}) == 3


def test_digests_of_children_without_it_stay():
    usual = search.parse(["--dataset=digits"])[0]
    assert usual.recipe.augmentation == UNCHANGED
    other = search.parse(["--dataset=digits", "--augmentation=padded"])[0]
    assert other.recipe == dataclasses.replace(usual.recipe, augmentation=PADDED)
    assert children_digest(usual) != children_digest(other)

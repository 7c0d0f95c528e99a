"""How images are split, and their statistics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.data.images import Images, channel_statistics, split_indices
from blockqnn.errors import UserError

# Sizes of the classes of a data set, all large enough to be split.
class_sizes = st.lists(st.integers(2, 60), min_size=1, max_size=6)


def shuffled_labels(sizes, seed=0):
    labels = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    return np.random.default_rng(seed).permutation(labels)


def counts(labels, indices, classes):
    return np.bincount(labels[indices], minlength=classes)


@given(class_sizes, st.integers(0, 5))
def test_one_image_in_six_of_each_class_is_held_out(sizes, seed):
    labels = shuffled_labels(sizes)
    train, validation = split_indices(labels, 0, seed)
    held = counts(labels, validation, len(sizes))
    assert np.all(np.abs(held - np.array(sizes) / 6) <= np.where(np.array(sizes) < 4, 1, 0.5))
    assert held.min() >= 1
    assert np.array_equal(counts(labels, train, len(sizes)), sizes - held)


@given(class_sizes, st.integers(0, 5))
def test_the_parts_are_disjoint_and_together_they_are_all_images(sizes, seed):
    labels = shuffled_labels(sizes)
    train, validation = split_indices(labels, 0, seed)
    assert sorted([*train, *validation]) == list(range(len(labels)))
    assert list(train) == sorted(train)
    assert list(validation) == sorted(validation)


def test_the_split_is_fixed_by_its_seed():
    labels = shuffled_labels([30, 40, 50])
    first, again, other = (split_indices(labels, 60, seed) for seed in (1, 1, 2))
    for part in (0, 1):
        assert np.array_equal(first[part], again[part])
        assert not np.array_equal(first[part], other[part])


def test_the_images_held_out_are_not_the_first_of_their_class():
    labels = np.zeros(600, np.int32)
    _, validation = split_indices(labels, 0, 0)
    assert validation.max() > 500


@given(class_sizes, st.data())
def test_as_many_images_as_wanted_are_trained_on(sizes, data):
    labels = shuffled_labels(sizes)
    everything, held_out = split_indices(labels, 0, 3)
    wanted = data.draw(st.integers(len(sizes), len(everything)))
    train, validation = split_indices(labels, wanted, 3)
    assert len(train) == len(set(train)) == wanted
    assert set(train) <= set(everything)
    assert np.array_equal(validation, held_out)
    assert counts(labels, train, len(sizes)).min() >= 1


@given(class_sizes, st.data())
def test_as_many_images_as_wanted_judge(sizes, data):
    labels = shuffled_labels(sizes)
    everything, held_out = split_indices(labels, 0, 3)
    wanted = data.draw(st.integers(len(sizes), len(held_out)))
    train, validation = split_indices(labels, 0, 3, wanted)
    assert len(validation) == len(set(validation)) == wanted
    assert set(validation) <= set(held_out)
    assert np.array_equal(train, everything)
    assert counts(labels, validation, len(sizes)).min() >= 1


@given(st.lists(st.integers(24, 60), min_size=1, max_size=5), st.floats(0.5, 1))
def test_fewer_images_keep_the_shares_of_the_classes(sizes, share):
    labels = shuffled_labels(sizes)
    everything, _ = split_indices(labels, 0, 0)
    wanted = int(share * len(everything))
    train, _ = split_indices(labels, wanted, 0)
    exact = counts(labels, everything, len(sizes)) * wanted / len(everything)
    assert np.all(np.abs(counts(labels, train, len(sizes)) - exact) < 1)


def test_more_images_than_there_are_means_all():
    labels = shuffled_labels([12, 12])
    assert len(split_indices(labels, 1000, 0)[0]) == 20


@pytest.mark.parametrize("labels", [[], [0], [0, 0, 0, 1], [5]])
def test_a_class_that_cannot_be_cut_in_two_is_refused(labels):
    with pytest.raises(UserError, match="at least 2 in every class"):
        split_indices(np.array(labels, np.int32), 0, 0)


def test_fewer_training_images_than_classes_are_refused():
    with pytest.raises(UserError, match=r"--train_examples is 2; .* each of the 3 classes"):
        split_indices(shuffled_labels([10, 10, 10]), 2, 0)
    with pytest.raises(UserError, match=r"--validation_examples is 2; .* or 0 for all 6\."):
        split_indices(shuffled_labels([10, 10, 10]), 0, 0, 2)


@pytest.mark.parametrize("shape", [(50, 6, 5, 3), (7, 1, 1, 1), (3, 4, 4, 4)])
def test_channel_statistics_are_numpys(shape):
    random = np.random.default_rng(1)
    images = (random.integers(0, 256, shape) * random.uniform(0.2, 1, shape[-1])).astype(np.uint8)
    mean, deviation = channel_statistics(images)
    assert (mean.dtype, deviation.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(mean, images.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(deviation, images.std((0, 1, 2)), rtol=1e-4)


def test_a_constant_channel_is_divided_by_one():
    images = np.full((4, 2, 2, 2), 200, np.uint8)
    images[0, 0, 0, 1] = 0
    mean, deviation = channel_statistics(images)
    assert (mean[0], deviation[0]) == (200, 1)
    assert deviation[1] == pytest.approx(images[..., 1].std())


def test_taking_images_takes_their_labels():
    images = Images(np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1), np.array([4, 5, 6]))
    taken = images.take(np.array([2, 0]))
    assert len(taken) == 2
    assert np.array_equal(taken.images, images.images[[2, 0]])
    assert taken.labels.tolist() == [6, 4]

"""The estimate of a training's memory, and who is refused by it."""

import dataclasses

import jax
import pytest

from blockqnn.errors import UserError
from blockqnn.full_training.memory import check_memory, device_bytes, training_bytes
from blockqnn.full_training.preparing import keeps_on_device
from blockqnn.full_training.settings import FullRecipe
from blockqnn.networks.cost import Cost

COST = Cost(parameters=1000, flops=1, block_flops=1, depth=1, activations=500)
RECIPE = FullRecipe(batch_size=100)
DEVICES = jax.local_devices()[:1]


def test_the_estimate_by_hand():
    # Weights, gradients, momentum; three copies of a batch's outputs; the images.
    assert training_bytes(COST, RECIPE, 1, 70) == 3 * 4 * 1000 + 3 * 4 * 500 * 100 + 70
    assert training_bytes(COST, RECIPE, 4, 0) == 3 * 4 * 1000 + 3 * 4 * 500 * 25
    lighter = dataclasses.replace(RECIPE, bfloat16=True, ema_decay=0.9)
    assert training_bytes(COST, lighter, 1, 0) == 4 * 4 * 1000 + 3 * 2 * 500 * 100


def test_more_than_is_allowed_is_refused_with_both_numbers():
    check_memory(2_000_000_000, 2.0, DEVICES)
    with pytest.raises(UserError, match=r"needs about 2\.5 GB .* --memory_gigabytes allows 2 GB"):
        check_memory(2_500_000_000, 2.0, DEVICES)
    with pytest.raises(UserError, match=r"more than 10\^11 GB on each device, and cpu has"):
        check_memory(10**400, 0.0, DEVICES)
    shared = r"each of 2 parts of the cpu has .* --devices=1, or a higher --memory_gigabytes"
    with pytest.raises(UserError, match=shared):
        check_memory(10**400, 0.0, DEVICES * 2)


def test_the_memory_of_this_machine_is_known():
    assert device_bytes(DEVICES) > 10**7
    # Parts of one processor share its memory, which others use as well.
    assert device_bytes(DEVICES * 4) == pytest.approx(device_bytes(DEVICES) / 4, rel=0.2)


@pytest.mark.parametrize(
    ("wanted", "images", "device", "kept"),
    [
        ("yes", 10**12, 1, True),
        ("no", 1, 10**12, False),
        ("auto", 25, 100, True),
        ("auto", 26, 100, False),
        ("auto", 10**12, 0, True),
    ],
)
def test_images_are_kept_on_the_device_where_they_fit(wanted, images, device, kept):
    assert keeps_on_device(wanted, images, device) == kept

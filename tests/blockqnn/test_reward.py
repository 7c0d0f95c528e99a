"""Equation 7, against numbers worked out by hand."""

import math

import pytest

from blockqnn.reward import corrected_reward, guessing_accuracy, rewarded_accuracy
from blockqnn.settings import RewardSettings


@pytest.mark.parametrize(
    ("accuracy", "block_flops", "density", "mu", "rho", "wanted"),
    [
        # log(1) = 0 and log(1) = 0: a megaFLOP and as many edges as nodes cost nothing.
        (70.0, 1e6, 1.0, 1.0, 8.0, 70.0),
        # log(10) = 2.302585 for ten megaFLOPs.
        (70.0, 1e7, 1.0, 1.0, 8.0, 67.697415),
        # log(1.5) = 0.405465, times 8 is 3.243721.
        (70.0, 1e6, 1.5, 1.0, 8.0, 66.756279),
        # log(0.5) = -0.693147: what is small earns more.
        (50.0, 5e5, 0.5, 2.0, 3.0, 53.465736),
        # log(2) = 0.693147 and log(1.25) = 0.223144.
        (33.0, 2e6, 1.25, -3.0, 10.0, 32.848006),
        (33.0, 2e6, 1.25, 0.0, 0.0, 33.0),
    ],
)
def test_the_reward_is_that_of_equation_7(accuracy, block_flops, density, mu, rho, wanted):
    reward = corrected_reward(accuracy, block_flops, density, RewardSettings(mu, rho))
    assert reward == pytest.approx(wanted, abs=1e-6)


def test_the_highest_of_the_last_accuracies_counts():
    # Those of the NAS paper's five: 0.73 cubed is 0.389017, which is its agent's part.
    accuracies = [80.0, 70.0, 72.0, 71.0, 73.0, 72.5]
    assert rewarded_accuracy(accuracies, RewardSettings(last_epochs=5)) == 73.0
    assert rewarded_accuracy(accuracies, RewardSettings()) == 72.5
    assert rewarded_accuracy(accuracies, RewardSettings(last_epochs=9)) == 80.0


def test_the_default_coefficients_are_the_papers():
    reward = corrected_reward(100.0, math.e * 1e6, math.e, RewardSettings())
    assert reward == pytest.approx(100.0 - 1.0 - 8.0)


@pytest.mark.parametrize(("classes", "wanted"), [(2, 50.0), (10, 10.0), (100, 1.0)])
def test_guessing_is_right_once_in_so_many_classes(classes, wanted):
    assert guessing_accuracy(classes) == wanted

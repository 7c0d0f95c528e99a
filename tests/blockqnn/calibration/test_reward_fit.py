"""The fit of mu and rho: planted coefficients, invariances, and the NAS-Bench-201 table."""

import csv
import gzip
import os
import pathlib

import numpy as np
import pytest
import scipy.optimize

from blockqnn.calibration.rank_correlation import spearman
from blockqnn.calibration.reward_fit import LEAST_BLOCKS, fit_reward, held_out_rewards
from tests.paths import SHARED_DATA

TABLE = pathlib.Path(
    os.environ.get("BLOCKQNN_NASBENCH201") or SHARED_DATA / "nas" / "nasbench201.csv.gz"
)


def made_up(blocks=60, mu=-4.0, rho=10.0, noise=0.0, seed=0):
    """Blocks whose final accuracy is their reward under given coefficients, and noise."""
    random = np.random.default_rng(seed)
    early = random.normal(70, 5, blocks)
    log_flops, log_density = random.normal(3, 1, blocks), random.normal(0.2, 0.3, blocks)
    final = early - mu * log_flops - rho * log_density + noise * random.normal(size=blocks)
    return early, log_flops, log_density, final


def test_planted_coefficients_are_found():
    fit = fit_reward(*made_up(300))
    assert fit.mu == pytest.approx(-4, abs=0.3)
    assert fit.rho == pytest.approx(10, abs=0.8)


def test_few_noisy_blocks_give_less_than_they_seem_to_say():
    early, log_flops, log_density, _ = made_up(20)
    nothing = np.random.default_rng(1).normal(size=20)
    fit = fit_reward(early, log_flops, log_density, early + 0.1 * nothing)
    assert abs(fit.mu) < 1
    assert abs(fit.rho) < 2


def test_the_weights_are_those_that_a_general_minimiser_finds():
    early, log_flops, log_density, final = made_up(12, noise=8.0)
    features = np.stack([early, log_flops, log_density], axis=-1)
    scale = features.std(axis=0)
    z = features / scale

    def loss(w):
        total, pairs = 0.0, 0
        for i in range(12):
            for j in range(12):
                if final[i] > final[j]:
                    total += np.log1p(np.exp(-(z[i] - z[j]) @ w))
                    pairs += 1
        return total / pairs + 2 / 12 / 2 * ((w - [1, 0, 0]) ** 2).sum()

    w = scipy.optimize.minimize(loss, np.ones(3), tol=1e-12).x
    fit = fit_reward(early, log_flops, log_density, final)
    assert fit.mu == pytest.approx(-w[1] / scale[1] / (w[0] / scale[0]), rel=1e-3)
    assert fit.rho == pytest.approx(-w[2] / scale[2] / (w[0] / scale[0]), rel=1e-3)


def test_units_do_not_matter_and_only_the_order_of_final_accuracies_does():
    early, log_flops, log_density, final = made_up(15, noise=5.0)
    fit = fit_reward(early, log_flops, log_density, final)
    same = fit_reward(early, log_flops + np.log(1e6), log_density - 1, np.exp(final / 10))
    assert (same.mu, same.rho) == pytest.approx((fit.mu, fit.rho), rel=1e-6)
    shares = fit_reward(early / 100, log_flops, log_density, final)
    assert (shares.mu, shares.rho) == pytest.approx((fit.mu / 100, fit.rho / 100), rel=1e-6)


def test_a_feature_that_does_not_vary_gets_nothing():
    early, log_flops, log_density, final = made_up(20)
    constant = np.full(20, 0.3)
    assert fit_reward(early, log_flops, constant, final).rho == 0
    assert fit_reward(early, constant, log_density, final).mu == 0
    fit = fit_reward(constant, log_flops, log_density, final)
    assert (fit.mu, fit.rho) == (0, 0), "there is no accuracy to correct"


def test_where_early_accuracy_misleads_its_weight_stays_positive():
    early, log_flops, log_density, _ = made_up(40)
    # What ends better is worse at first, and larger.
    fit = fit_reward(early, log_flops, log_density, 2 * log_flops - early)
    assert fit.mu < -3
    reward = early - fit.mu * log_flops - fit.rho * log_density
    assert spearman(reward, log_flops) > 0.8


def test_what_is_held_out_is_not_seen():
    early, log_flops, log_density, final = made_up(12, noise=5.0)
    held_out = held_out_rewards(early, log_flops, log_density, final)
    others_changed = 0
    for block in range(12):
        changed = final.copy()
        changed[block] = 2 * final.mean() - final[block]
        again = held_out_rewards(early, log_flops, log_density, changed)
        assert again[block] == held_out[block]
        others_changed += not np.array_equal(again, held_out)
    assert others_changed > 6
    others = np.arange(12) != 3
    fit = fit_reward(early[others], log_flops[others], log_density[others], final[others])
    flops, density = log_flops - log_flops.mean(), log_density - log_density.mean()
    assert held_out[3] == pytest.approx(early[3] - fit.mu * flops[3] - fit.rho * density[3])


def test_held_out_rewards_of_noise_do_not_rank():
    found = []
    for seed in range(30):
        early, log_flops, log_density, _ = made_up(20, seed=seed)
        final = np.random.default_rng(1000 + seed).normal(size=20)
        held_out = held_out_rewards(early, log_flops, log_density, final)
        found.append(spearman(held_out, final))
    assert np.mean(found) < 0.1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda *arrays: [a[: LEAST_BLOCKS - 1] for a in arrays], "4 blocks or more, given are 3"),
        (lambda e, f, d, y: (e, f, d, np.full_like(y, 9)), "nothing to rank"),
        (lambda e, f, d, y: (e, np.full_like(f, -np.inf), d, y), "finite"),
        (lambda e, f, d, y: (e, f, d, np.full_like(y, np.nan)), "finite"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        fit_reward(*change(*made_up(10)))


def test_all_blocks_but_one_may_end_alike():
    early, log_flops, log_density, final = made_up(6)
    final = np.where(np.arange(6) == 2, 1.0, 0.0)
    assert np.isfinite(held_out_rewards(early, log_flops, log_density, final)).all()


@pytest.mark.skipif(not TABLE.exists(), reason=f"no {TABLE}; BLOCKQNN_NASBENCH201 says where it is")
def test_twenty_cells_of_nasbench201_rank_the_other_ones():
    with gzip.open(TABLE, "rt") as file:
        rows = list(csv.DictReader(file))
    early = np.array([float(row["cifar10_valid_hp12"]) for row in rows])
    final = np.array([float(row["cifar10_test_hp200_mean"]) for row in rows])
    log_flops = np.log([float(row["cifar10_flops_M"]) for row in rows])
    # One cell has no edge at all; it counts as if it had one.
    edges = np.array([max(1, 6 - row["arch_str"].count("none")) for row in rows])
    log_density = np.log(edges / 4)
    assert spearman(early, final) == pytest.approx(0.772, abs=5e-4)
    assert spearman(early - log_flops - 8 * log_density, final) == pytest.approx(0.668, abs=5e-4)
    found = []
    for seed in range(40):
        cells = np.random.default_rng(seed).choice(len(rows), 20, replace=False)
        fit = fit_reward(early[cells], log_flops[cells], log_density[cells], final[cells])
        rest = np.delete(np.arange(len(rows)), cells)
        reward = early - fit.mu * log_flops - fit.rho * log_density
        found.append(spearman(reward[rest], final[rest]))
    assert np.mean(found) > 0.87
    assert np.percentile(found, 5) > 0.80

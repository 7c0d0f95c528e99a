"""Which blocks are trained for longer, and what is concluded from them."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.calibration.findings import EARLY, FITTED, FLOPS, OWN, PAPER, analyse
from blockqnn.calibration.report import as_json, helps, in_words
from blockqnn.calibration.reward_fit import held_out_rewards
from blockqnn.calibration.sample import stratified_sample
from blockqnn.networks.spaces.nsc.codes import check
from blockqnn.networks.spaces.registry import code_of
from blockqnn.settings import RewardSettings
from blockqnn.trial import Status, Trial

CODE = check([(1, 1, 3, 0, 0)])


def trial(number, reward=0.0, early=50.0, flops=10**6, density=1.0):
    return Trial(
        number, 1, 1.0, CODE, f"{number:x}", 0, Status.COMPLETED, density, 10, 20, flops, 1,
        accuracies=(1.0, early), reward=reward,
    )  # fmt: skip


@given(
    st.lists(st.integers(0, 30), min_size=4, max_size=40),
    st.integers(1, 4),
    st.integers(0, 5),
)
def test_one_block_comes_from_each_part_of_the_rewards(rewards, count, seed):
    trials = [trial(number, reward) for number, reward in enumerate(rewards)]
    chosen = stratified_sample(trials, count, seed)
    in_order = sorted(trials, key=lambda one: (one.reward, one.number))
    parts = np.array_split(np.arange(len(trials)), count)
    for one, part in zip(chosen, parts, strict=True):
        assert one in [in_order[place] for place in part]
    assert chosen == stratified_sample(trials, count, seed)


def test_the_choice_depends_on_the_seed_and_every_block_has_its_chance():
    trials = [trial(number, float(number)) for number in range(12)]
    found = {stratified_sample(trials, 3, seed)[1].number for seed in range(60)}
    assert found == {4, 5, 6, 7}


def test_blocks_that_were_trained_for_longer_already_go_first():
    trials = [trial(number, float(number)) for number in range(12)]
    for seed in range(5):
        chosen = [one.number for one in stratified_sample(trials, 3, seed, preferred=[2, 9, 30])]
        assert (chosen[0], chosen[2]) == (2, 9)
        assert chosen[1] in range(4, 8)


# Four e-folds of FLOPs; final accuracies follow early ones but for one swap.
EARLIES, FINALS = [50.0, 60.0, 70.0, 80.0, 90.0], [80.0, 82.0, 86.0, 84.0, 88.0]
LOGS = [2.0, 1.0, 3.0, 0.0, 4.0]
TRIALS = [
    trial(number, 0.0, early, round(1e6 * math.exp(log)), 1.25)
    for number, (early, log) in enumerate(zip(EARLIES, LOGS, strict=True))
]


def test_correlations_are_those_of_each_score_with_the_end():
    findings = analyse(TRIALS, FINALS, RewardSettings())
    assert [score.name for score in findings.scores] == [EARLY, FLOPS, PAPER, FITTED]
    # Ranks 1 2 3 4 5 against 1 2 4 3 5; one of ten pairs disagrees.
    early = findings.score(EARLY)
    assert early.spearman.value == pytest.approx(1 - 6 * 2 / (5 * 24))
    assert early.kendall.value == pytest.approx(0.8)
    # Ranks 3 2 4 1 5 against 1 2 4 3 5.
    flops = findings.score(FLOPS)
    assert flops.spearman.value == pytest.approx(1 - 6 * 8 / (5 * 24))
    paper = [e - log - 8 * math.log(1.25) for e, log in zip(EARLIES, LOGS, strict=True)]
    assert findings.score(PAPER).values == pytest.approx(paper, abs=1e-5)
    features = [np.array(v) for v in (EARLIES, LOGS, [math.log(1.25)] * 5, FINALS)]
    assert findings.score(FITTED).values == pytest.approx(held_out_rewards(*features), abs=1e-4)
    assert findings.fit.mu < 0
    assert findings.fit.rho == 0
    assert early.spearman.low <= early.spearman.value <= early.spearman.high


def test_the_rewards_own_coefficients_are_a_row_where_they_are_not_the_papers():
    findings = analyse(TRIALS, FINALS, RewardSettings(mu=2.0, rho=0.0))
    wanted = [e - 2 * log for e, log in zip(EARLIES, LOGS, strict=True)]
    assert findings.score(OWN).values == pytest.approx(wanted, abs=1e-5)


def test_the_report_gives_the_flags_and_says_when_the_fit_does_not_help():
    findings = analyse(TRIALS, FINALS, RewardSettings())
    text = in_words(findings)
    assert "Flags to use: --mu=0 --rho=0\n" in text
    assert f"Fitted were --mu={findings.fit.mu:.3g} --rho=0, which" in text
    assert "0.900 [" in text
    early = findings.score(EARLY)
    fitted = findings.score(FITTED)
    for value, useful in ((0.85, False), (0.9, False), (0.95, True)):
        changed = dataclasses.replace(
            fitted, spearman=dataclasses.replace(fitted.spearman, value=value)
        )
        other = dataclasses.replace(findings, scores=[early, changed])
        assert helps(other) is useful
        assert ("no better than the accuracy alone" in in_words(other)) is not useful
        assert (f"Flags to use: --mu={findings.fit.mu:.3g} --rho=0" in in_words(other)) is useful
        assert (as_json(other)["recommended"]["mu"] == findings.fit.mu) is useful
    facts = as_json(findings)
    assert (facts["mu"], facts["rho"]) == (findings.fit.mu, findings.fit.rho)
    assert [row["score"] for row in facts["correlations"]] == [EARLY, FLOPS, PAPER, FITTED]
    assert facts["blocks"][3]["final_accuracy"] == 84.0
    assert facts["blocks"][3]["scores"][EARLY] == 80.0


def test_a_score_that_does_not_vary_has_no_correlation():
    same = [trial(number, early=50.0, flops=10**6 * (number + 1)) for number in range(5)]
    findings = analyse(same, FINALS, RewardSettings())
    assert in_words(findings).splitlines()[2].split() == ["-", "-", "early", "accuracy"]
    assert as_json(findings)["correlations"][0]["spearman"]["value"] is None


@pytest.mark.parametrize(
    ("trials", "finals", "words"),
    [(TRIALS[:3], FINALS[:3], "4 blocks or more"), (TRIALS, [9.0] * 5, "nothing to rank")],
)
def test_too_little_is_refused(trials, finals, words):
    with pytest.raises(ValueError, match=words):
        analyse(trials, finals, RewardSettings())


def test_language_models_are_told_by_perplexity():
    models = [dataclasses.replace(trial, code=code_of("lstm")) for trial in TRIALS]
    text = in_words(analyse(models, FINALS, RewardSettings()))
    assert "with the validation perplexity after longer training" in text
    assert "early perplexity" in text and "accuracy" not in text

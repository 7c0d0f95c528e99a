"""What a report says of held-out predictions."""

import dataclasses
import itertools
import random

from blockqnn.agents import predictor
from blockqnn.networks.spaces.nasbench201.codes import parse_cell
from blockqnn.report.prediction import prediction
from blockqnn.trial import Status
from tests.blockqnn.trials_by_hand import chain, trial

KERNELS = (1, 3, 5)


def trials_of(count, reward=lambda kernels: sum(kernels) * 5):
    """Different chains of convolutions; a larger window has a higher reward."""
    codes = list(itertools.product(KERNELS, repeat=4))
    random.Random(1).shuffle(codes)
    return [
        trial(number, code=chain(*kernels), accuracy=float(reward(kernels)))
        for number, kernels in enumerate(codes[:count], start=1)
    ]


def test_a_regular_run_is_predicted_well():
    found = prediction(trials_of(81), {})
    assert found["numbers"] == list(range(31, 82))
    assert found["rewards"] == [trial.reward for trial in trials_of(81)[30:]]
    assert len(found["predicted"]) == len(found["deviations"]) == 51
    first, second, last = found["sentences"]
    assert first.startswith("51 blocks were predicted by a random forest")
    assert float(first.split(" is ")[1].split()[0]) > 0.8
    assert second.endswith("68 % and 95 % would be right.")
    assert last.startswith("The search was without it;")


def test_a_run_with_a_predictor_says_so_and_begins_where_that_began():
    found = prediction(trials_of(40), {"predictor": "forest", "predictor_after": "10"})
    assert found["numbers"][0] == 11
    assert found["sentences"][-1].startswith("The search chose by such predictions")
    # What a store holds as flags may be anything; the usual number is taken then.
    for odd in ("soon", None, float("inf"), []):
        found = prediction(trials_of(40), {"predictor": "forest", "predictor_after": odd})
        assert found["numbers"][0] == 31


def test_too_few_blocks_and_what_was_not_trained_are_not_predicted():
    assert prediction(trials_of(32), {}) is None
    assert prediction(trials_of(33), {}) is not None
    trials = trials_of(50)
    trials[:20] = [
        *(dataclasses.replace(t, status=Status.FAILED) for t in trials[:10]),
        *(dataclasses.replace(t, reward=None) for t in trials[10:15]),
        *(dataclasses.replace(t, reward="text") for t in trials[15:18]),
        *(dataclasses.replace(t, reward=float("inf")) for t in trials[18:20]),
    ]
    assert prediction(trials, {}) is None


def test_rewards_that_are_all_alike_have_no_ranks():
    found = prediction(trials_of(50, lambda _: 50), {})
    assert found["sentences"][0].endswith("their predictions or their rewards are all the same.")


def test_of_a_long_run_the_first_blocks_are_predicted(monkeypatch):
    whole = prediction(trials_of(81), {})
    monkeypatch.setattr("blockqnn.calibration.prediction_check.MOST_BLOCKS", 60)
    found = prediction(trials_of(81), {})
    assert found["numbers"] == list(range(31, 61))
    assert found["predicted"][:20] == whole["predicted"][:20], "later ones change nothing"
    assert found["sentences"][2] == "These are of the first 60 trained; 21 came later."


def test_a_run_that_grows_is_fitted_only_to_what_is_new(monkeypatch):
    predictor._forest_of.cache_clear()
    fits = []
    forest = predictor.RewardForest

    def counted(*arguments):
        fits.append(len(arguments[0]))
        return forest(*arguments)

    monkeypatch.setattr(predictor, "RewardForest", counted)
    prediction(trials_of(61), {})
    assert fits == [30, 40, 50]
    prediction(trials_of(62), {})
    assert fits == [30, 40, 50]
    prediction(trials_of(81), {})
    # Groups have ten blocks, or a quarter of those before them.
    assert fits == [30, 40, 50, 62, 77]


def test_designs_of_two_spaces_are_not_predicted():
    cell = parse_cell("|none~0|+|skip_connect~0|none~1|+|none~0|none~1|avg_pool_3x3~2|")
    trials = trials_of(50)
    for place in (0, 40):
        odd = [*trials[:place], dataclasses.replace(trials[place], code=cell), *trials[place + 1 :]]
        assert prediction(odd, {}) is None

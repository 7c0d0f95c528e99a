"""Perplexity for language models, accuracy for all else."""

import dataclasses
import math

import pytest

from blockqnn.listing import judged, judged_by, with_accuracy
from blockqnn.measure import ACCURACY, PERPLEXITY, measure_in, measure_of
from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.spaces.registry import published
from tests.blockqnn.trials_by_hand import trial


def test_perplexity_is_100_over_what_is_kept():
    assert PERPLEXITY.value(0.8) == pytest.approx(125)
    assert PERPLEXITY.figure(0.8) == "125.00" and PERPLEXITY.in_words(None) == "-"
    assert ACCURACY.in_words(93.456) == "93.46 %"
    # d(100 / a) = 100 / a^2 da.
    assert PERPLEXITY.spread(0.8, 0.01) == pytest.approx(100 / 0.8**2 * 0.01)
    assert (ACCURACY.column, PERPLEXITY.column) == ("accuracy %", "perplexity")
    assert (ACCURACY.kept, PERPLEXITY.kept) == ("accuracy in percent", "100 / perplexity")


def test_what_a_longer_training_changed_is_told_in_what_judges():
    assert ACCURACY.growth(81.5, 90.0, "now") == "81.50 % early, 90.00 % now"
    assert PERPLEXITY.growth(1.25, 2.0, "now") == "perplexity 80.00 early, 50.00 now"
    assert PERPLEXITY.growth(None, 2.0, "at the end") == "perplexity 50.00 at the end"
    assert PERPLEXITY.value(0.0) == math.inf


def test_a_code_and_a_layout_say_how_they_are_judged():
    assert measure_of(published()["lstm"]) is PERPLEXITY
    assert measure_of(published()["residual"]) is ACCURACY
    assert measure_in(Layout(LANGUAGE, (8,), 1, 1, 1, 1, 20)) is PERPLEXITY
    assert measure_in(Layout()) is ACCURACY


def test_tables_have_what_a_trial_was_judged_by():
    block = trial(1, accuracy=80.0)
    model = dataclasses.replace(block, code=published()["lstm"])
    assert (judged_by([block]), judged(block)) == ("accuracy %", "80.00")
    assert (judged_by([model]), judged(model)) == ("perplexity", "1.25")
    assert judged_by([]) == "accuracy %"
    assert with_accuracy(model) == ", perplexity 1.25"
    assert with_accuracy(dataclasses.replace(model, accuracies=())) == ""

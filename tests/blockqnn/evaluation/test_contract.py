"""Accuracies that are made up, and who evaluates."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from blockqnn.evaluation.contract import DRY, TRAIN, DryEvaluator, make_evaluator
from blockqnn.evaluation.training import TrainEvaluator
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.settings import DataSettings, Recipe, WorkerSettings
from blockqnn.trial import Status
from tests.blockqnn.small_searches import CONV1, CONV3, LAYOUT, NO_CONVOLUTION, job
from tests.strategies import blocks, rewritings


@given(blocks(), st.data())
def test_a_made_up_accuracy_depends_on_the_canonical_form_alone(code, data):
    one, other = DryEvaluator(4, 10), DryEvaluator(4, 10)
    rewritten = data.draw(rewritings(code))
    changed = dataclasses.replace(job(9, rewritten), seed=data.draw(st.integers(0, 99)))
    assert one.evaluate(job(1, code), 0) == other.evaluate(changed, 0)


@given(blocks(), st.integers(1, 12), st.integers(2, 100))
def test_made_up_accuracies_rise_from_guessing_towards_less_than_all(code, epochs, classes):
    outcome = DryEvaluator(epochs, classes).evaluate(job(1, code), 0)
    assert outcome.status is Status.COMPLETED
    assert len(outcome.accuracies) == epochs
    assert list(outcome.accuracies) == sorted(outcome.accuracies)
    assert 100 / classes <= outcome.accuracies[0] <= outcome.accuracies[-1] <= 100
    assert (outcome.device, outcome.compile_seconds, outcome.train_seconds) == ("dry", 0, 0)


def test_made_up_accuracies_differ_and_have_something_to_learn():
    texts = ["[(1,1,3,0,0),(2,1,3,1,0),(3,1,3,2,0),(4,5,0,0,3)]", "[(1,1,3,0,0),(2,1,3,1,0)]"]
    found = [
        DryEvaluator(1, 10).evaluate(job(1, code), 0).accuracies[-1]
        for code in [*map(parse, texts), CONV3, CONV1, NO_CONVOLUTION]
    ]
    assert len(set(found)) == 5
    assert min(found[:2]) > max(found[3:])


def test_the_name_says_who_evaluates():
    data, recipe = DataSettings("synthetic:8x8x1:10:40"), Recipe(epochs=2)
    worker = WorkerSettings()
    assert isinstance(make_evaluator(DRY, data, recipe, LAYOUT, worker), DryEvaluator)
    assert isinstance(make_evaluator(TRAIN, data, recipe, LAYOUT, worker), TrainEvaluator)
    # The data set of a dry run is not even looked for.
    dry = make_evaluator(DRY, DataSettings("no_such_set"), recipe, LAYOUT, worker)
    assert len(dry.evaluate(job(1, CONV3), 0).accuracies) == 2

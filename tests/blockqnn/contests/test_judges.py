"""What judges say of designs, and what people read of it."""

import io
import json
import subprocess

import pytest

from blockqnn.contests.judges import LARGEST, RANDOM, TableJudge, TrainingJudge, rivals_of
from blockqnn.contests.method_runs import Choice
from blockqnn.contests.method_standings import columns_of
from blockqnn.contests.method_words import in_words
from blockqnn.errors import UserError
from blockqnn.evaluation.table import AccuracyTable
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of
from blockqnn.networks.spaces.registry import parse as parse_code
from tests.blockqnn.contests.runs_by_hand import RUNS, choice, facts_of


def test_random_search_says_what_a_random_choice_and_the_largest_design_are():
    found = rivals_of([run for own in RUNS.values() for run in own])
    assert [c.reference for c in found[RANDOM]] == ["random#1", "random#1"]
    # Of equally many parameters the first: those of odd numbers have one, the others none.
    assert [c.reference for c in found[LARGEST]] == ["random#1", "random#1"]
    assert rivals_of(RUNS["one_shot"]) == {}


def test_a_table_judges_and_says_what_needs_no_search(tmp_path):
    small, large = "|skip_connect~0|", "|nor_conv_3x3~0|"
    rest = "+|none~0|none~1|+|none~0|none~1|skip_connect~2|"
    path = tmp_path / "t.csv"
    path.write_text(f"arch_str,late\n{small}{rest},40\n{large}{rest},70\n")
    judge = TableJudge(AccuracyTable(str(path), ("late",)), 0, Layout("nasbench201", (4, 8), 1))
    assert judge.of(Choice(f"{large}{rest}", 1.0)) == 70
    assert judge.of(Choice(f"|nor_conv_1x1~0|{rest}", 1.0)) is None
    assert judge.of(choice(33.0)) == 33.0
    assert judge.without_search([]) == {RANDOM: [40, 70], LARGEST: [70]}


CELL = "|skip_connect~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"


def training_judge(directory, result):
    """A judge whose only training has ended with a result."""
    place = directory / f"{design_of(parse_code(CELL)).hash}-0"
    place.mkdir()
    (place / "result.json").write_text(json.dumps(result))
    return TrainingJudge(directory, 1, (), io.StringIO())


@pytest.mark.parametrize(
    ("result", "kept", "words"),
    [
        ({"test": {"error": 30.0}}, 70, "accuracy on the test images in percent"),
        (
            {"judged_on": "held_out", "held_out": {"error": 40.0}, "validation": {"error": 1.0}},
            60,
            "accuracy on held-out images in percent",
        ),
        (
            {"judged_on": "validation", "validation": {"error": 55.0}},
            45,
            "accuracy on the validation images in percent",
        ),
        ({"test": {"perplexity": 8.0}}, 12.5, "perplexity on the test words"),
    ],
)
def test_a_training_judges_by_what_it_was_judged_on_and_says_so(tmp_path, result, kept, words):
    judge, chosen = training_judge(tmp_path, result), Choice(CELL, 1.0)
    judge.train([chosen])
    assert judge.of(chosen) == kept
    assert judge.words == f"{words}, trained by itself to the end"
    assert judge.judged_on == (result.get("judged_on", "test"),)


def test_a_training_that_was_measured_on_nothing_is_no_judge(tmp_path, monkeypatch):
    judge = training_judge(tmp_path, {"judged_on": "nothing"})
    done = subprocess.CompletedProcess((), 0)
    monkeypatch.setattr(subprocess, "run", lambda words, **how: done)
    with pytest.raises(UserError, match="was measured on nothing"):
        judge.train([Choice(CELL, 1.0)])


def test_people_read_perplexity_of_texts_and_whether_searches_have_seen_what_judges():
    shown = in_words(facts_of(measure="perplexity", judged_on=["test"]), columns_of([2], []), ())
    # The mean that is kept is 83, and its deviation the root of 18.
    assert "1.20 +- 0.06" in shown and "83.00" not in shown
    assert "There is no test split" not in shown
    shown = in_words(facts_of(judged_on=["held_out"]), columns_of([2], []), ())
    assert "83.00 +- 4.24" in shown
    assert "There is no test split: trainings to the end are judged on what searches chose" in shown

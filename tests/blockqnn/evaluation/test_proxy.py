"""Searches whose rewards are scores: the real command, and what it says of them."""

import json
import math

import pytest

from blockqnn.__main__ import main
from blockqnn.evaluation import proxy as proxies
from blockqnn.evaluation.proxy import PROXIES, ProxyEvaluator
from blockqnn.inspection.block import Blocks
from blockqnn.interface import open_run
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, parse
from blockqnn.runs.run_record import read_run
from blockqnn.settings import DataSettings, Recipe, WorkerSettings
from blockqnn.trial import Job, Outcome, Status
from blockqnn.workers.worker import decode_outcome

FLAGS = (
    "--preset=smoke",
    "--evaluator=proxy",
    "--proxy=activation_patterns",
    "--executor=inline",
    "--agent=random",
    "--space=nasbench201",
    "--epsilon_schedule=1:1",
    "--blocks_per_iteration=3",
    "--filters=2",
    "--dataset=synthetic:4x4x1:3:120",
)
NOTICE = "PROXY RUN: nothing was trained"


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    where = tmp_path_factory.mktemp("proxy") / "run"
    assert main(["search", *FLAGS, f"--run_dir={where}"]) == 0
    return where


def test_rewards_are_scores_and_there_are_no_accuracies(run_dir):
    run = read_run(run_dir)
    scored = [trial for trial in run.trials if trial.status is Status.COMPLETED]
    assert run.proxy == "activation_patterns" and scored
    assert all(math.isfinite(trial.reward) and trial.accuracies == () for trial in scored)
    others = [t for t in run.trials if t.status in (Status.INFEASIBLE, Status.FAILED)]
    assert all(trial.reward is None for trial in others), "guessing earns no score"


def test_a_trial_has_the_score_of_its_seed(run_dir):
    run = read_run(run_dir)
    best = run.best(1)[0]
    evaluator = ProxyEvaluator(
        run.proxy,
        DataSettings("synthetic:4x4x1:3:120", train_examples=400),
        Recipe(batch_size=int(run.flags["batch_size"])),
        run.layout,
        WorkerSettings(compilation_cache="off"),
    )
    job = Job(best.number, best.code, best.hash, best.seed)
    assert evaluator.evaluate(job, 0).score == best.reward


@pytest.mark.parametrize(
    "words",
    [["show"], ["show", "#best"], ["trials"], ["explain"]],
    ids=" ".join,
)
def test_what_looks_at_the_run_says_what_its_rewards_are(run_dir, words, capsys):
    verb, *which = words
    assert main([verb, f"{run_dir}{''.join(which)}"]) == 0
    out = capsys.readouterr().out
    assert NOTICE in out and "activation patterns" in out
    assert "DRY RUN" not in out and "- %" not in out


def test_the_report_has_it_too(run_dir, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["report", str(run_dir), f"--out={page}"]) == 0
    text = page.read_text()
    assert NOTICE in text and "a score and no accuracy" in text and "accuracy - %" not in text
    found = open_run(run_dir)
    assert NOTICE in repr(found) and NOTICE in found._repr_html_()
    block = found.block("best")
    assert NOTICE in repr(block) and block.accuracy is None
    assert "accuracy" not in Blocks([block])._repr_html_()


@pytest.mark.parametrize("verb", ["calibrate", "rescore"])
def test_what_needs_accuracies_is_refused(run_dir, verb, capsys):
    assert main([verb, str(run_dir)]) == 2
    assert f"{verb} needs accuracies" in capsys.readouterr().err


def test_the_command_goes_on_and_another_score_is_another_search(run_dir, capsys):
    assert main(["search", *FLAGS, f"--run_dir={run_dir}"]) == 0
    assert main(["search", *FLAGS, "--proxy=gradient_norm", f"--run_dir={run_dir}"]) == 2
    assert "proxy" in capsys.readouterr().err


def test_a_score_without_the_evaluator_is_refused(tmp_path, capsys):
    words = ["--preset=smoke", "--evaluator=dry", "--proxy=gradient_norm"]
    assert main(["search", *words, f"--run_dir={tmp_path / 'run'}"]) == 2
    assert "--proxy" in capsys.readouterr().err


def test_its_best_is_trained(run_dir, tmp_path, capsys):
    out = tmp_path / "trained"
    words = ["--epochs=1", "--batch_size=32", f"--out_dir={out}"]
    assert main(["train", f"{run_dir}#best", *words]) == 0
    assert json.loads((out / "result.json").read_text())


def _unbounded(plan, parameters, images, labels):
    return -math.inf


def _broken(plan, parameters, images, labels):
    raise ValueError("it cannot")


@pytest.mark.parametrize(
    ("function", "reason"),
    [("_unbounded", "its odd is -inf"), ("_broken", "ValueError: it cannot")],
)
def test_what_has_no_score_fails_with_the_reason(monkeypatch, function, reason):
    monkeypatch.setattr(proxies, "PROXIES", {"odd": f"{__name__}:{function}"})
    layout = Layout(filters=(2,), repeats=1, height=4, width=4, channels=1, classes=3)
    evaluator = ProxyEvaluator(
        "odd",
        DataSettings("synthetic:4x4x1:3:120"),
        Recipe(batch_size=8),
        layout,
        WorkerSettings(compilation_cache="off"),
    )
    code = parse("[(1,1,1,0,0),(2,7,0,0,0)]")
    outcome = evaluator.evaluate(Job(1, code, design_of(code).hash, 0), 0)
    assert (outcome.status, outcome.reason, outcome.score) == (Status.FAILED, reason, None)


def test_a_worker_passes_scores_on_and_none_that_is_not_finite():
    answer = {"outcome": {"accuracies": [], "score": 3.5}}
    assert decode_outcome(answer, 2) == Outcome(score=3.5, worker=2)
    for wrong in (math.nan, True, "much"):
        with pytest.raises(ValueError, match="finite"):
            decode_outcome({"outcome": {"accuracies": [], "score": wrong}}, 0)
    with pytest.raises(ValueError, match="neither"):
        decode_outcome({"outcome": {"accuracies": [], "score": None}}, 0)


def test_each_score_of_the_table_is_there():
    from blockqnn.networks.operations.steps import loaded

    assert all(callable(loaded(where)) for where in PROXIES.values())

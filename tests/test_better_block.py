"""`benchmarks.better_block`: its ledger, and a table of figures computed by hand."""

import itertools
import sys

import pytest

pytest.importorskip("scipy")

from benchmarks._better_block_settings import SETTINGS, SPACES
from benchmarks._better_block_steps import Ledger, run_step
from benchmarks._better_block_table import (
    Chosen,
    chosen,
    in_words,
    probability,
    samples,
    trainings,
)
from blockqnn.networks.sizing import matched
from blockqnn.networks.spaces.registry import design_of, parse, space_named


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "folder" / "ledger.jsonl")


def train(ledger, code, fold, seed, error, core_seconds=60.0):
    result = {"code": code, "filters": "16", "parameters": 75_000, "error": error}
    ledger.add(f"train paper {code} {fold} {seed}", 70.0, core_seconds, result)


def found(ledger, *blocks):
    return trainings([(block, f"train paper {block.code}") for block in blocks], ledger)


def test_a_picked_block_has_a_sample_a_seed_and_a_winner_one_a_search(ledger):
    for code, errors in {"x": (20.0, 22.0), "y": (18.0, 21.0)}.items():
        for seed, error in enumerate(errors):
            train(ledger, code, "all", seed, error)
    picked = samples(found(ledger, Chosen("picked", "x", "")))
    assert picked == {("all", "seed 0"): 20.0, ("all", "seed 1"): 22.0}
    winners = Chosen("a", "x", "0", "all"), Chosen("a", "y", "1", "all")
    assert samples(found(ledger, *winners)) == {("all", "0"): 21.0, ("all", "1"): 19.5}


def test_of_folds_each_is_a_sample_and_a_search_counts_on_its_own(ledger):
    for fold in ("fold0", "fold1"):
        for seed, error in enumerate((2.0, 4.0)):
            train(ledger, "x", fold, seed, error + (fold == "fold1"))
    assert samples(found(ledger, Chosen("picked", "x", ""))) == {
        ("fold0", ""): 3.0,
        ("fold1", ""): 4.0,
    }
    assert [one.fold for one in found(ledger, Chosen("a", "x", "0", "fold1"))] == ["fold1"] * 2


def test_probabilities_are_those_computed_by_hand():
    # Welch: t = 1 / sqrt(1 + 1), 2 degrees of freedom; there P(T > t) = 1/2 - t / 2 sqrt(2 + t^2).
    one = {("all", "seed 0"): 20.0, ("all", "seed 1"): 22.0}
    other = {("all", "0"): 21.0, ("all", "1"): 23.0}
    assert probability(one, other) == "0.553"
    # Paired: differences 1, 1.5, 0.5, so t = 1 / (0.5 / sqrt(3)).
    folds = {("f0", ""): 2.0, ("f1", ""): 9.0, ("f2", ""): 4.0}
    rivals = {("f0", ""): 3.0, ("f1", ""): 10.5, ("f2", ""): 4.5}
    assert probability(folds, rivals) == "0.074"
    assert probability(one, {("all", "0"): 1.0}) == "-"


def test_the_table_names_the_best_picked_and_what_a_search_cost(ledger):
    for seed, (x, y, w) in enumerate([(20.0, 22.5, 18.0), (22.0, 24.5, 20.0)]):
        train(ledger, "x", "all", seed, x)
        train(ledger, "y", "all", seed, y)
        train(ledger, "w", "all", seed, w, core_seconds=90.0)
    ledger.add("search all a 5 0", 1.0, 600.0, {"fold": "all"})
    ledger.add("finals all a 5 0", 1.0, 300.0, {"fold": "all"})
    blocks = [Chosen("residual", "x", ""), Chosen("one 3x3", "y", "")]
    blocks += [Chosen("a, finals", "w", "0", "all", "finals all a 5 0"), Chosen("never", "z", "")]
    text = in_words([(one, f"train paper {one.code}") for one in blocks], set("xy"), ledger)
    assert text == "No block that a person would pick is trained yet."
    picked = {"residual", "one 3x3"}
    lines = in_words(
        [(one, f"train paper {one.code}") for one in blocks], picked, ledger
    ).splitlines()
    # As above, t = 2.5 / sqrt(2) gives 0.219.
    assert [" ".join(line.split()) for line in lines[1:4]] == [
        "19.00 +- - 1 2 -2.00 - 75,000 10 5 1.5 a, finals",
        "21.00 +- 1.41 2 2 +0.00 75,000 1.0 residual, best of those picked",
        "23.50 +- 1.41 2 2 +2.50 0.219 75,000 1.0 one 3x3",
    ]


def test_rows_say_space_seconds_and_recipe_of_finals_and_what_their_search_cost(ledger):
    train(ledger, "x", "all", 0, 20.0)
    train(ledger, "w", "all", 0, 18.0)
    facts = {"fold": "all", "agent": "a", "seed": 0, "blocks": 5, "schedule": "one_cycle"}
    ledger.add("search all a 5 0", 1.0, 600.0, {**facts, "early": "w"})
    by = {"winner": "w", "finals": "momentum, 0.1"}
    ledger.add("finals all a 5 0 by --optimiser=momentum", 1.0, 300.0, {**facts, **by})
    own = {"seconds": 60, "recipe": "momentum", "held_out": 9000, "space": "nas", "winner": "w"}
    ledger.add("finals nas all a 60s 0", 1.0, 300.0, {**facts, **own})
    blocks = [Chosen("residual", "x", ""), *chosen(ledger, early=False)[-2:]]
    text = in_words([(one, f"train paper {one.code}") for one in blocks], {"residual"}, ledger)
    after = [" ".join(line.split()).partition(" 75,000 ")[2] for line in text.splitlines()[1:3]]
    assert after == [
        "10 5 1.0 a, 5 blocks, one cycle, finals by momentum, 0.1",
        "5 1.0 a, 60 s, one cycle, 9,000 held out, momentum, space nas, finals",
    ]
    titles = [one.title for one in chosen(ledger, early=True)]
    assert "a, 5 blocks, one cycle, by reward" in titles and "nasnet-a" in titles


def test_every_space_has_a_layout_that_its_designs_stand_in():
    for setting, name in itertools.product(SETTINGS.values(), SPACES):
        space = space_named(name)
        design = design_of(parse(space.example))
        assert design.space == name
        sized = matched(design, setting.layout(name), setting.match)
        assert sized.layout.kind == SPACES[name].kind


def test_a_ledger_is_read_again_with_the_costs_of_all_attempts(ledger, tmp_path):
    ledger.add("train x", 2.0, 3.0, None)
    assert ledger.result("train x") is None
    ledger.add("train x", 5.0, 7.0, {"error": 1.0})
    again = Ledger(tmp_path / "folder" / "ledger.jsonl").entries["train x"]
    assert (again.seconds, again.core_seconds, again.result) == (7.0, 10.0, {"error": 1.0})
    with (tmp_path / "folder" / "ledger.jsonl").open("a") as file:
        file.write('{"step": "train x", "seconds": 5')
    torn = Ledger(tmp_path / "folder" / "ledger.jsonl")
    assert torn.entries == {"train x": again}
    torn.add("train y", 1.0, 1.0, {"error": 2.0})
    assert set(Ledger(tmp_path / "folder" / "ledger.jsonl").entries) == {"train x", "train y"}


def test_a_step_is_done_once_and_a_failed_one_is_said_and_costs(ledger, tmp_path):
    words, logs = ["show", "residual"], tmp_path / "logs"
    assert run_step(ledger, "a step", words, logs, lambda: {"is": 1}) == {"is": 1}
    assert ledger.entries["a step"].core_seconds > 0
    assert "residual" in (logs / "a-step.log").read_text()
    assert run_step(ledger, "a step", ["no verb"], logs, lambda: {"is": 2}) == {"is": 1}
    with pytest.raises(SystemExit, match=r"ended with status 2(.|\n)*no-verb"):
        run_step(ledger, "wrong", ["no-verb"], logs, lambda: {"is": 3})
    assert ledger.result("wrong") is None and ledger.entries["wrong"].seconds > 0


def test_a_step_can_be_bound_to_a_core(ledger, tmp_path):
    if sys.platform != "linux":
        pytest.skip("cores are bound on Linux only")
    run_step(ledger, "bound", ["show", "residual"], tmp_path, lambda: {"is": 1}, core=0)
    assert "residual" in (tmp_path / "bound.log").read_text()

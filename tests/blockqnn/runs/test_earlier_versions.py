"""What an earlier version left on disk is read, continued and compared as that version did.

The directories, and what that version printed of them, are in `tests/data/before_rooms`.
"""

import contextlib
import functools
import json
import shutil

import pytest

import blockqnn as package
from blockqnn.networks.motifs import motifs
from blockqnn.networks.spaces.registry import design_of, designs_ever, graph_of, parse, space_of
from blockqnn.runs.store import Store
from blockqnn.runs.store_schema import RENAMED_UNTIL
from tests.blockqnn.evaluation.test_table import all_cells
from tests.paths import ROOT

DATA = ROOT / "tests" / "data" / "before_rooms"
RUNS = ("trained", "forest", "cells", "stopped")
CONTINUING = {
    "trained": ("--epsilon_schedule=1:1,0.5:2",),
    "forest": ("--epsilon_schedule=1:3,0.5:4",),
    "cells": ("--epsilon_schedule=1:6",),
    "stopped": ("--dry_seconds=0",),
}
TABLE_CONTEST = (
    *("compare", "--table=table.csv", "--search_column=early", "--judge_column=late"),
    *("--budgets=5,10", "--out_dir=contest", "--workers=1", "--format=json"),
)
REAL_CONTEST = (
    *("compare", "--evaluator=dry", "--preset=smoke", "--agents=random,q_learning"),
    *("--budgets=4", "--out_dir=real_contest", "--workers=1", "--format=json"),
)
TRAIN = (
    *("train", "residual", "--out_dir=training", "--filters=2", "--repeats=1", "--epochs=3"),
    *("--dataset=synthetic:8x8x1:3:48", "--batch_size=8", "--learning_rate=0.05"),
    *("--milestones=2", "--checkpoint_epochs=1", "--keep_checkpoints=2", "--devices=1"),
    "--compilation_cache=off",
)
EVALUATE = ("evaluate", "training", "--batch_sizes=", "--format=json")


def expected(name):
    """What the earlier version printed and computed of a directory."""
    return in_words_of_today(json.loads((DATA / "expected" / f"{name}.json").read_text()))


def in_words_of_today(found):
    """What has had another word since, and what was never measured and has no reward any more.

    Where a Concat has dissolved since, the hash and the density are those of today.
    """
    if isinstance(found, list):
        return [in_words_of_today(each) for each in found]
    if not isinstance(found, dict):
        return "trained" if found == "completed" else found
    found = {in_words_of_today(key): in_words_of_today(value) for key, value in found.items()}
    if found.get("status") in ("infeasible", "failed") and "reward" in found:
        found["reward"] = None
    if "code" in found and "hash" in found:
        today, *former = designs_ever(parse(found["code"]))
        assert found["hash"] in [design.hash for design in (today, *former)]
        if found["hash"] != today.hash:
            meant = space_of(today).facts(parse(found["code"]))
            meant["motifs"] = motifs(graph_of(today))
            found |= {name: meant[name] for name in meant.keys() & found.keys()}
            # The reward stays, and the density by which it was corrected is not that of today.
            (found.get("reward_terms") or {}).pop("density", None)
    return found


@pytest.fixture
def earlier(blockqnn):
    """The command line in a folder with copies of the earlier version's directories."""
    for source in DATA.iterdir():
        if source.is_dir() and source.name != "expected":
            shutil.copytree(source, blockqnn.directory / source.name)
    lines = all_cells().splitlines()
    late = [f"{line},{10 + line.count('nor_conv_3x3') ** 2}" for line in lines[1:]]
    text = "\n".join([f"{lines[0]},late", *late]) + "\n"
    (blockqnn.directory / "table.csv").write_text(text)
    return blockqnn


def printed(command_line, *arguments):
    """The JSON object that a command prints, which must end well."""
    status, out, err = command_line(*arguments)
    assert status == 0, err
    return json.loads(out)


def assert_holds(found, wanted, same=lambda name, one, other: one == other, name=""):
    """Everything that is wanted must stand in what was found, which may have more fields."""
    if isinstance(wanted, dict):
        assert isinstance(found, dict), name
        for key, value in wanted.items():
            assert key in found, f"{name} lacks {key}"
            assert_holds(found[key], value, same, f"{name}.{key}")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), name
        for place, (one, other) in enumerate(zip(found, wanted, strict=True)):
            assert_holds(one, other, same, f"{name}[{place}]")
    else:
        assert same(name, found, wanted), f"{name}: {found!r} is not {wanted!r}"


def nearly(name, one, other, absolute=1e-9):
    """Whether two values are the same but for rounding of sums."""
    if isinstance(other, float) and isinstance(one, float):
        return one == pytest.approx(other, rel=1e-9, abs=absolute)
    return one == other


# Another processor adds in another order; of 250 validation images a few may tip over.
as_trained = functools.partial(nearly, absolute=3.0)


@pytest.mark.parametrize("name", RUNS)
def test_trials_of_an_earlier_run_are_listed_as_they_were(earlier, name):
    assert_holds(earlier.trials(name), expected(name)["trials"])


@pytest.mark.parametrize("name", RUNS)
def test_an_earlier_run_is_shown_as_it_was(earlier, name):
    wanted = expected(name)
    assert_holds(printed(earlier, "show", f"{name}#best", "--format=json"), wanted["best"])
    assert_holds(printed(earlier, "show", name, "--format=json"), wanted["listing"])


@pytest.mark.parametrize("name", RUNS)
def test_the_status_of_an_earlier_run_is_read(earlier, name):
    assert_holds(printed(earlier, "status", name, "--format=json"), expected(name)["status"])


@pytest.mark.parametrize("name", RUNS)
def test_python_opens_an_earlier_run(earlier, name):
    wanted, run = expected(name), package.open_run(name)
    assert list(run.trials["reward"].dropna()) == [
        trial["reward"] for trial in wanted["trials"] if trial["reward"] is not None
    ]
    assert run.dry == wanted["listing"]["dry"]
    assert run.iterations == {"trained": 2, "forest": 5, "cells": 3, "stopped": 3}[name]
    assert run.block("best").trial.number == wanted["best"]["trial"]["number"]


def test_literal_values_of_the_earlier_run_with_training(earlier):
    trials = earlier.trials("trained")
    assert [trial["status"] for trial in trials].count("trained") == 4
    assert trials[4]["accuracies"] == [26.8, 48.8, 68.4, 83.6]
    assert trials[4]["reward"] == 84.78686733642299
    assert trials[4]["code"] == "[(1,4,0,0,0),(2,1,5,1,0),(3,4,0,1,0),(4,6,0,0,3),(5,7,0,0,0)]"


@pytest.mark.parametrize("name", RUNS)
def test_a_report_of_an_earlier_run_shows_its_best_block(earlier, name):
    status, _, err = earlier("report", name)
    assert status == 0, err
    page = (earlier.directory / "report.html").read_text()
    best = expected(name)["best"]["trial"]
    assert f"{best['reward']:.2f}" in page
    assert best["code"] in page


@pytest.mark.parametrize("name", RUNS)
def test_an_earlier_run_goes_on_trial_for_trial_as_it_would_have(earlier, name):
    wanted = expected(name)
    before, after = len(wanted["trials"]), wanted["continued"]
    status, _, err = earlier(
        "search", f"--flagfile={name}/search.flags", "--executor=inline", *CONTINUING[name]
    )
    assert status == 0, err
    found = earlier.trials(name)
    assert len(found) == len(after) > before
    same = as_trained if name == "trained" else nearly
    assert_holds(found[:before], after[:before])
    # A design that has another hash since has other weights, so from there on it is another search.
    alike = next((n for n in range(before, len(after)) if renamed(after[n])), len(after))
    assert_holds(found[before:alike], after[before:alike], same)
    assert found[-1]["iteration"] == after[-1]["iteration"]


def renamed(trial):
    """Whether a trial's design has another hash since store version 4."""
    return len({design.hash for design in designs_ever(parse(trial["code"]))}) > 1


def test_trials_of_one_network_have_one_hash_after_the_migration(earlier):
    """The Concat of a trial of then, and today's suggestion of its tensors as leaves."""
    path = earlier.directory / "trained" / "store.sqlite"
    with contextlib.closing(Store.open_read_only(path)) as store:
        read = list(store.trials())
    with contextlib.closing(Store.create_or_open(path)) as store:
        assert list(store.trials()) == read
        assert store.facts()[RENAMED_UNTIL] == 7
    before = json.loads((DATA / "expected" / "trained.json").read_text())["trials"]
    leaves = parse("[(1,1,5,0,0),(2,4,0,0,0),(3,4,0,0,0)]")
    assert read[4].hash == design_of(leaves).hash != before[4]["hash"]
    assert read[4].density == design_of(leaves).density == 4 / 3
    kept = ("seed", "reward", "parameters", "flops", "block_flops", "depth")
    for trial, old in zip(read, before, strict=True):
        assert {name: getattr(trial, name) for name in kept if trial.reward != 10.0} == {
            name: old[name] for name in kept if trial.reward != 10.0
        }


def test_an_earlier_run_takes_no_other_search(earlier):
    status, _, err = earlier("search", "--flagfile=forest/search.flags", "--mu=2")
    assert status == 2
    assert "--mu" in err


def test_an_earlier_contest_on_a_table_has_its_standings_and_goes_on(earlier):
    wanted = expected("contest")
    file = earlier.directory / "contest" / "contests.jsonl"
    before = file.read_text()
    agents = "--agents=random,q_learning"
    assert_holds(printed(earlier, *TABLE_CONTEST, agents, "--seeds=2"), wanted["standings"], nearly)
    assert file.read_text() == before, "something was carried out again"
    found = printed(earlier, *TABLE_CONTEST, f"{agents},evolution", "--seeds=3")
    assert_holds(found, wanted["continued"], nearly)
    assert file.read_text().startswith(before)


def test_an_earlier_contest_with_children_has_its_standings_and_goes_on(earlier):
    wanted = expected("real_contest")
    file = earlier.directory / "real_contest" / "contests.jsonl"
    before = file.read_text()
    assert_holds(printed(earlier, *REAL_CONTEST, "--seeds=2"), wanted["standings"], nearly)
    assert file.read_text() == before, "something was carried out again"
    # What the third seed finds depends on hashes that are others since.
    assert_holds(
        printed(earlier, *REAL_CONTEST, "--seeds=3"),
        wanted["continued"],
        lambda name, one, other: isinstance(other, float) or one == other,
    )
    assert file.read_text().startswith(before)


def assert_measured(found, wanted):
    """An evaluation of 48 images, of which other processors may see a few otherwise."""
    assert {k: found[k] for k in ("checkpoint", "code", "dataset", "split", "examples")} == {
        k: wanted[k] for k in ("checkpoint", "code", "dataset", "split", "examples")
    }
    assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-3)
    assert found["error"] == pytest.approx(wanted["error"], abs=5)


def test_an_earlier_training_is_measured(earlier):
    assert_measured(printed(earlier, *EVALUATE), expected("training")["evaluated"])


def test_an_earlier_training_goes_on_as_it_would_have(earlier):
    wanted = expected("training")
    status, out, err = earlier(*TRAIN)
    assert status == 0, err
    assert "Continuing after epoch 1 and 3 steps." in out
    directory = earlier.directory / "training"
    metrics = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert metrics[0] == wanted["metrics"][0]
    assert [epoch["epoch"] for epoch in metrics] == [1, 2, 3]
    losses = [epoch["loss"] for epoch in metrics]
    assert losses == pytest.approx([epoch["loss"] for epoch in wanted["metrics"]], rel=1e-3)
    result = json.loads((directory / "result.json").read_text())
    for name in ("title", "code", "hash", "parameters", "flops", "depth", "seed", "epochs"):
        assert result[name] == wanted["result"][name]
    assert_measured(printed(earlier, *EVALUATE), wanted["evaluated_finished"])
    status, again, err = earlier(*TRAIN)
    assert (status, "epoch 3/3" in again) == (0, False)


def test_an_earlier_training_takes_no_other_recipe(earlier):
    status, _, err = earlier(*TRAIN, "--weight_decay=0.1")
    assert status == 2
    assert "weight_decay" in err

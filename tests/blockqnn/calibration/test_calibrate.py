"""The verb `calibrate`, through the real `main`."""

import contextlib
import json
import sqlite3

import pytest

from blockqnn.calibration import command
from blockqnn.listing import DRY_NOTICE
from blockqnn.runs.run_record import read_run
from blockqnn.trial import Status

DRY = ("--preset=digits", "--epsilon_schedule=1.0:3", "--run_dir=run")


def calibrate(blockqnn, *flags):
    """A calibration that must end well; returns its output."""
    status, out, err = blockqnn("calibrate", "run", "--executor=inline", *flags)
    assert (status, err) == (0, "")
    return out


def test_a_dry_run_is_calibrated_beside_it_and_left_as_it_was(blockqnn):
    blockqnn.search(*DRY)
    before = blockqnn.trials("run")
    names = {path.name for path in (blockqnn.directory / "run").iterdir()}
    out = calibrate(blockqnn, "--blocks=6", "--epochs=8", "--out=scatter.svg")
    assert "Training 6 of 6 blocks for 8 epochs, 1 at a time; they are kept in run-cal" in out
    assert DRY_NOTICE in out
    # What is made up is the same early and late.
    assert "1.000 [1.00, 1.00]  1.000 [1.00, 1.00]  early accuracy" in out
    assert "blockqnn rescore run --mu=" in out
    assert (blockqnn.directory / "scatter.svg").read_text().startswith("<?xml")
    assert blockqnn.trials("run") == before
    assert {path.name for path in (blockqnn.directory / "run").iterdir()} <= names | {
        "store.sqlite-shm",
        "store.sqlite-wal",
    }
    longer = blockqnn.trials("run-calibration")
    assert len(longer) == 6
    by_number = {trial["number"]: trial for trial in before}
    for trial in longer:
        early = by_number[trial["number"]]
        assert trial["code"] == early["code"]
        assert trial["seed"] != early["seed"]
        assert (len(early["accuracies"]), len(trial["accuracies"])) == (4, 8)
    flags = read_run(blockqnn.directory / "run-calibration").flags
    # 5 of 4 epochs between reductions become 10 of 8.
    assert (flags["epochs"], flags["decay_epochs"]) == ("8", "10")
    assert flags["filters"] == "16,32"


def test_real_blocks_are_trained_for_longer(blockqnn):
    status, _, err = blockqnn(
        "search",
        "--preset=smoke",
        "--executor=inline",
        "--blocks_per_iteration=4",
        "--max_layers=2",
        "--filters=4",
        "--run_dir=run",
    )
    assert (status, err) == (0, "")
    count = sum(trial["status"] == "trained" for trial in blockqnn.trials("run"))
    out = calibrate(blockqnn, f"--blocks={count}", "--epochs=2", "--format=json")
    facts = json.loads(out)
    assert (facts["dry"], facts["early_epochs"], facts["epochs"]) == (False, 1, 2)
    longer = {trial["number"]: trial for trial in blockqnn.trials("run-calibration")}
    assert len(facts["blocks"]) == count
    for block in facts["blocks"]:
        accuracies = longer[block["number"]]["accuracies"]
        assert len(accuracies) == 2
        assert block["final_accuracy"] == accuracies[-1]
    assert facts["seconds"] > 0


def test_with_seed_0_longer_training_begins_like_the_search(blockqnn):
    blockqnn.search(*DRY)
    calibrate(blockqnn, "--blocks=4", "--seed=0")
    early = {trial["number"]: trial for trial in blockqnn.trials("run")}
    for trial in blockqnn.trials("run-calibration"):
        assert trial["seed"] == early[trial["number"]]["seed"]


def test_worker_processes_train_as_this_process_does(blockqnn):
    blockqnn.search(*DRY)
    status, out, err = blockqnn(
        "calibrate", "run", "--blocks=5", "--executor=local", "--workers=2", "--format=json"
    )
    assert (status, err) == (0, "")
    apart = json.loads(out)
    there = json.loads(
        calibrate(blockqnn, "--blocks=5", "--format=json", "--calibration_dir=other")
    )
    assert apart["epochs"] == 40
    for facts in (apart, there):
        facts.pop("seconds")
    assert apart == there


def test_the_same_command_goes_on_where_it_was_stopped(blockqnn, monkeypatch):
    blockqnn.search(*DRY)
    whole = calibrate(blockqnn, "--blocks=6", "--format=json", "--calibration_dir=whole")
    real = command.train_longer

    def stopped(*arguments):
        for place, trial in enumerate(real(*arguments)):
            if place == 2:
                raise KeyboardInterrupt
            yield trial

    monkeypatch.setattr(command, "train_longer", stopped)
    status, out, _ = blockqnn("calibrate", "run", "--executor=inline", "--blocks=6")
    assert status == 130
    assert "Stopped; what has finished is in run-calibration. The same command continues." in out
    assert len(blockqnn.trials("run-calibration")) == 3
    monkeypatch.setattr(command, "train_longer", real)
    # A search that has gone on meanwhile does not change which blocks they are.
    blockqnn.search("--preset=digits", "--epsilon_schedule=1.0:3,0.5:2", "--run_dir=run")
    out = calibrate(blockqnn, "--blocks=6")
    assert "Training 3 of 6 blocks" in out
    assert "Training" not in calibrate(blockqnn, "--blocks=6")
    again = json.loads(calibrate(blockqnn, "--blocks=6", "--format=json"))
    for facts in (again, whole := json.loads(whole)):
        facts.pop("seconds")
    assert again == whole


def test_more_blocks_make_use_of_those_that_are_trained(blockqnn):
    blockqnn.search(*DRY)
    calibrate(blockqnn, "--blocks=4")
    out = calibrate(blockqnn, "--blocks=8")
    assert "Training 4 of 8 blocks" in out
    assert len(blockqnn.trials("run-calibration")) == 8


def test_blocks_that_fail_are_left_out(blockqnn, monkeypatch):
    blockqnn.search(*DRY)
    real = command.train_longer

    def failing(trials, executor, store, settings, seed):
        class Failing:
            def submit(self, job):
                executor.submit(job)

            def next_outcome(self):
                number, outcome = executor.next_outcome()
                if number == trials[0].number:
                    outcome = type(outcome)(reason="out of memory")
                return number, outcome

        return real(trials, Failing(), store, settings, seed)

    monkeypatch.setattr(command, "train_longer", failing)
    out = calibrate(blockqnn, "--blocks=6")
    assert "out of memory" in out
    assert "1 blocks failed and are left out." in out
    assert "5 blocks, 95 %" in out
    statuses = [trial["status"] for trial in blockqnn.trials("run-calibration")]
    assert statuses.count(Status.FAILED) == 1
    assert "Training" not in calibrate(blockqnn, "--blocks=6"), "what failed is not tried again"


@pytest.fixture
def dry_run(blockqnn):
    blockqnn.search(*DRY)
    return blockqnn


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none"], "There is no run in none"),
        ([], "calibrate takes one RUN_DIR"),
        (["run", "--blocks=3"], "an integer of at least 4"),
        (["run", "--blocks=900"], "--blocks is 900; the run in run has trained "),
        (["run", "--epochs=4"], "--epochs is 4; the run trained for 4 epochs, and longer is more"),
        (
            ["run", "--out=a.jpg"],
            "--out a.jpg ends with no known suffix; allowed: .svg, .png, .pdf",
        ),
        (["run", "--out=none/a.svg"], "there is no folder none"),
        (["run", "--workers=x"], "workers"),
        (["run", "--executor=x"], "allowed: local or "),
        (["run", "--calibration_dir=run"], "run holds a search; name another --calibration_dir"),
        (["run", "--calibration_dir=run/store.sqlite"], "cannot be used"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_trained(dry_run, words, said):
    before = set(dry_run.files())
    status, out, err = dry_run("calibrate", *words)
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    new = {path.name for path in set(dry_run.files()) - before}
    assert new <= {"store.sqlite-shm", "store.sqlite-wal"}


def test_trainings_of_another_kind_are_not_mixed(dry_run):
    calibrate(dry_run, "--blocks=4", "--epochs=8")
    for flag, said in (
        ("--epochs=9", "were begun with --epochs=8; now it is --epochs=9"),
        ("--seed=2", "--calibration_seed=1; now it is --calibration_seed=2"),
    ):
        given = ["--epochs=8", flag] if "seed" in flag else [flag]
        status, _, err = dry_run("calibrate", "run", "--blocks=4", *given)
        assert status == 2
        assert said in err
    dry_run.search("--preset=digits", "--epsilon_schedule=1.0:3", "--run_dir=more", "--seed=5")
    status, _, err = dry_run(
        "calibrate", "more", "--blocks=4", "--epochs=8", "--calibration_dir=run-calibration"
    )
    assert status == 2
    assert "--seed=0; now it is --seed=5" in err


def test_trainings_of_other_blocks_are_not_taken_for_those_of_the_run(dry_run):
    calibrate(dry_run, "--blocks=4")
    # As if the run had been made anew by another version.
    for change in ("hash = 'other'", "number = number + 1000"):
        with contextlib.closing(sqlite3.connect("run-calibration/store.sqlite")) as connection:
            connection.execute(f"UPDATE trials SET {change}")
            connection.commit()
        for blocks in (4, 5):
            status, _, err = dry_run("calibrate", "run", f"--blocks={blocks}")
            assert status == 2
            assert "holds trainings of blocks that run does not have" in err


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".svg", b"<?xml"), (".PNG", b"\x89PNG"), (".pdf", b"%PDF")]
)
def test_the_figure_is_what_its_suffix_says_and_the_same_every_time(dry_run, suffix, magic):
    drawn = []
    for _ in range(2):
        out = calibrate(dry_run, "--blocks=5", f"--out=scatter{suffix}")
        assert f"scatter{suffix}" in out
        drawn.append((dry_run.directory / f"scatter{suffix}").read_bytes())
    assert drawn[0].startswith(magic)
    assert drawn[0] == drawn[1]
    if suffix == ".svg":
        text = drawn[0].decode()
        for words in (
            "Validation accuracy in percent, at early stop",
            "paper's reward",
            "held out",
            "DRY RUN",
            "4 epochs and after 40",
        ):
            assert words in text


def test_flags_of_a_store_are_values_and_nothing_else(dry_run):
    from blockqnn.runs.store import FILE_NAME, Store

    store = Store.create_or_open(dry_run.directory / "run" / FILE_NAME)
    flags = store.facts()["flags"]
    store.set_facts({"flags": flags | {"flagfile": "/etc/passwd", "new_flag": "1"}})
    store.close()
    calibrate(dry_run, "--blocks=4")
    store = Store.create_or_open(dry_run.directory / "run" / FILE_NAME)
    store.set_facts({"flags": flags | {"filters": "<b>"}})
    store.close()
    status, _, err = dry_run("calibrate", "run", "--blocks=4")
    assert status == 2
    assert len(err.splitlines()) == 1
    assert "filters" in err

"""The verb `search`: beginning, continuing, extending and refusing to be another search."""

import dataclasses
import os
import re
import subprocess
import sys

import pytest

from blockqnn.flags.parsing import RECORD_MARK
from blockqnn.listing import DRY_NOTICE
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from blockqnn.runs.spending import time_spent
from blockqnn.searching.ending import in_words
from blockqnn.trial import Status, Trial
from tests.blockqnn.small_searches import SECONDS

# Explicit, so that tuning a preset changes no test.
SMOKE = (
    "--preset=smoke",
    "--run_dir=run",
    "--epsilon_schedule=1.0:1,0.5:1",
    "--blocks_per_iteration=2",
    "--max_layers=4",
    "--exploration=by_type",
    "--max_flops=0",
    "--max_parameters=20000",
)


def timeless(trials):
    varying = ("finished", "worker", "device", "seconds", *SECONDS)
    return [{k: v for k, v in trial.items() if k not in varying} for trial in trials]


def result_in(out):
    return out[out.index("trials: ") :]


def test_a_search_prints_its_progress_its_counts_and_its_best_blocks(blockqnn):
    out = blockqnn.search(*SMOKE)
    trials = blockqnn.trials("run")
    counts = {s: sum(t["status"] == s for t in trials) for s in ("trained", "infeasible")}
    assert re.search(r"^iteration 1/2 .*\niteration 2/2 ", out, re.MULTILINE)
    assert f"{len(trials)} trials: {counts['trained']} trained, " in out
    assert "idle" not in out and "compil" not in out, "nothing was trained"
    share = counts["infeasible"] / len(trials)
    assert f"{counts['infeasible']} infeasible, 0 failed ({100 * share:.0f} % infeasible)" in out
    ranked = sorted(trials, key=lambda t: -t["reward"] if t["status"] == "trained" else 0)
    best = out[out.index("Best blocks by reward") :].splitlines()[2:]
    for place, trial in enumerate(ranked[: min(5, counts["trained"])]):
        assert best[place].split()[:3] == [
            str(place + 1),
            str(trial["number"]),
            f"{trial['reward']:.2f}",
        ]
        assert best[place].endswith(trial["code"])
    assert "show run#best" in out


def test_the_run_directory_holds_store_flags_and_log(blockqnn):
    blockqnn.search(*SMOKE)
    names = {path.name for path in (blockqnn.directory / "run").iterdir()}
    assert {"store.sqlite", "search.flags", "search.log"} <= names
    log = (blockqnn.directory / "run" / "search.log").read_text()
    assert len(log.splitlines()) == len(blockqnn.trials("run"))
    flags = (blockqnn.directory / "run" / "search.flags").read_text()
    assert "--filters=4,8\n" in flags
    assert "--preset" not in flags


def test_the_run_directory_is_named_after_the_preset(blockqnn):
    blockqnn.search("--preset=smoke")
    assert (blockqnn.directory / "runs" / "smoke" / "store.sqlite").is_file()


def test_a_finished_run_shows_its_result_again(blockqnn):
    first = blockqnn.search(*SMOKE)
    trials = blockqnn.trials("run")
    again = blockqnn.search(*SMOKE)
    assert result_in(first) == result_in(again)
    assert blockqnn.trials("run") == trials


def test_the_flags_that_were_kept_name_the_same_search(blockqnn):
    first = blockqnn.search(*SMOKE, "--mu=0.5")
    status, out, err = blockqnn("search", "--flagfile=run/search.flags")
    assert (status, err) == (0, "")
    assert result_in(first) == result_in(out)
    assert not (blockqnn.directory / "runs").exists()


def test_the_same_seed_gives_the_same_run_and_another_seed_another(blockqnn):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        blockqnn.search(*SMOKE, f"--run_dir={name}", f"--seed={seed}")
    a, b, c = (timeless(blockqnn.trials(name)) for name in "abc")
    assert a == b
    assert a != c


def test_a_longer_schedule_extends_a_run_as_if_it_had_been_so_from_the_start(blockqnn):
    blockqnn.search(*SMOKE)
    short = blockqnn.trials("run")
    longer = "--epsilon_schedule=1.0:1,0.5:2,0.1:1"
    out = blockqnn.search(*SMOKE, longer)
    assert f"Continuing run after {len(short)} trials" in out
    assert "iteration 4/4" in out
    extended = blockqnn.trials("run")
    assert extended[: len(short)] == short
    blockqnn.search(*SMOKE, "--run_dir=whole", longer)
    assert timeless(extended) == timeless(blockqnn.trials("whole"))


def test_a_schedule_written_in_another_way_is_the_same(blockqnn):
    blockqnn.search(*SMOKE, "--epsilon_schedule=1:2,0.5:1")
    before = blockqnn.trials("run")
    blockqnn.search(*SMOKE, "--epsilon_schedule=1.0:1,1:1,0.5:1")
    assert blockqnn.trials("run") == before


@pytest.mark.parametrize("schedule", ["1:1", "0.9:1,0.5:1", "0.5:1,1:1", "1:1,0.4:5", "1:2"])
def test_a_schedule_that_begins_otherwise_is_refused(blockqnn, schedule):
    blockqnn.search(*SMOKE)
    status, _, err = blockqnn("search", "--evaluator=dry", *SMOKE, f"--epsilon_schedule={schedule}")
    assert status == 2
    assert "--epsilon_schedule=1:1,0.5:1" in err
    assert "begins like it" in err


def test_a_random_search_is_continued_by_its_flag_file(blockqnn):
    blockqnn.search("--preset=smoke", "--agent=random", "--run_dir=run")
    trials = blockqnn.trials("run")
    file = blockqnn.directory / "run" / "search.flags"
    for text in (file.read_text(), file.read_text().removeprefix(f"{RECORD_MARK}\n")):
        file.write_text(text)
        status, _, err = blockqnn("search", "--flagfile=run/search.flags")
        assert (status, err) == (0, "")
    assert blockqnn.trials("run") == trials


def test_a_dry_run_says_so_wherever_it_is_shown(blockqnn):
    assert blockqnn.search(*SMOKE).count(DRY_NOTICE) == 2
    assert DRY_NOTICE in blockqnn.search(*SMOKE)
    for arguments in (["show", "run"], ["show", "run#best"], ["trials", "run"]):
        assert DRY_NOTICE in blockqnn(*arguments)[1]
    assert all(trial["dry"] is True for trial in blockqnn.trials("run"))


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_do_not_change_what_is_found(blockqnn, workers):
    schedule = "--epsilon_schedule=1.0:2,0.2:2"
    common = (*SMOKE, schedule, "--blocks_per_iteration=8", "--evaluator=dry")
    status, *_ = blockqnn("search", *common, f"--workers={workers}", "--run_dir=processes")
    assert status == 0
    blockqnn.search(*common, "--run_dir=inline")
    assert timeless(blockqnn.trials("processes")) == timeless(blockqnn.trials("inline"))
    assert {trial["worker"] for trial in blockqnn.trials("processes")} <= {None, *range(workers)}


TRAINED = (
    *SMOKE,
    "--evaluator=train",
    "--epsilon_schedule=1.0:1",
    "--blocks_per_iteration=3",
    "--max_layers=2",
    "--train_examples=100",
    "--filters=2",
)


def trained(blockqnn, name, *arguments):
    """The trials of a search that really trains, and what it printed."""
    status, out, err = blockqnn("search", *TRAINED, f"--run_dir={name}", *arguments)
    assert (status, err) == (0, "")
    return blockqnn.trials(name), out


def test_workers_do_not_change_what_is_trained(blockqnn):
    wanted, _ = trained(blockqnn, "inline", "--executor=inline")
    assert sum(trial["status"] == "trained" for trial in wanted) >= 3
    for workers in (1, 2):
        found, _ = trained(blockqnn, f"{workers}", f"--workers={workers}")
        assert timeless(found) == timeless(wanted)


@pytest.mark.long
def test_devices_and_compiling_ahead_do_not_change_what_is_trained(blockqnn):
    whole = ("--execution=whole", "--workers=1", "--cores_per_worker=0")
    wanted, _ = trained(blockqnn, "inline", "--executor=inline", "--execution=whole")
    assert sum(trial["status"] == "trained" for trial in wanted) >= 3
    for devices in (1, 4):
        found, out = trained(blockqnn, f"{devices}", *whole, f"--devices_per_worker={devices}")
        assert timeless(found) == timeless(wanted)
        # With four devices there may be fewer children than that in an iteration.
        assert re.search(r"\n[1-4] workers? for \d+ seconds?: \d+ % of the time training, ", out)
        waiting = sum(trial["waiting_seconds"] for trial in found)
        seconds = waiting + sum(trial["train_seconds"] for trial in found)
        saved = sum(trial["saved_seconds"] for trial in found)
        count = sum(trial["status"] == "trained" for trial in found)
        wanted_words = (
            f"\nThe first {count} children waited for a compiler in "
            f"{100 * waiting / seconds:.1f} % of their time."
        )
        if round(saved):
            noun = "second" if round(saved) == 1 else "seconds"
            wanted_words += f" Programs kept from before saved {saved:.0f} {noun} of compiling."
        assert f"{wanted_words}\n" in out


def test_the_share_of_compiling_is_told_before_and_after_the_twentieth_child():
    """Figures by hand: 25 children of 1 s, of which 0.5 s and later 0.1 s were waiting."""
    children = [
        Trial(
            *(number, 1, 1.0, PUBLISHED["residual"], str(number), 0, Status.COMPLETED),
            *(1.0, 1, 1, 1, 1),
            waiting_seconds=0.5 if number <= 20 else 0.1,
            train_seconds=0.5 if number <= 20 else 0.9,
            saved_seconds=2.0,
            finished=float(number),
        )
        for number in range(25, 0, -1)
    ]
    # One after the other: 20 x 0.5 and 5 x 0.1 of the 25 seconds went to waiting.
    assert in_words(children, time_spent(children)) == (
        "1 worker for 25 seconds: 58 % of the time training, 42 % waiting for a compiler, 0 % idle."
        "\nThe first 20 children waited for a compiler in 50.0 % of their time, the other 5 in "
        "10.0 %. Programs kept from before saved 50 seconds of compiling."
    )
    nothing = [dataclasses.replace(child, saved_seconds=0.01) for child in children]
    assert in_words(nothing, time_spent(nothing)).endswith(" in 10.0 %.")
    slower = [dataclasses.replace(child, saved_seconds=-1.0) for child in children[:1]]
    # Reading a small program can take longer than compiling it did.
    assert in_words(slower, time_spent(slower)) == (
        "1 worker for 1 second: 90 % of the time training, 10 % waiting for a compiler, 0 % idle."
        "\nThe first child waited for a compiler in 10.0 % of its time."
    )


def test_more_devices_than_there_are_are_refused_in_a_sentence(blockqnn):
    status, out, err = blockqnn("search", *TRAINED, "--devices_per_worker=5")
    assert status == 2
    assert out.endswith("Run:       run\n"), "nothing follows the heading"
    assert err == "blockqnn: --devices_per_worker is 5, but a worker sees 4 devices here.\n"


def test_infeasible_blocks_alone_are_a_result_too(blockqnn):
    status, out, _ = blockqnn("search", *SMOKE, "--max_parameters=1")
    assert status == 1
    assert "80 trials: 0 trained, 0 known, 80 infeasible, 0 failed (100 % infeasible)" in out
    assert "No block was trained" in out


def test_data_that_are_refused_late_leave_no_run_behind(blockqnn):
    status, out, err = blockqnn("search", *SMOKE, "--executor=inline", "--train_examples=3")
    assert status == 2
    assert out.endswith("Run:       run\n"), "nothing follows the heading"
    assert "--train_examples is 3" in err
    # The flag can be corrected and the same command given again.
    blockqnn.search(*SMOKE)


def test_random_search_through_the_same_flags(blockqnn):
    blockqnn.search(*SMOKE, "--agent=random")
    assert {trial["epsilon"] for trial in blockqnn.trials("run")} == {1.0}


@pytest.mark.parametrize("arguments", [["trials", "run"], ["search", "--help"]])
def test_a_reader_that_has_seen_enough_is_no_error(blockqnn, arguments):
    blockqnn.search(*SMOKE)
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "blockqnn", *arguments],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")

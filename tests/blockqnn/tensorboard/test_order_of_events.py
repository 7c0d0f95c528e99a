"""Events come in order, whatever order trials finish in and however searches end."""

import contextlib
import dataclasses
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from tensorboard.plugins.hparams import metadata

from blockqnn.runs.run_record import read_run
from blockqnn.tensorboard import event_file
from blockqnn.tensorboard.listener import TensorBoard
from blockqnn.trial import Status, Trial
from tests.blockqnn.reading_events import about, raw_steps, read, scalars, session
from tests.blockqnn.searching.test_killed_runs import finished_trials
from tests.blockqnn.small_searches import CONV3, LAYOUT, NO_CONVOLUTION


def trial(number, reward=50.0, status=Status.COMPLETED, iteration=1, **changes):
    code = NO_CONVOLUTION if status is Status.INFEASIBLE else CONV3
    accuracies = (reward,) if status in (Status.COMPLETED, Status.KNOWN) else ()
    return dataclasses.replace(
        Trial(number, iteration, 1.0, code, f"{number:016}", 0, status, 1.0, 10, 20, 10, 1),
        accuracies=accuracies,
        reward=reward,
        finished=1000.0 + number,
        **changes,
    )


def listener(directory, before=(), ended=0):
    made = TensorBoard(directory, {"alpha": "0.1"}, LAYOUT, before, lambda: ended, 1)
    return contextlib.closing(made)


def test_what_is_written_can_be_read_before_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(event_file, "_FLUSH_SECONDS", 0.0)
    with listener(tmp_path) as events:
        for number in (1, 2, 3):
            events.finished(trial(number))
            assert raw_steps(tmp_path, "trial/epsilon") == list(range(1, number + 1))


def test_trials_that_finish_out_of_order_are_written_in_order(tmp_path):
    with listener(tmp_path) as events:
        for number in (3, 1, 4, 2):
            events.finished(trial(number, reward=10.0 * number))
            assert events.written_trials == {3: 0, 1: 1, 4: 1, 2: 4}[number]
    assert raw_steps(tmp_path, "best/reward") == [1, 2, 3, 4]
    assert scalars(read(tmp_path))["best/reward"] == [(1, 10.0), (2, 20.0), (3, 30.0), (4, 40.0)]
    assert raw_steps(tmp_path, "best/block") == [1, 2, 3, 4]


def test_trials_after_one_that_never_finished_are_written_at_the_end(tmp_path):
    with listener(tmp_path) as events:
        for number in (3, 1, 4):
            events.finished(trial(number))
    assert raw_steps(tmp_path, "trial/epsilon") == [1, 3, 4]
    before = [trial(1), trial(3), trial(4)]
    with listener(tmp_path, before, ended=1) as events:
        events.finished(trial(2, reward=70.0))
    assert raw_steps(tmp_path, "trial/epsilon") == [1, 3, 4, 2, 3, 4]
    values = scalars(read(tmp_path))
    assert values["best/reward"] == [(1, 50.0), (2, 70.0), (3, 70.0), (4, 70.0)]
    assert values["iteration/best_reward"] == [(1, 70.0)]


def test_failed_and_infeasible_trials_are_in_no_curve_of_rewards(tmp_path):
    with listener(tmp_path, ended=1) as events:
        events.finished(trial(1, 10.0, Status.INFEASIBLE))
        events.finished(trial(2, 10.0, Status.FAILED, train_seconds=3.0, waiting_seconds=1.0))
    values = scalars(read(tmp_path))
    assert not {"trial/reward", "best/reward", "iteration/mean_reward"} & set(values)
    assert values["status/failed"] == [(1, 0.0), (2, 1.0)]
    assert values["iteration/status/infeasible"] == [(1, 1.0)]
    assert values["trial/seconds"] == [(2, 4.0)]


def test_counts_beyond_32_bits_of_float_are_left_out(tmp_path):
    with listener(tmp_path) as events:
        events.finished(trial(1, parameters=10**30, flops=10**400))
        events.finished(trial(2, parameters=10**39, flops=7))
    values = scalars(read(tmp_path))
    assert values["trial/parameters"] == [(1, about(1e30))]
    assert values["trial/flops"] == [(2, 7.0)]


@pytest.mark.long
def test_a_search_that_is_killed_and_interrupted_writes_no_trial_twice(blockqnn):
    run_dir = pathlib.Path("run")
    command = [sys.executable, "-m", "blockqnn", "search", "--preset=digits", "--evaluator=dry"]
    command += ["--executor=inline", "--epsilon_schedule=1.0:5,0.5:5,0.1:5"]
    command += ["--blocks_per_iteration=30", "--max_layers=8", "--run_dir=run", "--tensorboard"]
    stops = [(60, signal.SIGKILL), (150, signal.SIGINT), (250, signal.SIGKILL)]
    for count, stop in stops:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and finished_trials(run_dir) < count:
                time.sleep(0.001)
            process.send_signal(signal.SIGSTOP)
            # What is there can be read meanwhile, elsewhere.
            assert blockqnn("tensorboard", "run", "--out=meanwhile")[0] == 0
            process.send_signal(stop)
            process.send_signal(signal.SIGCONT)
        assert process.returncode == (130 if stop == signal.SIGINT else -stop)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    run = read_run(run_dir)
    numbers = [trial.number for trial in run.trials]
    assert numbers == list(range(1, len(numbers) + 1))
    for directory in ("run/tensorboard", "meanwhile", "afterwards"):
        if directory != "run/tensorboard":
            assert blockqnn("tensorboard", "run", f"--out={directory}")[0] == 0
        found = read(directory)
        assert [event.step for event in found.Scalars("trial/epsilon")] == numbers
        assert [event.step for event in found.Scalars("iteration/epsilon")] == list(range(1, 16))
        assert raw_steps(directory, "_hparams_/session_start_info") == [0]
        assert raw_steps(directory, "_hparams_/session_end_info") == [0]
    whole = read("afterwards")
    for directory in ("run/tensorboard", "meanwhile"):
        assert scalars(read(directory)) == scalars(whole)
        assert read(directory).Images("best/block") == whole.Images("best/block")


def test_a_flag_that_holds_a_script_stays_text(tmp_path):
    poisoned = "<script>alert(1)</script>"
    made = TensorBoard(tmp_path, {"dataset": poisoned}, LAYOUT, [trial(1)], lambda: 0, 0)
    made.close()
    start = session(
        read(tmp_path), "session_start_info", metadata.parse_session_start_info_plugin_data
    )
    assert start.hparams["dataset"].string_value == poisoned

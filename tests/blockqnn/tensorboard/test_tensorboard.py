"""Events of a run, read by TensorBoard itself."""

import dataclasses
import io
import pathlib
import statistics
import struct

import PIL.Image
import pytest
from tensorboard.plugins.hparams import metadata

from blockqnn.listing import DRY_NOTICE
from blockqnn.runs.run_record import read_run
from blockqnn.trial import Status
from tests.blockqnn.reading_events import about, raw_steps, read, scalars, session
from tests.drawn import arrange

SEARCH = (
    "--preset=smoke",
    "--max_layers=4",
    "--blocks_per_iteration=5",
    "--epsilon_schedule=1.0:2,0.5:2",
    "--run_dir=run",
)
LONGER = "--epsilon_schedule=1.0:2,0.5:2,0.1:1"


def test_a_search_writes_its_trials(blockqnn):
    blockqnn.search(*SEARCH, "--tensorboard")
    run = read_run(pathlib.Path("run"))
    found = read("run/tensorboard")
    values = scalars(found)
    measured = [t for t in run.trials if t.status in (Status.COMPLETED, Status.KNOWN)]
    assert {t.status for t in run.trials} == {Status.COMPLETED, Status.KNOWN, Status.INFEASIBLE}
    assert values["trial/reward"] == [(t.number, about(t.reward)) for t in measured]
    assert values["trial/accuracy"] == [(t.number, about(t.accuracy)) for t in measured]
    for name in ("epsilon", "flops", "parameters"):
        expected = [(t.number, about(getattr(t, name))) for t in run.trials]
        assert values[f"trial/{name}"] == expected
    trained = [t for t in run.trials if t.status is Status.COMPLETED]
    for name in ("seconds", "compile_seconds", "waiting_seconds"):
        expected = [(t.number, about(getattr(t, name))) for t in trained]
        assert values[f"trial/{name}"] == expected
    times = {event.step: event.wall_time for event in found.Scalars("trial/epsilon")}
    assert times == {t.number: t.finished for t in run.trials}
    for status in (Status.COMPLETED, Status.KNOWN, Status.INFEASIBLE, Status.FAILED):
        counts = [sum(t.status is status for t in run.trials[: n + 1]) for n in range(len(times))]
        assert [value for _, value in values[f"status/{status}"]] == counts


def test_the_best_so_far_is_plotted_and_drawn(blockqnn):
    blockqnn.search(*SEARCH, "--tensorboard")
    run = read_run(pathlib.Path("run"))
    found = read("run/tensorboard")
    new, best, best_accuracy = [], None, 0.0
    for trial in run.trials:
        if trial.status is Status.COMPLETED:
            best_accuracy = max(best_accuracy, trial.accuracy)
            if best is None or trial.reward > best.reward:
                best = trial
                new.append(trial)
    values = scalars(found)
    assert values["best/reward"][-1] == (len(run.trials), about(best.reward))
    assert values["best/accuracy"][-1] == (len(run.trials), about(best_accuracy))
    images = found.Images("best/block")
    assert len(new) > 1
    assert [image.step for image in images] == [trial.number for trial in new]
    assert [image.wall_time for image in images] == [trial.finished for trial in new]
    for image, trial in zip(images, new, strict=True):
        picture = PIL.Image.open(io.BytesIO(image.encoded_image_string))
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (image.width, image.height))
        drawing = arrange(trial.code, run.layout)
        ratio = drawing.height / drawing.width
        assert picture.height / picture.width == pytest.approx(ratio, abs=0.02)


def test_iterations_are_summed_up(blockqnn):
    blockqnn.search(*SEARCH, "--tensorboard")
    run = read_run(pathlib.Path("run"))
    found = read("run/tensorboard")
    values = scalars(found)
    times = {event.step: event.wall_time for event in found.Scalars("iteration/epsilon")}
    assert sorted(times) == [1, 2, 3, 4]
    for number in times:
        trials = [t for t in run.trials if t.iteration == number]
        measured = [t for t in trials if t.accuracy is not None]
        rewards = [t.reward for t in measured]
        here = {
            tag: dict(points).get(number) for tag, points in values.items() if "iteration/" in tag
        }
        assert here == {
            "iteration/epsilon": (1.0, 1.0, 0.5, 0.5)[number - 1],
            "iteration/mean_reward": about(statistics.fmean(rewards)),
            "iteration/reward_deviation": about(statistics.pstdev(rewards)),
            "iteration/best_reward": about(max(rewards)),
            "iteration/mean_accuracy": about(statistics.fmean(t.accuracy for t in measured)),
            "iteration/best_accuracy": about(max(t.accuracy for t in measured)),
            "iteration/seconds": about(sum(t.seconds for t in trials)),
            **{
                f"iteration/status/{status}": sum(t.status == status for t in trials)
                for status in ("trained", "known", "infeasible", "failed")
            },
        }
        assert times[number] == max(t.finished for t in trials)


def test_flags_are_hparams_with_the_best_as_metrics(blockqnn):
    blockqnn.search(*SEARCH, "--tensorboard", "--alpha=0.25")
    found = read("run/tensorboard")
    start = session(found, "session_start_info", metadata.parse_session_start_info_plugin_data)
    run = read_run(pathlib.Path("run"))
    assert set(start.hparams) == set(run.flags)
    assert start.hparams["alpha"].number_value == 0.25
    assert start.hparams["epsilon_schedule"].string_value == "1:2,0.5:2"
    assert start.hparams["reward_shaping"].bool_value is True
    experiment = session(found, "experiment", metadata.parse_experiment_plugin_data)
    assert {info.name for info in experiment.hparam_infos} == set(run.flags)
    metrics = [info.name.tag for info in experiment.metric_infos]
    assert metrics == ["best/reward", "best/accuracy"]
    assert set(metrics) <= set(found.Tags()["scalars"])
    end = session(found, "session_end_info", metadata.parse_session_end_info_plugin_data)
    assert start.start_time_secs == run.trials[0].finished - run.trials[0].seconds
    assert end.end_time_secs == max(trial.finished for trial in run.trials)


def test_operational_flags_are_no_hparams_and_no_other_search(blockqnn):
    blockqnn.search(*SEARCH)
    assert not pathlib.Path("run/tensorboard").exists()
    blockqnn.search(*SEARCH, LONGER, "--tensorboard")
    assert "tensorboard" not in read_run(pathlib.Path("run")).flags
    assert "--tensorboard=true" in pathlib.Path("run/search.flags").read_text().splitlines()


def test_a_longer_search_writes_only_what_is_new(blockqnn):
    blockqnn.search(*SEARCH, "--tensorboard")
    blockqnn.search(*SEARCH, LONGER, "--tensorboard")
    count = len(read_run(pathlib.Path("run")).trials)
    assert raw_steps("run/tensorboard", "trial/epsilon") == list(range(1, count + 1))
    assert raw_steps("run/tensorboard", "iteration/epsilon") == [1, 2, 3, 4, 5]
    assert raw_steps("run/tensorboard", "_hparams_/session_start_info") == [0]
    blockqnn("tensorboard", "run", "--out=whole")
    assert scalars(read("whole")) == scalars(read("run/tensorboard"))


def test_a_search_says_where_its_events_are(blockqnn):
    assert "tensorboard" not in blockqnn.search(*SEARCH)
    last = blockqnn.search(*SEARCH, LONGER, "--tensorboard").splitlines()[-1]
    assert last.endswith("tensorboard --logdir run/tensorboard")


def test_a_search_that_cannot_write_events_does_not_begin(blockqnn):
    pathlib.Path("run").mkdir()
    pathlib.Path("run/tensorboard").write_text("text")
    arguments = ("--evaluator=dry", "--executor=inline", *SEARCH, "--tensorboard")
    status, out, err = blockqnn("search", *arguments)
    assert status == 2
    assert out.endswith("Run:     run\n"), "nothing follows the heading"
    assert err == "blockqnn: Events cannot be written to run/tensorboard: File exists.\n"
    assert blockqnn("trials", "run")[2] == "blockqnn: The run in run has not begun yet.\n"


def test_a_search_that_has_ended_writes_events_when_it_is_called_again(blockqnn):
    blockqnn.search(*SEARCH)
    blockqnn.search(*SEARCH, "--tensorboard")
    assert len(raw_steps("run/tensorboard", "trial/epsilon")) == len(blockqnn.trials("run"))


def test_a_past_run_gets_the_events_that_its_search_would_have_written(blockqnn):
    blockqnn.search(*SEARCH, "--tensorboard")
    before = {path: path.read_bytes() for path in pathlib.Path("run").rglob("*") if path.is_file()}
    count = len(read_run(pathlib.Path("run")).trials)
    status, out, err = blockqnn("tensorboard", "run")
    assert (status, err) == (0, "")
    notice, done, where = out.splitlines()
    assert notice == DRY_NOTICE
    assert done == f"{count} of {count} trials were new and are in tensorboard/run."
    assert where.endswith("tensorboard --logdir tensorboard/run")
    ours, theirs = read("tensorboard/run"), read("run/tensorboard")
    assert scalars(ours) == scalars(theirs)
    assert ours.Images("best/block") == theirs.Images("best/block")
    after = {path: path.read_bytes() for path in pathlib.Path("run").rglob("*") if path.is_file()}
    assert after == before


def test_the_verb_again_adds_nothing(blockqnn):
    blockqnn.search(*SEARCH)
    blockqnn("tensorboard", "run", "--out=events")
    files = blockqnn.files()
    status, out, _ = blockqnn("tensorboard", "run", "--out=events")
    assert status == 0
    assert out.splitlines()[1].startswith("0 of ")
    assert blockqnn.files() == files


@pytest.mark.parametrize("share", [0.0, 0.1, 0.35, 0.5, 0.77, 0.999])
def test_a_writer_that_was_killed_is_gone_on_from(blockqnn, share):
    blockqnn.search(*SEARCH)
    blockqnn("tensorboard", "run", "--out=whole")
    blockqnn("tensorboard", "run", "--out=cut")
    (path,) = pathlib.Path("cut").iterdir()
    data = path.read_bytes()
    path.write_bytes(data[: round(share * len(data))])
    assert blockqnn("tensorboard", "run", "--out=cut")[0] == 0
    assert len(list(pathlib.Path("cut").iterdir())) == 2
    whole, cut = read("whole"), read("cut")
    assert scalars(cut) == scalars(whole)
    assert cut.Images("best/block") == whole.Images("best/block")
    steps = raw_steps("cut", "trial/epsilon")
    assert steps == sorted(set(steps))


def test_a_writer_may_be_killed_after_any_record(blockqnn):
    blockqnn.search(*SEARCH)
    blockqnn("tensorboard", "run", "--out=cut")
    (path,) = pathlib.Path("cut").iterdir()
    data, position = path.read_bytes(), 0
    for _ in range(4):
        path.write_bytes(data[:position])
        assert blockqnn("tensorboard", "run", "--out=cut")[0] == 0
        assert len(raw_steps("cut", "_hparams_/session_start_info")) == 1
        steps = raw_steps("cut", "trial/epsilon")
        assert steps == list(range(1, len(blockqnn.trials("run")) + 1))
        for other in pathlib.Path("cut").iterdir():
            if other != path:
                other.unlink()
        position += struct.unpack_from("<Q", data, position)[0] + 16


def test_what_a_run_has_is_written_while_it_goes_on(blockqnn, monkeypatch):
    blockqnn.search(*SEARCH, "--tensorboard")
    whole = read("run/tensorboard")
    run = read_run(pathlib.Path("run"))
    third = [t for t in run.trials if t.iteration == 3]
    first = third[0].number
    # The third iteration goes on: its second trial is still in training.
    part = [t for t in run.trials if t.number <= third[-1].number and t.number != first + 1]
    monkeypatch.setattr(
        "blockqnn.tensorboard.command.read_run",
        lambda path: dataclasses.replace(run, trials=part, iterations=2),
    )
    assert blockqnn("tensorboard", "run", "--out=events")[0] == 0
    assert raw_steps("events", "trial/epsilon") == [t.number for t in part]
    assert raw_steps("events", "iteration/epsilon") == [1, 2]
    assert raw_steps("events", "_hparams_/session_end_info") == []
    monkeypatch.undo()
    monkeypatch.chdir(blockqnn.directory)
    assert blockqnn("tensorboard", "run", "--out=events")[0] == 0
    events = read("events")
    assert scalars(events) == scalars(whole)
    assert events.Images("best/block") == whole.Images("best/block")
    assert raw_steps("events", "trial/epsilon")[len(part) :] == [
        t.number for t in run.trials if t.number > first
    ]

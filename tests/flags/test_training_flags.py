"""The command line of `train`: presets, overriding, what is refused."""

import dataclasses
import pathlib

import pytest

from blockqnn.errors import UserError
from blockqnn.flags import evaluation, training
from blockqnn.full_training.settings import FullRecipe
from blockqnn.settings import DataSettings


def test_flags_override_the_preset_whatever_their_order():
    for words in (
        ["--preset=train_cifar10", "--epochs=7"],
        ["--epochs=7", "--preset=train_cifar10"],
    ):
        settings = training.parse([*words, "residual"])
        assert settings.recipe.epochs == 7
        assert settings.data.source.dataset == "cifar10"
        assert settings.reference == "residual"


def test_a_flag_file_overrides_the_preset_and_is_overridden(tmp_path):
    file = tmp_path / "some.flags"
    file.write_text("--epochs=7\n--seed=3\n")
    settings = training.parse([f"--flagfile={file}", "residual", "--seed=4"])
    assert (settings.recipe.epochs, settings.seed) == (7, 4)


@pytest.mark.parametrize("flags", [["--preset=train_modern"], ["--milestones=", "--notest"]])
def test_what_is_written_to_a_flag_file_is_read_as_the_same(tmp_path, flags):
    words = [*flags, "--seed=5", "--filters=8,16", "residual"]
    settings = training.parse(words)
    file = tmp_path / "train.flags"
    file.write_text(settings.flag_file)
    again = training.parse([f"--flagfile={file}", "residual"])
    assert again.flag_values == settings.flag_values
    assert (again.recipe, again.data, again.layout) == (
        settings.recipe,
        settings.data,
        settings.layout,
    )


def test_every_flag_reaches_its_setting():
    words = [
        "residual",
        "--top=3",
        "--seed=9",
        "--out_dir=here",
        "--checkpoint_epochs=4",
        "--keep_checkpoints=7",
        "--max_seconds=1.5",
        "--devices=2",
        "--data_on_device=no",
        "--readers=5",
        "--memory_gigabytes=3",
        "--compilation_cache=off",
        "--layout=cells_imagenet",
        "--cells=25",
        "--cell_rules=enas",
        "--filters=1,2",
        "--repeats=6",
        "--max_layers=8",
        "--dataset=cifar10",
        "--data_dir=there",
        "--hold_out",
        "--train_examples=11",
        "--split_seed=12",
        "--notest",
        "--test_split=validation",
        "--resize=20x30",
        "--background=black",
        "--class_folders=train",
        "--skip_folders=old,older",
        "--image_size=16",
        "--epochs=13",
        "--batch_size=14",
        "--learning_rate=0.15",
        "--schedule=steps",
        "--milestones=1,2",
        "--learning_rate_decay=0.16",
        "--warmup_epochs=17",
        "--momentum=0.18",
        "--nesterov",
        "--weight_decay=0.19",
        "--nodecay_norm",
        "--clip_norm=0.195",
        "--label_smoothing=0.2",
        "--crop_padding=21",
        "--noflip",
        "--cutout=22",
        "--drop_path=0.23",
        "--ema_decay=0.24",
        "--bfloat16",
        "--nosync_batch_norm",
        "--drop_path_by=cell",
        "--auxiliary_weight=0.26",
        "--dropout=0.27",
        "--optimiser=rmsprop",
        "--rms_decay=0.28",
        "--rms_epsilon=0.29",
        "--norm_momentum=0.31",
        "--norm_epsilon=0.32",
    ]
    given = {word[2:].partition("=")[0].removeprefix("no") for word in words[1:]}
    given = {name if name in training.define().values else f"no{name}" for name in given}
    others = {"least_learning_rate", "decay_epochs", "first_period", "period_factor"}
    assert given | {"preset", "flagfile"} | others == set(training.define().values)
    found = training.parse(words)
    recipe = found.recipe
    assert (found.top, found.seed, found.out_dir, found.max_layers) == (
        3,
        9,
        pathlib.Path("here"),
        8,
    )
    assert found.saving == training.Saving(4, 7, 1.5)
    assert found.machine == training.Machine(2, "no", 5, 3.0, "off")
    assert found.layout == training.LayoutChoice("cells_imagenet", (1, 2), 6, 25, "enas")
    assert found.data == training.FullData(
        DataSettings(
            dataset="cifar10",
            data_dir="there",
            train_examples=11,
            split_seed=12,
            resize=(20, 30),
            background=(0, 0, 0),
            class_folders=("train",),
            skip_folders=("old", "older"),
        ),
        hold_out=True,
        test=False,
        test_split="validation",
        image_size=16,
    )
    assert recipe == FullRecipe(
        13, 14, 0.15, "steps", (1, 2), 0.16, 17, 0.18, True, 0.19, False, 0.195, 0.2, 21, False, 22,
        0.23, 0.24, True, False, "cell", 0.26, 0.27, "rmsprop", 0.28, 0.29, norm_momentum=0.31,
        norm_epsilon=0.32,
    )  # fmt: skip


def test_every_flag_of_other_schedules_reaches_its_setting():
    words = ["--schedule=restarts", "--least_learning_rate=0.01", "--first_period=3"]
    recipe = training.parse(["residual", *words, "--period_factor=4"]).recipe
    assert (recipe.schedule, recipe.least_learning_rate) == ("restarts", 0.01)
    assert (recipe.first_period, recipe.period_factor) == (3, 4)
    words = ["--schedule=exponential", "--decay_epochs=2.5", "--learning_rate_decay=0.9"]
    recipe = training.parse(["residual", *words]).recipe
    assert (recipe.decay_epochs, recipe.learning_rate_decay) == (2.5, 0.9)


def test_milestones_belong_to_the_schedule_of_steps(tmp_path):
    assert training.parse(["residual", "--schedule=cosine"]).recipe.schedule == "cosine"
    for flag in ("--milestones=10", "--learning_rate_decay=0.5"):
        with pytest.raises(UserError) as refusal:
            training.parse(["residual", "--schedule=cosine", flag])
        name = flag[2:].partition("=")[0]
        owners = "steps" if name == "milestones" else "steps or exponential"
        assert str(refusal.value) == (
            f"--{name} belongs to {owners}; this training's schedule is cosine."
        )


def test_a_training_of_an_older_version_goes_on_by_its_flags(tmp_path):
    settings = training.parse(["residual", "--preset=train_cifar10_cpu", "--schedule=cosine"])
    file = tmp_path / "train.flags"
    # Without the first line, which older versions did not write.
    text = settings.flag_file.partition("\n")[2]
    assert "--milestones=8,12\n" in text
    # A preset's milestones that no preset for this data has now.
    file.write_text(text.replace("--milestones=8,12\n", "--milestones=7,11\n"))
    with pytest.raises(UserError, match="--milestones belongs to steps"):
        training.parse(["residual", f"--flagfile={file}"])
    (tmp_path / "metrics.jsonl").touch()
    again = training.parse(["residual", f"--flagfile={file}"])
    assert again.recipe == dataclasses.replace(settings.recipe, milestones=(7, 11))
    # Wherever the folder has been moved to, it is that folder in which it goes on.
    assert again.out_dir == tmp_path
    assert training.parse(["residual", f"--flagfile={file}", "--out_dir=x"]).out_dir == (
        pathlib.Path("x")
    )


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["residual", "inception"],
        ["residual", "--preset=digits"],
        ["residual", "--epochs=0"],
        ["residual", "--milestones=5,3"],
        ["residual", "--milestones=0"],
        ["residual", "--milestones=a"],
        ["residual", "--drop_path=0.96"],
        ["residual", "--drop_path=-0.1"],
        ["residual", "--label_smoothing=1"],
        ["residual", "--momentum=1"],
        ["residual", "--keep_checkpoints=1"],
        ["residual", "--data_on_device=perhaps"],
        ["residual", "--schedule=linear"],
        ["residual", "--ema_decay=1"],
        ["residual", "--flagfile=/no/such/file"],
    ],
)
def test_what_is_refused(words):
    with pytest.raises(UserError):
        training.parse(words)


def test_the_operational_flags_are_none_of_a_trainings_own():
    assert not set(training._OPERATIONAL) & set(training.parse(["residual"]).flag_values)
    assert "epochs" in training.parse(["residual"]).flag_values


def test_the_flags_of_evaluate():
    found = evaluation.parse(["there", "--split=train", "--batch_sizes=2,3", "--format=json"])
    assert (found.checkpoint, found.split) == (pathlib.Path("there"), "train")
    assert (found.batch_sizes, found.as_json, found.source.dataset) == ((2, 3), True, "")
    for words in ([], ["a", "b"], ["a", "--split=half"], ["a", "--batch_sizes=0"]):
        with pytest.raises(UserError):
            evaluation.parse(words)

"""The flags of `search`: the paper's defaults, the presets, and which of them wins."""

import dataclasses
import pathlib

import pytest

from blockqnn.agents.q_learning import PAPER_SCHEDULE, QLearningConfig
from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.errors import UserError
from blockqnn.flags.flag_text import parse_schedule
from blockqnn.flags.preset_files import preset_names
from blockqnn.flags.search import define, parse
from blockqnn.networks.cost import Limits, cost, infeasible_reason
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, space_named
from blockqnn.settings import DataSettings, Recipe, RewardSettings, WorkerSettings

CIFAR = ["cifar10", "cifar100_paper", "cifar10_cpu", "cifar10_small"]
OWN = "own"
PRESETS = [*CIFAR, "digits", "nasbench201", OWN, "smoke"]
# Their numbers have a test module of their own, `test_method_presets`.
OF_METHODS = [
    "darts",
    "darts_cell_ptb",
    "darts_cell_ptb_second_order",
    "darts_digits",
    "darts_nasbench201",
    "darts_second_order",
    "darts_text",
    "enas_cell_ptb",
    "enas_digits",
    "enas_macro",
    "enas_macro_code",
    "enas_micro",
    "enas_micro_code",
    "enas_text",
    "few_shot_darts_digits",
    "few_shot_darts_nasbench201",
    "few_shot_digits",
    "few_shot_nasbench201",
    "ground_digits",
    "ground_nasbench201",
    "nas",
    "nas_cell_ptb",
    "nas_digits",
    "nas_text",
    "nasnet",
    "nasnet_digits",
    "one_shot_nasbench201",
    "rnn_text",
]


def settings(*arguments):
    """What a dry search is made of."""
    return parse([*arguments, "--evaluator=dry"])[0]


@pytest.fixture
def flag_file(tmp_path):
    """Writes a flag file and returns the flag that names it."""

    def write(*lines):
        path = tmp_path / "my.flags"
        path.write_text("\n".join(lines) + "\n")
        return f"--flagfile={path}"

    return write


def test_the_flags_own_defaults_are_the_papers():
    values = define().chosen()
    schedule = "1.0:95,0.9:7,0.8:7,0.7:7,0.6:10,0.5:10,0.4:10,0.3:10,0.2:10,0.1:12"
    paper = {
        "agent": "q_learning",
        "epsilon_schedule": parse_schedule(schedule),
        "blocks_per_iteration": 64,
        "alpha": 0.01,
        "gamma": 1.0,
        "initial_q": 0.5,
        "replay_updates": 64,
        "replay_capacity": 0,
        "reward_shaping": True,
        "exploration": "by_type",
        "max_layers": 23,
        "layout": "cifar",
        "filters": (32, 64, 128),
        "max_parameters": 40_000_000,
        "dataset": "cifar100",
        "train_examples": 0,
        "validation_examples": 0,
        "epochs": 12,
        "batch_size": 256,
        "learning_rate": 1e-3,
        "learning_rate_decay": 0.2,
        "decay_epochs": 5,
        "beta1": 0.9,
        "beta2": 0.999,
        "adam_epsilon": 1e-8,
        "restarts": 3,
        "restart_factor": 0.4,
        "mu": 1.0,
        "rho": 8.0,
        "preset": "digits",
        "seed": 0,
        "executor": "local",
        "evaluator": "train",
    }
    assert {name: values[name] for name in paper} == paper
    assert sum(count for _, count in values["epsilon_schedule"]) == 178


def test_the_papers_preset_is_the_papers_search():
    found = settings("--preset=cifar100_paper")
    assert found.iterations == 178
    assert found.iterations * found.blocks_per_iteration == 11_392
    assert found.agent == QLearningConfig(epsilon_schedule=PAPER_SCHEDULE)
    assert found.recipe == Recipe()
    assert found.reward == RewardSettings(1.0, 8.0)
    assert found.limits.max_parameters == 40_000_000
    assert (found.max_layers, found.layout.filters) == (23, (32, 64, 128))
    assert (found.layout.kind, found.layout.classes) == ("cifar", 100)
    assert found.layout.image_shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("preset", "dataset", "classes"),
    [
        ("cifar10", "cifar10", 10),
        ("cifar100_paper", "cifar100", 100),
        ("cifar10_cpu", "cifar10", 10),
        ("cifar10_small", "cifar10", 10),
        ("nasbench201", "cifar10", 10),
        ("digits", "digits", 10),
        ("smoke", "digits", 10),
    ],
)
def test_every_preset_can_be_used_and_is_for_its_data_set(preset, dataset, classes):
    found, run = parse(["--evaluator=dry", f"--preset={preset}"])
    assert found.data.dataset == dataset
    assert found.layout.classes == classes
    assert found.evaluator == "dry"
    assert run.run_dir == pathlib.Path("runs") / preset


def test_these_are_all_presets():
    assert sorted(preset_names()) == sorted([*PRESETS, *OF_METHODS])


@pytest.mark.parametrize("preset", PRESETS)
def test_under_two_fifths_of_a_presets_random_blocks_are_infeasible(preset):
    found = settings(f"--preset={preset}")
    exploration = RandomSearchConfig(found.agent.exploration)
    agent = RandomSearch(space_named(found.space, found.max_layers), exploration, seed=0)
    bytes_per_number = 2 if found.recipe.bfloat16 else 4
    infeasible, drawn = 0, 1500
    for code in agent.suggest(drawn):
        design = design_of(code)
        spent = cost(design, found.layout)
        reason = infeasible_reason(
            design, spent, found.limits, found.recipe.batch_size, bytes_per_number
        )
        infeasible += reason is not None
    assert infeasible / drawn < 0.40


def test_without_a_preset_it_is_digits():
    assert settings() == settings("--preset=digits")
    assert settings().data == DataSettings("digits")
    assert parse(["--evaluator=dry"])[1].run_dir == pathlib.Path("runs/digits")


@pytest.mark.parametrize(
    "arguments", [["--epochs=9", "--preset=smoke"], ["--preset=smoke", "--epochs=9"]]
)
def test_a_flag_wins_over_the_preset_in_any_place(arguments):
    assert settings("--preset=smoke").recipe.epochs == 1
    assert settings(*arguments).recipe.epochs == 9
    # And the preset holds for the rest.
    assert settings(*arguments).layout.filters == settings("--preset=smoke").layout.filters


def test_a_flag_file_wins_over_the_preset_in_any_place(flag_file):
    file = flag_file("--epochs=9", "--filters=5")
    for arguments in ([file, "--preset=smoke"], ["--preset=smoke", file]):
        found = settings(*arguments)
        assert (found.recipe.epochs, found.layout.filters) == (9, (5,))
        assert found.data == settings("--preset=smoke").data


def test_of_a_flag_and_a_flag_file_the_later_wins(flag_file):
    file = flag_file("--epochs=9", "--filters=5")
    for arguments, epochs in ([[file, "--epochs=7"], 7], [["--epochs=7", file], 9]):
        found = settings("--preset=smoke", *arguments)
        assert (found.recipe.epochs, found.layout.filters) == (epochs, (5,))


def test_a_flag_file_can_name_the_preset(flag_file):
    file = flag_file("--preset=smoke", "--epochs=9")
    found, run = parse(["--evaluator=dry", file])
    assert found == settings("--preset=smoke", "--epochs=9")
    assert run.run_dir == pathlib.Path("runs/smoke")
    assert settings(file, "--preset=digits", "--seed=1").data == DataSettings("digits")


@pytest.mark.parametrize("preset", PRESETS)
def test_the_flags_that_are_kept_name_the_same_search(preset, tmp_path):
    arguments = ["--evaluator=dry", f"--preset={preset}", "--alpha=0.3", f"--run_dir={tmp_path}"]
    found, run = parse([*arguments, "--agent=q_learning", "--noreward_shaping"])
    path = tmp_path / "kept.flags"
    path.write_text(run.flag_file)
    assert parse([f"--flagfile={path}"]) == (found, dataclasses.replace(run, notes=()))


def test_every_flag_reaches_the_settings():
    found, run = parse(
        [
            "--evaluator=dry", "--run_dir=somewhere", "--seed=3", "--executor=ray",
            "--workers=4", "--child_timeout_seconds=5.5", "--epsilon_schedule=0.7:2,0.1:1",
            "--blocks_per_iteration=5", "--alpha=0.2", "--gamma=0.9", "--initial_q=0.25",
            "--replay_updates=6", "--replay_capacity=7", "--noreward_shaping",
            "--exploration=uniform", "--max_layers=8", "--layout=imagenet", "--filters=3",
            "--repeats=2", "--max_parameters=10", "--max_flops=11", "--max_activation_bytes=12",
            "--dataset=synthetic:9x10x2:4:60", "--data_dir=there", "--train_examples=13",
            "--validation_examples=6", "--split_seed=14", "--epochs=15", "--batch_size=16",
            "--learning_rate=0.5", "--learning_rate_decay=0.6", "--decay_epochs=17",
            "--beta1=0.3", "--beta2=0.4", "--adam_epsilon=0.01", "--restarts=18",
            "--restart_factor=0.7", "--bfloat16", "--execution=whole", "--mu=-1",
            "--rho=2.5", "--cores_per_worker=2", "--devices_per_worker=6",
            "--compilation_cache=kept",
        ]
    )  # fmt: skip
    schedule = ((0.7, 2), (0.1, 1))
    assert found.agent == QLearningConfig(0.2, 0.9, 0.25, schedule, 6, 7, False, "uniform")
    assert (found.schedule, found.iterations) == (schedule, 3)
    assert (found.blocks_per_iteration, found.max_layers, found.seed) == (5, 8, 3)
    assert found.layout == Layout("imagenet", (3,), 2, 9, 10, 2, 4)
    assert found.limits == Limits(10, 11, 12)
    assert found.data == DataSettings("synthetic:9x10x2:4:60", "there", 13, 14, 6)
    adam = (0.3, 0.4, 0.01)
    assert found.recipe == Recipe(15, 16, 0.5, "steps", 0.6, 17, *adam, 18, 0.7, True, "whole")
    assert found.reward == RewardSettings(-1.0, 2.5)
    assert found.evaluator == "dry"
    assert (run.run_dir, run.executor) == (pathlib.Path("somewhere"), "ray")
    assert (run.workers, run.cores_per_worker, run.child_timeout_seconds) == (4, 2, 5.5)
    assert run.worker == WorkerSettings(devices=6, compilation_cache="kept")


def test_the_random_agent_has_the_length_of_the_schedule():
    found = settings("--agent=random", "--exploration=uniform", "--epsilon_schedule=1:3,0.5:4")
    assert found.agent == RandomSearchConfig("uniform")
    assert found.iterations == 7


def test_what_decides_the_search_is_kept_apart_from_how_it_is_carried_out():
    _, one = parse(["--evaluator=dry", "--workers=1", "--run_dir=a", "--execution=whole"])
    _, other = parse(["--evaluator=dry", "--workers=9", "--run_dir=b", "--data_dir=c"])
    assert one.flag_values == other.flag_values
    _, another = parse(["--evaluator=dry", "--rho=7"])
    assert another.flag_values != one.flag_values
    assert another.flag_values["rho"] == "7"


def test_a_space_takes_its_layout_where_none_is_named():
    cells = ["--space=nasbench201", "--evaluator=dry"]
    settings, run = parse(cells)
    assert (settings.layout.kind, run.flag_values["layout"]) == ("nasbench201", "nasbench201")
    assert "--layout=nasbench201" in run.flag_file
    assert parse(["--evaluator=dry"])[0].layout.kind == "cifar"
    with pytest.raises(UserError, match="does not go with --layout=cifar; allowed: nasbench201"):
        parse([*cells, "--layout=cifar"])


@pytest.mark.parametrize(
    ("space", "layout", "allowed"),
    [
        ("nsc", "cifar", False),
        ("nasbench201", "nasbench201", False),
        ("enas_micro", "cells", False),
        ("nas", "whole", True),
        ("enas_macro", "whole", True),
    ],
)
def test_a_prior_on_skips_needs_layers_that_decide_on_them(space, layout, allowed):
    words = [f"--space={space}", f"--layout={layout}", "--filters=8", "--agent=reinforce"]
    words += ["--dataset=digits", "--epsilon_schedule=1:1", "--reinforce_skip_weight=0.8"]
    if allowed:
        assert parse(words)[0].agent.skip_weight == 0.8
    else:
        with pytest.raises(UserError, match="has no layers that decide on skips"):
            parse(words)

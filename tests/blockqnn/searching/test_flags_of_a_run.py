"""Which flags make a search another one, and which may change when it goes on."""

import re

from blockqnn.flags import search as search_flags
from blockqnn.networks.spaces.registry import SPACES
from tests.blockqnn.searching.test_command import SMOKE, result_in

# A value of each flag that is not the one of `SMOKE`.
OTHER_VALUES = {
    "seed": "1",
    "evaluator": "train",
    "agent": "random",
    "epsilon_schedule": "1:1",
    "blocks_per_iteration": "3",
    "async": "true",
    "alpha": "0.5",
    "gamma": "0.5",
    "initial_q": "0.25",
    "replay_updates": "9",
    "replay_capacity": "5",
    "reward_shaping": "false",
    "ceilings": "2",
    "population": "20",
    "sample": "4",
    "centres": "1",
    "reinforce_children": "3",
    "reinforce_learning_rate": "0.5",
    "reinforce_baseline_decay": "0.5",
    "reinforce_entropy": "0.25",
    "reinforce_temperature": "2",
    "reinforce_tanh": "3",
    "reinforce_layers": "3",
    "reinforce_units": "9",
    "reinforce_first_weights": "0.3",
    "reinforce_gradient_norm": "7",
    "reinforce_exponent": "4",
    "reinforce_skip_rate": "0.3",
    "reinforce_skip_weight": "0.5",
    "reinforce_momentum": "0.25",
    "reinforce_epsilon": "0.01",
    "ppo_children": "3",
    "ppo_learning_rate": "0.5",
    "ppo_baseline_decay": "0.5",
    "ppo_entropy": "0.25",
    "ppo_temperature": "2",
    "ppo_tanh": "3",
    "ppo_layers": "3",
    "ppo_units": "9",
    "ppo_first_weights": "0.3",
    "ppo_gradient_norm": "7",
    "ppo_exponent": "4",
    "ppo_clip": "0.3",
    "ppo_passes": "5",
    "ppo_minibatches": "7",
    "ppo_per_sequence": "true",
    "ppo_staleness": "8",
    "predictor": "forest",
    "predictor_pool": "7",
    "predictor_after": "9",
    "exploration": "uniform",
    "table": "other.csv",
    "search_column": "other",
    "max_layers": "5",
    "layout": "imagenet",
    "filters": "4",
    "repeats": "2",
    "max_parameters": "30000",
    "match": "parameters:9000",
    "proxy": "gradient_norm",
    "max_flops": "1000000000",
    "max_activation_bytes": "1000000000",
    "dataset": "synthetic:8x8x1:10:600",
    "train_examples": "301",
    "validation_examples": "55",
    "split_seed": "1",
    "own_validation": "false",
    "resize": "4",
    "background": "black",
    "class_folders": "a",
    "skip_folders": "a",
    "epochs": "2",
    "batch_size": "26",
    "learning_rate": "0.01",
    "schedule": "one_cycle",
    "cells": "5",
    "cell_rules": "darts",
    "network_rules": "zeros_around",
    "depth_growth": "6:2:1600",
    "first_blocks": "[(1,1,3,0,0),(2,7,0,0,0)]",
    "learning_rate_decay": "0.5",
    "decay_epochs": "2",
    "beta1": "0.8",
    "beta2": "0.99",
    "adam_epsilon": "1e-07",
    "restarts": "0",
    "restart_factor": "0.5",
    "bfloat16": "true",
    "optimiser": "momentum",
    "momentum": "0.5",
    "weight_decay": "0.25",
    "reward_epochs": "3",
    "supernet_epochs": "3",
    "supernet_batch_size": "65",
    "supernet_optimiser": "adam",
    "supernet_rate": "0.5",
    "supernet_least_rate": "0",
    "supernet_first_period": "4",
    "supernet_momentum": "0.5",
    "supernet_weight_decay": "0",
    "supernet_gradient_norm": "1",
    "paths": "agent",
    "score_statistics": "batch",
    "recalibration_batches": "3",
    "agent_updates": "4",
    "agent_batch": "2",
    "split": "1<-0",
    "split_epochs": "2",
    "split_levels": "2",
    "split_batches": "3",
    "control": "true",
    "norm_scale": "false",
    "bilevel": "second_order",
    "hessian": "exact",
    "alpha_rate": "0.25",
    "alpha_beta1": "0.25",
    "alpha_beta2": "0.25",
    "alpha_decay": "0.25",
    "alpha_deviation": "0.25",
    "frozen_epochs": "3",
    "partial_channels": "4",
    "rematerialise": "true",
    "eigenvalue_every": "2",
    "eigenvalue_steps": "3",
    "stop_eigenvalue": "1.5",
    "stop_skips": "2",
    "stop_unchanged": "9",
    "selection": "perturbation",
    "perturbation_epochs": "3",
    "augmentation": "padded",
    "text_by": "words",
    "vocabulary": "50",
    "unknown_word": "?",
    "node_rules": "unread_nodes",
    "untied": "true",
    "bptt_steps": "20",
    "clip_norm": "3",
    "averaging_patience": "3",
    "word_dropout": "0.5",
    "embedding_dropout": "0.5",
    "input_dropout": "0.5",
    "hidden_dropout": "0.5",
    "output_dropout": "0.5",
    "activation_penalty": "0.5",
    "temporal_penalty": "0.5",
    "first_weights": "0.5",
    "judging_batch": "3",
    "perplexity_power": "2",
    "mu": "0",
    "rho": "0",
}
# Of these, the ones that have no effect on a dry search by Q-learning, with their owner.
OWNERS = {
    "cells": "cells or cells_imagenet",
    "cell_rules": "cells or cells_imagenet",
    "network_rules": "whole",
    "depth_growth": " or ".join(space.name for space in SPACES.values() if space.layers),
    "ceilings": "q_learning_plus",
    "population": "evolution",
    "sample": "evolution",
    "centres": "local_search",
    **{name: name.partition("_")[0] for name in OTHER_VALUES if name[:4] in ("rein", "ppo_")},
    "predictor_pool": "forest",
    "predictor_after": "forest",
    "table": "table",
    "proxy": "proxy",
    "momentum": "momentum",
    "weight_decay": "momentum or asgd",
    **dict.fromkeys(
        (
            "supernet_epochs",
            "supernet_batch_size",
            "supernet_optimiser",
            "supernet_rate",
            "supernet_least_rate",
            "supernet_momentum",
            "supernet_weight_decay",
            "supernet_gradient_norm",
            "split",
            "split_epochs",
            "split_levels",
            "split_batches",
            "control",
        ),
        "shared or mixture",
    ),
    **dict.fromkeys(
        (
            "supernet_first_period",
            "norm_scale",
            "paths",
            "score_statistics",
            "recalibration_batches",
            "agent_updates",
            "agent_batch",
        ),
        "shared",
    ),
    **dict.fromkeys(
        (
            "bilevel",
            "hessian",
            "alpha_rate",
            "alpha_beta1",
            "alpha_beta2",
            "alpha_decay",
            "alpha_deviation",
            "frozen_epochs",
            "partial_channels",
            "rematerialise",
            "eigenvalue_every",
            "eigenvalue_steps",
            "stop_eigenvalue",
            "stop_skips",
            "stop_unchanged",
            "selection",
            "perturbation_epochs",
        ),
        "mixture",
    ),
    "search_column": "table",
    **dict.fromkeys(
        (
            "node_rules",
            "untied",
            "bptt_steps",
            "clip_norm",
            "averaging_patience",
            "word_dropout",
            "embedding_dropout",
            "input_dropout",
            "hidden_dropout",
            "output_dropout",
            "activation_penalty",
            "temporal_penalty",
            "first_weights",
            "judging_batch",
            "perplexity_power",
        ),
        "language",
    ),
}
# Data are known by what they hold.
BY_CONTENT = ("dataset", "resize")
ONLY_ON_RAY = ("ray_address", "cpus_per_child", "tpus_per_child")
OPERATIONAL_VALUES = {
    "executor": "local",
    "workers": "2",
    "cores_per_worker": "0",
    "spare_cores": "idle",
    "devices_per_worker": "3",
    "compilation_cache": "off",
    "child_timeout_seconds": "77.5",
    "child_retries": "7",
    "children_per_worker": "5",
    "ray_address": "local",
    "cpus_per_child": "0.5",
    "gpus_per_child": "0.25",
    "tpus_per_child": "4",
    "dry_seconds": "0.001",
    "dry_spread": "0.5",
    "data_dir": "elsewhere",
    "execution": "whole",
    "tensorboard": "true",
}


def test_every_flag_of_search_is_either_part_of_the_search_or_of_its_carrying_out():
    names = {name for name in search_flags.define().values if name not in ("preset", "flagfile")}
    # Another space needs another layout too, and shared weights another space, so that either is
    # refused by itself; a run that has no budget may get one, and finals and a check follow the
    # search.
    assert names == {
        *OTHER_VALUES,
        *OPERATIONAL_VALUES,
        "run_dir",
        "space",
        "weights",
        "check",
        "max_blocks",
        "max_hours",
        "finals",
        "finals_recipe",
    }


def test_another_value_of_any_flag_of_the_search_is_refused_by_its_name(blockqnn):
    blockqnn.search(*SMOKE)
    trials, files = blockqnn.trials("run"), blockqnn.files()
    kept = (blockqnn.directory / "run" / "search.flags").read_text()
    for name, value in OTHER_VALUES.items():
        status, out, err = blockqnn("search", "--evaluator=dry", *SMOKE, f"--{name}={value}")
        assert status == 2, name
        assert out == "" or name in BY_CONTENT
        begun = rf"blockqnn: .* begun with --{name}=\S*; given is --{name}={re.escape(value)}\. "
        foreign = rf"blockqnn: --{name} belongs to {OWNERS.get(name)}; this search's \w+ is \w+\.\n"
        other_data = r"blockqnn: The data are not those with which the run in run was begun: "
        if name in BY_CONTENT:
            begun = other_data
        assert re.match(foreign if name in OWNERS else begun, err), err
        assert err.count("\n") == 1
    assert blockqnn.trials("run") == trials
    assert blockqnn.files() == files
    assert (blockqnn.directory / "run" / "search.flags").read_text() == kept


def test_flags_that_say_how_to_carry_it_out_may_change(blockqnn):
    first = blockqnn.search(*SMOKE)
    changes = [f"--{n}={value}" for n, value in OPERATIONAL_VALUES.items() if n not in ONLY_ON_RAY]
    status, out, err = blockqnn("search", "--evaluator=dry", *SMOKE, *changes)
    assert (status, err) == (0, "")
    # A line on TensorBoard follows.
    assert result_in(out).startswith(result_in(first))
    for name in ONLY_ON_RAY:
        given = f"--{name}={OPERATIONAL_VALUES[name]}"
        status, out, err = blockqnn("search", "--evaluator=dry", *SMOKE, *changes, given)
        assert (status, out) == (2, "")
        assert err == f"blockqnn: --{name} belongs to ray; this search's executor is local.\n"

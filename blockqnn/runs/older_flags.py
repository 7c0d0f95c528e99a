"""What runs did that are older than a flag."""

from __future__ import annotations

from blockqnn.agents.options import typed_defaults
from blockqnn.agents.registry import AGENTS
from blockqnn.settings import STEPS

BEFORE_THERE_WERE = {
    "async": "false",
    "validation_examples": "0",
    "max_blocks": "0",
    "max_hours": "0",
    "own_validation": "true",
    "resize": "0",
    "background": "white",
    "class_folders": "",
    "skip_folders": "",
    "match": "",
    "finals": "off",
    "proxy": "synaptic_flow",
    "schedule": STEPS,
    "first_blocks": "",
    "cells": "0",
    "cell_rules": "own",
    "network_rules": "own",
    "depth_growth": "",
    "optimiser": "adam",
    "momentum": "0.9",
    "weight_decay": "0",
    "reward_epochs": "1",
    "weights": "own",
    "supernet_epochs": "250",
    "supernet_batch_size": "64",
    "supernet_optimiser": "momentum",
    "supernet_rate": "0.025",
    "supernet_least_rate": "0.001",
    "supernet_first_period": "0",
    "supernet_momentum": "0.9",
    "supernet_weight_decay": "0.0005",
    "supernet_gradient_norm": "5",
    "paths": "uniform",
    "score_statistics": "recalibrated",
    "recalibration_batches": "16",
    "agent_updates": "0",
    "agent_batch": "1",
    "split": "",
    "split_epochs": "0",
    "split_levels": "1",
    "split_batches": "100",
    "control": "false",
    "norm_scale": "true",
    "augmentation": "none",
    **typed_defaults(AGENTS["reinforce"].settings),
    **typed_defaults(AGENTS["ppo"].settings),
}
"""The value that each such flag would have had, as one types it."""

"""A run that tests open from Python."""

import pytest

import blockqnn as package


@pytest.fixture
def run(blockqnn):
    blockqnn.search(
        *("--preset=smoke", "--max_layers=4", "--blocks_per_iteration=5", "--run_dir=run"),
        "--epsilon_schedule=1.0:4",
    )
    return package.open_run("run")

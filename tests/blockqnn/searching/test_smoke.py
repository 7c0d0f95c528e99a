"""The smoke preset as a user runs it: real images, real training, a real worker process."""

import subprocess
import sys

from blockqnn.listing import DRY_NOTICE

PROGRAM = """
import sys
from blockqnn.__main__ import main
status = main(["search", "--preset=smoke"])
assert not {"jax", "jaxlib", "flax", "optax"} & set(sys.modules), "the driver imports no JAX"
sys.exit(status)
"""


def test_the_smoke_preset_trains_real_children(blockqnn):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert DRY_NOTICE not in done.stdout
    assert "Best blocks by reward" in done.stdout
    trials = blockqnn.trials("runs/smoke")
    trained = [trial for trial in trials if trial["status"] == "trained"]
    assert trained
    assert {trial["status"] for trial in trials} <= {"trained", "known", "infeasible"}
    for trial in trained:
        assert len(trial["accuracies"]) == 1
        assert 0 <= trial["accuracy"] <= 100
        assert trial["train_seconds"] > 0
        assert trial["device"] == "cpu"
        # One a core, and no more than there are blocks in an iteration.
        assert trial["worker"] in (0, 1)
        assert trial["dry"] is False
    status, out, err = blockqnn("search", "--preset=smoke")
    assert (status, err) == (0, "")
    assert out.split("\n\n", 1)[1] in done.stdout

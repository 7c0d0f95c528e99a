"""A small share of `benchmarks.store_stress`, in a process of its own because it forks."""

import subprocess
import sys

from tests.paths import ROOT


def test_no_commit_is_lost_when_a_writer_is_killed():
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.store_stress", "--kills=60", "--seed=1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "60 SIGKILLs" in ended.stdout
    assert "no commit lost" in ended.stdout

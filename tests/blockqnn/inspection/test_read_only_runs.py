"""A finished run that its reader may not write to: another user's, or one on a read-only disk."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

from tests.paths import ROOT

PROGRAM = """
import os, pathlib, sys
from blockqnn.inspection.explanation import read_knowledge
read_knowledge(pathlib.Path(sys.argv[2]))  # So that all modules are there.
if os.geteuid() == 0:
    os.setuid(65534)  # Root may write anywhere.
knowledge = read_knowledge(pathlib.Path(sys.argv[1]))
print(len(knowledge.run.trials), knowledge.iterations)
"""


@pytest.mark.parametrize("left", ["", "store.sqlite-wal", "store.sqlite-shm", "both"])
def test_a_run_that_may_not_be_written_to_can_be_read(blockqnn, left):
    blockqnn.search("--preset=smoke", "--run_dir=run")
    # Outside pytest's directory, which other users may not enter.
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)
        shutil.copytree(blockqnn.directory / "run", directory / "run")
        for path in (directory / "run").glob("store.sqlite-*"):
            if left not in (path.name, "both"):
                path.unlink()
        before = sorted((directory / "run").iterdir())
        (directory / "run").chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, directory / "run", blockqnn.directory / "run"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert sorted((directory / "run").iterdir()) == before, "nothing was written"
        (directory / "run").chmod(0o755)
    trials = blockqnn.trials("run")
    assert done.stdout == f"{len(trials)} 2\n"

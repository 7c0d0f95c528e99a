"""Memory over many children, in a process of its own; `benchmarks/memory.py` has the long run."""

import re
import subprocess
import sys

import pytest


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_and_device_arrays_stay_flat_over_different_children():
    command = [sys.executable, "-m", "benchmarks.memory", "--children=100", "--steps=1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    arrays = re.findall(r"after +\d+ children: .* (\d+) arrays", done.stdout)
    assert len(arrays) == 2
    assert arrays[0] == arrays[1], "those of a finished child are gone"
    assert float(done.stdout.split()[-1]) <= 1.3

"""Large arrays that are freed stay in the process."""

import json
import subprocess
import sys

import pytest

from blockqnn.workers.allocation import keep_memory

PROGRAM = """
import json, resource, statistics, sys
from blockqnn.workers.allocation import keep_memory
kept = sys.argv[1] == "keep" and keep_memory()
import jax, jax.numpy as jnp

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

grow = jax.jit(lambda x: jnp.broadcast_to(x[None, :], (1000, 10_000)) + 1)
x = jnp.zeros(10_000)
calls = []
for _ in range(60):
    before = faults()
    grow(x).block_until_ready()
    calls.append(faults() - before)
# It takes some calls until the heap has room for all that is alive at once.
print(json.dumps({"kept": kept, "faults": statistics.median(calls[30:])}))
"""


def measured(word):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, word], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_an_output_of_40_mb_faults_no_pages_in_at_every_call():
    found = measured("keep")
    if not found["kept"]:
        pytest.skip("the C library is not glibc")
    # It has 10,000 pages of 4 KiB.
    assert found["faults"] < 1000


def test_a_c_library_without_mallopt_changes_nothing(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert not keep_memory()

"""Agents need NumPy alone, and know nothing else of the project."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]


def test_only_numpy_is_imported():
    program = (
        "import sys, agents.contract, agents.exploration, agents.q_learning, agents.random_search;"
        "assert not {'jax', 'flax', 'absl', 'networks', 'blockqnn', 'flags'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)

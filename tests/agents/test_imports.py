"""Agents need NumPy alone, and know nothing else of the project."""

import subprocess
import sys

from tests.paths import ROOT


def test_only_numpy_is_imported():
    program = (
        "import sys, blockqnn.agents.contract, blockqnn.agents.registry\n"
        "ours = {name for name in sys.modules if name.startswith('blockqnn.')}\n"
        "assert all(name.startswith('blockqnn.agents') for name in ours), ours\n"
        "assert not {'jax', 'flax', 'absl'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)

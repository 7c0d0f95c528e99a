"""What the driver of a search imports of `networks` must not import JAX."""

import subprocess
import sys

import pytest

from tests.paths import ROOT


@pytest.mark.parametrize(
    "module",
    [
        "cost",
        "initial",
        "layout",
        "matching",
        "motifs",
        "operations.table",
        "parts",
        "plan",
        "spaces.registry",
    ],
)
def test_jax_is_not_imported(module):
    program = (
        f"import sys, blockqnn.networks.{module}; assert not {{'jax', 'flax'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)

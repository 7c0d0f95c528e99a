"""What the driver of a search imports of `networks` must not import JAX."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    ["codes", "canonical", "cost", "initial", "labelling", "layout", "plan", "published", "space"],
)
def test_jax_is_not_imported(module):
    program = f"import sys, networks.{module}; assert not {{'jax', 'flax'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)

"""What the driver of a search imports of `networks` must not import JAX."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize(
    "module",
    ["codes", "canonical", "cost", "initial", "labelling", "layout", "plan", "published", "space"],
)
def test_jax_is_not_imported(module):
    program = f"import sys, networks.{module}; assert not {{'jax', 'flax'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)

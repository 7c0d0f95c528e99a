#!/usr/bin/env bash
# Which versions of JAX and Flax load what `export` writes: benchmarks/oldest_jax.sh JAX FLAX ...
# Each pair of versions gets an environment that is thrown away, in which the exported networks of
# the tests are compared with the logits that this checkout computes. What it finds is kept in
# blockqnn/export/readme.py (OLDEST_JAX, OLDEST_FLAX), and from there in every exported page.
#
#   bash benchmarks/oldest_jax.sh 0.8.1 0.12.0 0.8.2 0.12.1
#
# PYTHON is the interpreter that has this project's dependencies.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export JAX_PLATFORMS=cpu
"$python" - "$work" <<'END'
import pathlib
import sys

import numpy as np

from blockqnn.__main__ import main
from blockqnn.children.checkpoint import load_checkpoint
from tests.blockqnn.trained import NETWORKS, pixels, write_trained

for name, (code, layout) in NETWORKS.items():
    path = pathlib.Path(sys.argv[1]) / name
    checkpoint = load_checkpoint(write_trained(path / "step-00000020", layout, code))
    images = pixels(layout)
    np.save(path / "images.npy", images)
    np.save(path / "logits.npy", checkpoint.network()(checkpoint.normalised(images)))
    assert main(["export", str(checkpoint.path), f"--to={path / 'out'}"]) == 0
END
cat >"$work/compare.py" <<'END'
import importlib.util
import pathlib
import sys

import numpy as np


def stablehlo(folder, images):
    import jax.export

    return jax.export.deserialize((folder / "network.stablehlo").read_bytes()).call(images)


def flax(folder, images):
    spec = importlib.util.spec_from_file_location("network", folder / "network.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(folder / "weights.safetensors")(module.normalise(images))


for way in (stablehlo, flax):
    verdict = "the same logits"
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*/out")):
        try:
            logits = way(path, np.load(path.parent / "images.npy"))
            wanted = np.load(path.parent / "logits.npy")
            np.testing.assert_allclose(logits, wanted, rtol=1e-4, atol=1e-4)
        except Exception as error:
            verdict = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:90]}"
    print(f"  {way.__name__}: {verdict}")
END
while (($# > 1)); do
  echo "jax $1, flax $2"
  "$python" -m venv "$work/venv"
  "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check "jax==$1" "jaxlib==$1" \
    "flax==$2" absl-py flatbuffers safetensors 2>/dev/null || echo "  cannot be installed together"
  "$work/venv/bin/python" "$work/compare.py" "$work"
  rm -rf "$work/venv"
  shift 2
done

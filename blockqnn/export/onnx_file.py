"""The forward pass as a graph of ONNX, converted by PyTorch from its source code.

PyTorch's converter is the one that is well kept; none was found for StableHLO. It needs the
packages torch, onnx and onnxscript, which nothing else of this room needs.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import pathlib
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from blockqnn.errors import UserError
from blockqnn.export.subject import Subject
from blockqnn.export.weights import write_safetensors

_PACKAGES = ("torch", "onnx", "onnxscript")


def refuse_without_converter() -> None:
    """Refuses where a package is missing that the conversion needs.

    Raises:
        UserError: naming the packages.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"--framework=onnx converts by PyTorch and needs {', '.join(missing)}: "
            f"pip install {' '.join(missing)}. --framework=torch needs none of them."
        )


def write_onnx(
    path: pathlib.Path, subject: Subject, source: str, weights: dict[str, np.ndarray]
) -> None:
    """Writes a network as one file, from pixels to logits.

    Args:
        path: of the file.
        subject: the network.
        source: its source code in PyTorch.
        weights: by their names there.
    """
    import torch

    class FromPixels(torch.nn.Module):
        """The network with its normalisation, for pixels as image libraries give them."""

        def __init__(self, module: Any, weights_path: pathlib.Path):
            super().__init__()
            self.network = module.load(weights_path)
            self.normalise = module.normalise

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            """From uint8 [B, H, W, C] to float32 [B, classes]."""
            return self.network(self.normalise(pixels.permute(0, 3, 1, 2)))

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_safetensors(folder / "weights.safetensors", weights)
        network = FromPixels(_imported(folder, source), folder / "weights.safetensors").eval()
    pixels = torch.zeros((2, *subject.layout.image_shape), dtype=torch.uint8)
    with _quiet():
        program = torch.onnx.export(
            network,
            (pixels,),
            dynamo=True,
            input_names=["pixels"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None, "without a file name the converter returns the program"
    program.save(path, external_data=False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the converter's remarks on other packages, which nobody here can act upon."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _imported(folder: pathlib.Path, source: str) -> Any:
    """The source code as a module."""
    path = folder / "exported_network.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None, "it ends in .py"
    module = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module

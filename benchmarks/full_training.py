"""A training to the end against the same one in PyTorch: seconds of an epoch, by turns.

Both train one block on a part of CIFAR-10 by the recipe of `train_cifar10_cpu`: SGD with
momentum and weight decay, batches of 128, random crops of images padded by 4, mirror
images. Each framework has a process of its own and all cores; what a first epoch takes is
left out, for it compiles. Printed are medians over epochs and rounds, and their ratio.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np

from benchmarks._arguments import make_parser
from benchmarks._better_block_data import read_cifar10
from blockqnn.full_training.directory import METRICS
from blockqnn.listing import table
from blockqnn.networks.layout import Layout
from blockqnn.networks.processor import processor_name
from blockqnn.networks.spaces.registry import code_of, design_of, design_plan
from blockqnn.workers.placement import available_cores

BATCH, PADDING = 128, 4
FILTERS = (16, 32, 64)


def ours(own: argparse.Namespace, archive: pathlib.Path, directory: pathlib.Path) -> list[float]:
    """Seconds of the epochs of `blockqnn train`, the first left out."""
    flags = [f"--dataset=npz:{archive}", f"--out_dir={directory}", f"--epochs={own.epochs}"]
    # A checkpoint is no part of the comparison.
    flags += ["--milestones=", f"--checkpoint_epochs={own.epochs}", f"--devices={own.devices}"]
    words = [sys.executable, "-m", "blockqnn", "train", own.block, "--preset=train_cifar10_cpu"]
    subprocess.run([*words, *flags], check=True, stdout=subprocess.DEVNULL)
    lines = (directory / METRICS).read_text(encoding="utf-8").splitlines()
    return [float(json.loads(line)["seconds"]) for line in lines[1:]]


def theirs(own: argparse.Namespace, archive: pathlib.Path) -> list[float]:
    """Seconds of the epochs of the same training in PyTorch, the first left out."""
    words = [sys.executable, "-m", "benchmarks.full_training", own.block, "--torch"]
    words += [str(archive), f"--epochs={own.epochs}"]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return list(json.loads(done.stdout))


def train_in_torch(block: str, archive: pathlib.Path, epochs: int) -> list[float]:
    """Trains in PyTorch; see `theirs`."""
    import torch
    from torch.nn import functional

    from blockqnn.bench.torch_child import TorchNetwork
    from blockqnn.networks.initial import initial_parameters

    torch.set_num_threads(len(available_cores()))
    with np.load(archive) as arrays:
        images = torch.from_numpy(arrays["train_images"]).permute(0, 3, 1, 2)
        labels = torch.from_numpy(arrays["train_labels"].astype(np.int64))
    pixels = images.float()
    mean, deviation = (
        statistic[None, :, None, None]
        for statistic in (pixels.mean((0, 2, 3)), pixels.std((0, 2, 3)))
    )
    side = images.shape[-1]
    plan = design_plan(design_of(code_of(block)), Layout(filters=FILTERS, repeats=1))
    network = TorchNetwork(plan, initial_parameters(plan, seed=0))
    optimiser = torch.optim.SGD(
        network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, foreach=True
    )
    room = 2 * PADDING + 1
    rows, columns = torch.arange(side)[None, :, None], torch.arange(side)[None, None, :]
    seconds = []
    for _ in range(epochs):
        begun, total = time.perf_counter(), 0.0
        order = torch.randperm(len(images))
        for taken in order[: len(order) // BATCH * BATCH].split(BATCH):
            batch = functional.pad((images[taken].float() - mean) / deviation, [PADDING] * 4)
            top, left = (torch.randint(room, (BATCH, 1, 1)) for _ in range(2))
            which = torch.arange(BATCH)[:, None, None]
            # [B, H, W, C] in memory, seen as [B, C, H, W]: channels_last.
            batch = batch.permute(0, 2, 3, 1)[which, top + rows, left + columns].permute(0, 3, 1, 2)
            mirrored = torch.rand(BATCH, 1, 1, 1) < 0.5
            batch = torch.where(mirrored, batch.flip(-1), batch)
            optimiser.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(network(batch), labels[taken])
            loss.backward()
            optimiser.step()
            total += float(loss.detach())
        seconds.append(time.perf_counter() - begun)
    return seconds[1:]


def main() -> None:
    """Measures by turns and prints the table."""
    parser = make_parser("full_training", __doc__)
    parser.add_argument("block", nargs="?", default="residual", help="published name or code")
    parser.add_argument("--data_dir", default="", help="where CIFAR-10 is prepared")
    parser.add_argument("--images", type=int, default=12_800, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=3, help="of a training, the first included")
    parser.add_argument("--rounds", type=int, default=2, help="trainings of each framework")
    parser.add_argument("--devices", type=int, default=0, help="as for train; 0 for its choice")
    parser.add_argument("--torch", type=pathlib.Path, help=argparse.SUPPRESS)
    own = parser.parse_args()
    if own.torch:
        print(json.dumps(train_in_torch(own.block, own.torch, own.epochs)))
        return
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        archive = folder / "part.npz"
        images, labels = read_cifar10(own.data_dir, "train")
        few = slice(own.images), slice(own.images, own.images + 256)
        names = ("train_images", "train_labels", "test_images", "test_labels")
        parts = [array[part] for part in few for array in (images, labels)]
        named: dict[str, Any] = dict(zip(names, parts, strict=True))
        np.savez(archive, **named)
        seconds: dict[str, list[float]] = {"blockqnn train": [], "PyTorch": []}
        for number in range(own.rounds):
            seconds["blockqnn train"] += ours(own, archive, folder / str(number))
            seconds["PyTorch"] += theirs(own, archive)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    rows = [
        [f"{value:.2f}", f"{own.images / value:.0f}", f"{value / medians['PyTorch']:.2f}", name]
        for name, value in medians.items()
    ]
    print(table(["epoch s", "images/s", "ratio", "training"], rows))
    print(
        f"\n{own.block}, {own.images:,} images, {len(available_cores())} cores, {processor_name()}"
    )


if __name__ == "__main__":
    main()

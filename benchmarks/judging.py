"""Which cheap look at a block ranks blocks as a long training does, and for how many seconds.

Random blocks and those that a person would pick, all brought to one number of
parameters, are trained for long, which is the truth, and by each of several short
ways; the table has Spearman's correlation of each way's score with the truth,
among the better half too, and processor seconds a block. Of each training every
score is kept that it gives for nothing: accuracy after the last epoch, the mean over
the last epochs, loss, and the accuracy of averaged weights. What is computed is kept
in --out, and the same command goes on.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import math
import multiprocessing
import os
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks._arguments import listed, make_parser
from benchmarks._better_block_settings import PICKED
from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.listing import table
from blockqnn.networks.layout import Layout
from blockqnn.networks.plan_counts import flops
from blockqnn.networks.sizing import Match, matched
from blockqnn.networks.spaces.registry import design_of, design_plan, parse, space_named, write

MATCH = Match("parameters", 75_000)
BATCH = 64


@dataclasses.dataclass(frozen=True)
class Way:
    """A training.

    Attributes:
        images: that it sees in an epoch.
        epochs: passes over them.
        side: height and width of the images in pixels.
        peak: highest learning rate of one cycle; 0 for the paper's steps from 0.001.
        seed: of the weights and the order.
    """

    images: int
    epochs: int
    side: int = 16
    peak: float = 0.0
    seed: int = 0

    def rate(self, progress: float) -> float:
        """The learning rate at a share of the training, from 0 to 1."""
        if not self.peak:
            return 1e-3 * 0.2 ** (int(progress * self.epochs) // 5)
        if progress < 0.25:
            return self.peak * (0.1 + 0.9 * progress / 0.25)
        return self.peak * 0.5 * (1 + math.cos(math.pi * (progress - 0.25) / 0.75))


LONG = Way(12_000, 10, peak=3e-3, seed=1)
WAYS = {
    "the paper's steps": Way(5_000, 3),
    "one cycle": Way(5_000, 3, peak=3e-3),
    "one cycle over a third of the images": Way(1_667, 9, peak=3e-3),
    "one cycle of one epoch over three times the images": Way(15_000, 1, peak=3e-3),
    "8x8 pixels and four times the images": Way(20_000, 3, side=8),
    "the paper's steps again": Way(5_000, 3, seed=2),
    "twice the images": Way(10_000, 3),
}
LONGER = {
    "one cycle of 6 epochs": Way(10_000, 6, peak=3e-3, seed=1),
    "one cycle of 6 epochs again": Way(10_000, 6, peak=3e-3, seed=2),
}
"""Only for those who name them: they cost half of the long training."""
_LEAST_BLOCKS = 4
"""For a correlation."""
PIECES = 8
"""In which an epoch is cut: the learning rate changes between them."""


def blocks(count: int) -> dict[str, str]:
    """Names and codes: those of a person, and random ones of the right size."""
    chosen = dict(PICKED)
    seen = set()
    agent = RandomSearch(space_named("nsc", 8), RandomSearchConfig(), 0)
    space = space_named("nsc", 8)
    while len(chosen) < count:
        code = space.check(agent.suggest(1)[0])
        design = design_of(code)
        if design.emptiness or design.hash in seen:
            continue
        seen.add(design.hash)
        if matched(design, layout(16), MATCH).reason is None:
            chosen[f"random {len(seen)}"] = write(code)
    return dict(list(chosen.items())[:count])


def layout(side: int) -> Layout:
    """What the blocks stand in."""
    return Layout(filters=(16, 32, 64), repeats=1, height=side, width=side)


def trained(code: str, way: Way, data_dir: str, cache: str) -> dict[str, float]:
    """Trains a block and returns every score that the training gives."""
    from blockqnn.children.layer_by_layer import LayerByLayer
    from blockqnn.networks.initial import initial_parameters, initial_statistics
    from blockqnn.settings import Recipe

    train, validation = _parts(data_dir, way.side, cache)
    design = design_of(parse(code))
    # Filters are those for 16x16, whatever the images: their number says nothing of pixels.
    plan = design_plan(design, matched(design, layout(way.side), MATCH).layout)
    recipe = Recipe(epochs=way.epochs, batch_size=BATCH)
    execution = LayerByLayer(plan, recipe, BATCH)
    execution.compile(train, validation, 1)
    begun, wall = time.process_time(), time.perf_counter()
    execution.start(initial_parameters(plan, way.seed), initial_statistics(plan))
    random = np.random.default_rng(way.seed)
    accuracies, losses = [], []
    average: Any = None
    taken = 0
    for epoch in range(way.epochs):
        order = random.permutation(way.images)[: way.images // BATCH * BATCH]
        pieces = np.array_split(order.astype(np.int32).reshape(-1, BATCH), PIECES)
        for piece_number, piece in enumerate(pieces):
            progress = (epoch + piece_number / PIECES) / way.epochs
            losses.append(execution.train_epoch(train, piece, way.rate(progress)))
            if epoch == way.epochs - 1:
                average, taken = _averaged(average, execution.weights(), taken), taken + 1
        accuracies.append(100 * execution.evaluate(validation))
    seconds = time.process_time() - begun
    loss = _loss(execution.logits(validation), np.asarray(validation.labels))
    execution.start(*average)
    return {
        "last": accuracies[-1],
        "mean of the last two": float(np.mean(accuracies[-2:])),
        "minus loss": -loss,
        "minus training loss": -float(np.mean(losses[-PIECES:])),
        "averaged weights": 100 * execution.evaluate(validation),
        "seconds": seconds,
        "wall": time.perf_counter() - wall,
    }


_read: dict[int, Any] = {}


def _parts(data_dir: str, side: int, cache: str) -> Any:
    from blockqnn.children.compilation import begin_cache
    from blockqnn.children.training import on_device
    from blockqnn.data.datasets import load_search_parts
    from blockqnn.settings import DataSettings

    if not _read:
        begin_cache(cache)
    if side not in _read:
        settings = DataSettings(
            "cifar10",
            data_dir,
            train_examples=20_000,
            validation_examples=5_000,
            resize=(side, side),
        )
        _read[side] = on_device(*load_search_parts(settings))
    return _read[side]


def _averaged(average: Any, new: Any, taken: int) -> Any:
    if average is None:
        return new
    return tuple(
        [
            {name: a[name] + (n[name] - a[name]) / (taken + 1) for name in a}
            for a, n in zip(old, now, strict=True)
        ]
        for old, now in zip(average, new, strict=True)
    )


def _loss(logits: np.ndarray, labels: np.ndarray) -> float:
    """The mean cross-entropy."""
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    log = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return -float(log[np.arange(len(log)), labels].mean())


def _begin(cores: Any) -> None:
    os.sched_setaffinity(0, {cores.get()})


def main() -> None:
    """Trains what is missing and prints the table."""
    parser = make_parser("judging", __doc__)
    parser.add_argument("--data_dir", default="", help="where CIFAR-10 is prepared")
    parser.add_argument("--blocks", type=int, default=32, help="how many")
    parser.add_argument("--workers", type=int, default=2, help="processes, one a core")
    parser.add_argument("--ways", type=listed(str), help="only these")
    parser.add_argument("--out", type=pathlib.Path, default="runs/judging", help="folder")
    parser.add_argument("--kept", type=pathlib.Path, help="file; OUT/trainings.jsonl if not given")
    parser.add_argument("--only_table", action="store_true", help="print what is kept")
    own = parser.parse_args()
    kept = own.kept or own.out / "trainings.jsonl"
    done: dict[tuple[str, str], dict[str, float]] = {}
    if kept.exists():
        for line in kept.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            done[row["block"], row["way"]] = row["scores"]
    found = blocks(own.blocks)
    header = ["score", "all", "better half", "seconds"]
    if own.only_table:
        print(table(header, list(rows(found, done))))
        return
    own.out.mkdir(parents=True, exist_ok=True)
    wanted = [
        (name, code, title, way)
        for name, code in found.items()
        for title, way in {"long": LONG, **WAYS, **LONGER}.items()
        if (name, title) not in done and (title in own.ways if own.ways else title not in LONGER)
    ]
    context = multiprocessing.get_context("spawn")
    cores = context.Queue()
    for core in range(own.workers):
        cores.put(core)
    cache = str(own.out / "cache")
    with (
        concurrent.futures.ProcessPoolExecutor(own.workers, context, _begin, (cores,)) as pool,
        kept.open("a", encoding="utf-8") as file,
    ):
        running = {
            pool.submit(trained, code, way, own.data_dir, cache): (name, title)
            for name, code, title, way in wanted
        }
        for future in concurrent.futures.as_completed(running):
            name, title = running[future]
            done[name, title] = future.result()
            row = {"block": name, "way": title, "scores": done[name, title]}
            print(json.dumps(row), file=file, flush=True)
            print(f"{len(done)}: {name}, {title}: {done[name, title]['last']:.1f} %", flush=True)
    print(table(header, list(rows(found, done))))


def rows(found: dict[str, str], done: dict[tuple[str, str], dict[str, float]]) -> Iterator[Any]:
    """The lines of the table, the rivals last: two trainings by the paper's steps, and FLOPs."""
    for title in (*WAYS, *LONGER):
        names = [n for n in found if (n, "long") in done and (n, title) in done]
        for score in ("last", "mean of the last two", "minus loss", "averaged weights"):
            values = [done[n, title][score] for n in names]
            seconds = [done[n, title]["seconds"] for n in names]
            yield from _row(f"{title}: {score}", names, values, done, seconds)
    pair = ("the paper's steps", "the paper's steps again")
    names = [n for n in found if all((n, title) in done for title in ("long", *pair))]
    both = [[done[n, title] for title in pair] for n in names]
    means = [sum(each["last"] for each in two) for two in both]
    seconds = [sum(each["seconds"] for each in two) for two in both]
    yield from _row("the paper's steps, two seeds: mean", names, means, done, seconds)
    names = [n for n in found if (n, "long") in done]
    yield from _row("FLOPs", names, [_flops(found[n]) for n in names], done, [0.0] * len(names))


def _row(
    title: str,
    names: list[str],
    values: list[float],
    done: dict[tuple[str, str], dict[str, float]],
    seconds: list[float],
) -> Iterator[Any]:
    from scipy.stats import spearmanr

    if len(names) < _LEAST_BLOCKS:
        return
    truth = np.array([done[n, "long"]["averaged weights"] for n in names])
    better = truth >= np.median(truth)
    yield [
        title,
        f"{spearmanr(values, truth).statistic:.2f}",
        f"{spearmanr(np.array(values)[better], truth[better]).statistic:.2f}",
        f"{np.mean(seconds):.1f}",
    ]


def _flops(code: str) -> float:
    design = design_of(parse(code))
    return float(flops(design_plan(design, matched(design, layout(16), MATCH).layout)))


if __name__ == "__main__":
    main()

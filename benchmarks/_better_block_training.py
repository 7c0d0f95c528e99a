"""The trainings of `benchmarks.better_block`: each block at one size, by one recipe, to the end."""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import queue
from collections.abc import Sequence
from typing import Any

from benchmarks._better_block_data import Fold
from benchmarks._better_block_settings import MODERN, SETTINGS
from benchmarks._better_block_steps import Ledger, file_name, run_step
from blockqnn.full_training.directory import read_result
from blockqnn.networks.layout import Layout
from blockqnn.networks.sizing import matched
from blockqnn.networks.spaces.registry import design_of, parse


def training(own: argparse.Namespace, code: str) -> tuple[str, Layout, int]:
    """What the trainings of a block have in common.

    Args:
        own: the arguments.
        code: of the block.

    Returns:
        The beginning of the names of their steps, the layout at the size that is wanted, and
        the parameters that it comes to.
    """
    setting, side = SETTINGS[own.setting], own.image_size or SETTINGS[own.setting].side
    match = own.match or setting.match
    design = design_of(parse(code, 10_000))
    layout = dataclasses.replace(setting.layout(design.space), height=side, width=side)
    sized = matched(design, layout, match)
    epochs = own.epochs or setting.epochs
    prefix = f"train {own.recipe} {epochs} {side} {match} {design.hash}"
    return prefix, sized.layout, sized.amount


def train_all(
    own: argparse.Namespace, ledger: Ledger, wanted: Sequence[tuple[Fold, str, int]]
) -> None:
    """Trains what is not trained yet, some at once, each bound to a core.

    Args:
        own: the arguments.
        ledger: of what is done; it gets the test errors.
        wanted: fold, code and seed of each training.
    """
    setting = SETTINGS[own.setting]
    cores: queue.Queue[int] = queue.Queue()
    for core in range(own.jobs):
        cores.put(core)
    recipe = MODERN if own.recipe == "modern" else ()
    epochs = own.epochs or setting.epochs
    milestones = ",".join(map(str, sorted({epochs // 2, epochs * 3 // 4} - {0})))
    # One epoch has no room for a reduction.
    more = [] if recipe else [f"--milestones={milestones}" if milestones else "--schedule=cosine"]

    def train(one: tuple[Fold, str, int]) -> None:
        """Waits for a core and trains there, unless that was done."""
        fold, code, seed = one
        prefix, layout, amount = training(own, code)
        step = f"{prefix} {fold.name} {seed}"
        directory = own.out / "trainings" / file_name(step)
        filters = ",".join(map(str, layout.filters))
        flags = [f"--dataset=npz:{fold.path}", f"--filters={filters}", "--repeats=1"]
        flags += [f"--layout={layout.kind}"]
        flags += [f"--seed={seed}", f"--out_dir={directory}", f"--epochs={epochs}"]
        words = ["train", code, *setting.train, *more, *recipe, *flags]

        def after() -> dict[str, Any]:
            """The test error."""
            result = read_result(directory)
            assert result is not None
            error = round(float(result["test"]["error"]), 3)
            return {"code": code, "filters": filters, "parameters": amount, "error": error}

        core = cores.get()
        try:
            run_step(ledger, step, words, own.out / "logs", after, core)
        finally:
            cores.put(core)

    with concurrent.futures.ThreadPoolExecutor(own.jobs) as pool:
        running = [pool.submit(train, one) for one in wanted]
        try:
            for future in running:
                future.result()
        except BaseException:
            # What has not begun is left for the next time.
            pool.shutdown(wait=False, cancel_futures=True)
            raise

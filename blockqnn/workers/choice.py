"""Which executor a run's settings ask for."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import os
import pathlib

from blockqnn.errors import UserError
from blockqnn.evaluation.contract import OF_IMAGES, TRAIN, make_evaluator
from blockqnn.settings import RunSettings, SearchSettings
from blockqnn.workers.contract import INLINE, LOCAL, RAY, Executor, InlineExecutor, LocalExecutor
from blockqnn.workers.machine import placing_environment
from blockqnn.workers.placement import (
    Place,
    available_cores,
    compile_threads,
    cores_of_each,
    places,
)
from blockqnn.workers.ray_executor import RayExecutor
from blockqnn.workers.ray_resources import Order, passed_on
from blockqnn.workers.state import Watcher
from blockqnn.workers.worker import encode_settings

_MOST_COMPILE_THREADS = 8


def check_executor(run: RunSettings) -> None:
    """Refuses an executor that cannot be made, before anything else is done.

    Args:
        run: names it.

    Raises:
        UserError: if Ray is missing or cannot be reached in the way that is asked for.
    """
    if run.executor != RAY:
        return
    ray = run.ray
    if importlib.util.find_spec("ray") is None:
        raise UserError(
            "--executor=ray needs Ray, which is not installed: pip install 'blockqnn[ray]'."
        )
    if "://" in ray.address:
        raise UserError(
            f"--ray_address is {ray.address}; allowed: HOST:PORT of the cluster's head, auto or "
            "local. Start the search on a machine of the cluster."
        )
    for name, value in (("gpus_per_child", ray.gpus), ("tpus_per_child", ray.tpus)):
        if value > 1 and value % 1:
            raise UserError(f"--{name} is {value:g}; allowed: a part of one, or a whole number.")


def make_executor(
    settings: SearchSettings, run: RunSettings, watcher: Watcher | None = None
) -> Executor:
    """Creates the executor of a run, its workers ready.

    Args:
        settings: what the children are.
        run: where they are evaluated.
        watcher: told now and then how the workers are.

    Returns:
        The executor, to be closed.

    Raises:
        UserError: if there are no workers to be had, or they cannot read the data.
    """
    what = (settings.evaluator, settings.data, settings.recipe, settings.layout)
    limits = (run.child_timeout_seconds, run.child_retries, run.children_per_worker, watcher)
    # In an iteration no more workers can be busy than it has blocks.
    most = 0 if settings.asynchronous else settings.blocks_per_iteration
    shared = None
    if settings.supernet is not None:
        shared = settings.supernet, str(banks_of(run))
    if run.executor == INLINE:
        return InlineExecutor(
            make_evaluator(*what, run.worker, settings.table, settings.proxy, shared), watcher
        )
    if run.executor == RAY:
        cpus = run.ray.cpus or max(1, run.cores_per_worker)
        threads = max(1, min(math.floor(cpus), _MOST_COMPILE_THREADS))
        worker = dataclasses.replace(run.worker, compile_threads=threads)
        line = encode_settings(*what, worker, settings.table, settings.proxy, shared)
        order = _order(settings, run, line, cpus)
        return RayExecutor(order, run.workers, most, run.run_dir, *limits)
    found = local_places(settings, run)
    worker = dataclasses.replace(
        run.worker,
        compile_threads=compile_threads(found),
        sharing_cores=max(1, len(found[0].cores)) if run.share_batches else 1,
    )
    line = encode_settings(*what, worker, settings.table, settings.proxy, shared)
    return LocalExecutor(line, found, run.run_dir, *limits)


def with_spare_cores(settings: SearchSettings, run: RunSettings) -> RunSettings:
    """Gives cores that no other child needs to those that train.

    Args:
        settings: what the children are; as many train at once as an iteration has blocks.
        run: where they are evaluated.

    Returns:
        Where they are evaluated then. With the same settings it is the same on a machine, however
        many children are left, since sums over devices differ in their last bits.
    """
    own = settings.supernet is not None or settings.evaluator != TRAIN
    kept = run.executor != LOCAL or run.workers or not run.share_batches
    if own or settings.asynchronous or kept:
        return run
    cores = cores_of_each(run.cores_per_worker, settings.blocks_per_iteration)
    return dataclasses.replace(run, cores_per_worker=cores)


def banks_of(run: RunSettings) -> pathlib.Path:
    """Where the banks of a run's shared weights are."""
    return run.run_dir.absolute() / "banks"


def local_places(settings: SearchSettings, run: RunSettings) -> list[Place]:
    """What each worker gets of this machine.

    Args:
        settings: what the children are.
        run: where they are evaluated.

    Returns:
        A place for each worker.
    """
    # In an iteration no more workers can be busy than it has blocks.
    most = 0 if settings.asynchronous else settings.blocks_per_iteration
    return places(
        run.workers,
        run.cores_per_worker,
        most or len(available_cores()),
        settings.evaluator,
        placing_environment(),
        gpus_per_worker=run.ray.gpus,
        devices=run.worker.devices,
    )


def _order(settings: SearchSettings, run: RunSettings, line: str, cpus: float) -> Order:
    ray = run.ray
    idle = settings.evaluator not in OF_IMAGES
    return Order(
        address=ray.address,
        settings=line,
        cpus=cpus,
        gpus=ray.gpus or (0.0 if idle else None),
        tpus=ray.tpus or (0.0 if idle else None),
        cores=0 if idle else run.cores_per_worker,
        # A cluster of one's own has room for what was asked for.
        local_cpus=max(len(available_cores()), math.ceil(cpus * run.workers)),
        environment=passed_on(os.environ),
    )

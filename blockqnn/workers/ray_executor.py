"""Workers on a Ray cluster, reached through a process of their own; see `ray_bridge`."""

from __future__ import annotations

import json
import logging
import pathlib

from blockqnn.workers.pool import WorkerPool
from blockqnn.workers.ray_cluster import RayCluster
from blockqnn.workers.ray_resources import Order
from blockqnn.workers.state import Watcher

_LOG_FILE = "ray.log"

_log = logging.getLogger(__name__)


class RayExecutor(WorkerPool):
    """Evaluates in actors on a Ray cluster; see `WorkerPool`.

    A cluster that is lost costs no child an attempt: it is connected to again,
    and what its workers had is handed out anew.
    """

    def __init__(
        self,
        order: Order,
        workers: int,
        most: int,
        log_dir: pathlib.Path,
        child_timeout_seconds: float,
        child_retries: int = 0,
        children_per_worker: int = 0,
        watcher: Watcher | None = None,
    ):
        """Connects to the cluster, starts the workers and waits until one is ready.

        Args:
            order: what is wanted of the cluster.
            workers: how many; 0 for as many as the cluster has room for, and
                more when machines join it.
            most: workers that can be busy at once; 0 for no bound.
            log_dir: where what Ray says goes.
            child_timeout_seconds: after which a child that was begun is given up.
            child_retries: how often a child is tried again whose worker died or hung.
            children_per_worker: after which a worker is replaced; 0 for never.
            watcher: told now and then how the workers are.

        Raises:
            UserError: if the cluster cannot be reached or a worker cannot start.
        """
        self._fixed, self._most = bool(workers), most
        self._cluster = RayCluster(order, log_dir / _LOG_FILE, lambda line: self._said(None, line))
        super().__init__(
            self._cluster.spawn,
            workers or 1,
            child_timeout_seconds,
            child_retries,
            children_per_worker,
            watcher,
        )

    def close(self) -> None:
        """See `Executor.close`."""
        self._cluster.close()

    def _cluster_said(self, line: str) -> None:
        room = json.loads(line)["capacity"]
        if not room:
            _log.warning("the Ray cluster has no room for a worker now; waiting for machines")
        if not self._fixed:
            self._grow(min(room, self._most) if self._most else room)

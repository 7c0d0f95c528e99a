"""The process that is connected to a Ray cluster, as the driver sees it; see `ray_bridge`."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import logging
import os
import pathlib
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from blockqnn.errors import UserError
from blockqnn.workers.ray_resources import Order

CONNECT_SECONDS = 90.0
"""After which a cluster that has not been reached is taken not to be there."""

RECONNECT_SECONDS = 300.0
"""For how long a cluster that was lost is tried to be reached again."""

_BETWEEN_ATTEMPTS_SECONDS = 3.0
_CLOSE_SECONDS = 15.0

_log = logging.getLogger(__name__)


@dataclasses.dataclass
class RayLink:
    """A worker on the cluster; see `blockqnn.workers.link.WorkerLink`."""

    number: int
    tell: Callable[[Mapping[str, Any]], None]
    said: Callable[[str], None]
    alive: bool = True
    placed: bool = False
    ending: str = ""
    killed: bool = False
    blameless: bool = False

    @property
    def log(self) -> str:
        """See `WorkerLink.log`."""
        if not self.placed:
            return "`ray status` for what the cluster has, and --cpus_per_child and the like"
        return "the logs of its machine, in /tmp/ray/session_latest/logs"

    def send(self, line: str) -> None:
        """See `WorkerLink.send`."""
        self.tell({"tell": self.number, "line": line})

    def kill(self) -> None:
        """See `WorkerLink.kill`."""
        self.alive = False
        self.tell({"kill": self.number})

    def wait(self) -> None:
        """See `WorkerLink.wait`; Ray does the waiting."""

    def end(self, how: str, killed: bool, blameless: bool) -> None:
        """Takes note of its end and passes it on."""
        self.alive, self.ending, self.killed, self.blameless = False, how, killed, blameless
        self.said("")


class RayCluster:
    """The process that is connected to a cluster, and the next one when it has ended.

    It is started with the first worker, when whoever listens is ready to.
    """

    def __init__(self, order: Order, log: pathlib.Path, said: Callable[[str], None]):
        """Connects to nothing yet.

        Args:
            order: what is wanted of the cluster.
            log: file for what Ray says.
            said: told what the cluster says of itself.
        """
        self._order, self._log, self._said = order, log, said
        self._numbers = itertools.count()
        self._links: dict[int, RayLink] = {}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._silent: set[subprocess.Popen[str]] = set()

    def spawn(self, number: int, said: Callable[[str], None]) -> RayLink:
        """Starts a worker; connects again first if need be.

        Args:
            number: of the worker in its pool.
            said: told what it says, and an empty line at its end.

        Returns:
            The worker.

        Raises:
            UserError: if the cluster cannot be reached.
        """
        with self._lock:
            connected = self._process is not None
        if not connected:
            self._connect()
        link = RayLink(next(self._numbers), self._tell, said)
        with self._lock:
            self._links[link.number] = link
            lost = self._process is None
        if lost:
            self._lose([link])
        else:
            self._tell({"spawn": link.number})
        return link

    def close(self) -> None:
        """Disconnects, which ends the workers."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            _end(process)

    def _connect(self) -> None:
        """Starts a process that is connected; tries for a while if there was one before."""
        give_up = time.monotonic()
        if self._silent:
            _log.warning("the Ray cluster was lost; connecting again")
            give_up += RECONNECT_SECONDS
        while "connected" not in (answer := self._start()):
            if time.monotonic() >= give_up:
                raise UserError(
                    f"The Ray cluster at --ray_address={self._order.address} cannot be reached "
                    f"({answer['error']}); start it (ray start --head), name another, or give "
                    f"--ray_address=local. See {self._log}."
                )
            time.sleep(_BETWEEN_ATTEMPTS_SECONDS)

    def _start(self) -> dict[str, Any]:
        """Starts the process; returns the first that it says."""
        with self._log.open("a", encoding="utf-8") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "blockqnn.workers.ray_bridge"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                env=bridge_environment(os.environ),
                process_group=0,
                encoding="utf-8",
            )
        first: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, args=(process, first), daemon=True).start()
        try:
            _write(process, json.dumps(dataclasses.asdict(self._order)))
            line = first.get(timeout=CONNECT_SECONDS)
            answer: dict[str, Any] = json.loads(line or '{"error": "the connection ended"}')
        except queue.Empty:
            answer = {"error": f"no answer in {CONNECT_SECONDS:g} seconds"}
        except BaseException:
            _end(process)
            raise
        if "connected" not in answer:
            process.kill()
            process.wait()
            return answer
        with self._lock:
            # It may have ended since.
            self._process = None if process in self._silent else process
        return answer

    def _tell(self, message: Mapping[str, Any]) -> None:
        with self._lock:
            if self._process is not None:
                _write(self._process, json.dumps(message))

    def _listen(self, process: subprocess.Popen[str], first: queue.Queue[str]) -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            first.put(stream.readline())
            for line in stream:
                self._hear(line)
        with self._lock:
            self._silent.add(process)
            lost: list[RayLink] = []
            if self._process is process:
                self._process = None
                lost, self._links = list(self._links.values()), {}
        process.wait()
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        self._lose(lost)

    def _hear(self, line: str) -> None:
        message = json.loads(line)
        if "capacity" in message:
            self._said(line)
        elif "said" in message:
            link = self._links.get(message["said"])
            for said in message["lines"] if link else []:
                assert link is not None
                link.placed = True
                # An empty line would mean its end.
                link.said(str(said) or " ")
        elif "ended" in message:
            with self._lock:
                link = self._links.pop(message["ended"], None)
            if link is not None:
                link.end(str(message["how"]), bool(message["killed"]), blameless=False)

    def _lose(self, links: list[RayLink]) -> None:
        for link in links:
            link.end("was lost with the Ray cluster", killed=True, blameless=True)


def bridge_environment(
    environment: Mapping[str, str], home: pathlib.Path | None = None
) -> dict[str, str]:
    """The environment of the process that is connected to the cluster.

    Args:
        environment: the driver's, which wins.
        home: of the user, where Ray keeps a token; None for the real one.

    Returns:
        Its variables.
    """
    # It must see sooner than by Ray's default that the head is gone.
    added = {"RAY_gcs_rpc_server_reconnect_timeout_s": "20", "RAY_USAGE_STATS_ENABLED": "0"}
    token = (home or pathlib.Path("~").expanduser()) / ".ray" / "auth_token"
    tokens = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(environment)
    if tokens or token.is_file():
        # `ray start` makes the cluster ask for the token then, but those who connect do not
        # show it unless they are told to.
        added["RAY_AUTH_MODE"] = "token"
    return added | dict(environment)


def _write(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError, ValueError):
        process.stdin.write(line + "\n")
        process.stdin.flush()


def _end(process: subprocess.Popen[str]) -> None:
    """Lets it disconnect, and kills it if that takes long."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(_CLOSE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

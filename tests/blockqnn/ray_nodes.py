"""Ray clusters of tests: a head and other nodes, each with processes of its own."""

import contextlib
import importlib.util
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

from tests.blockqnn.executing import is_alive, wait_for

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed"
)
ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(16),
    "RAY_USAGE_STATS_ENABLED": "0",
    # A node that is gone is gone soon, and several nodes share this machine's memory.
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_failure_threshold": "4",
    "RAY_memory_monitor_refresh_ms": "0",
}


def descendants(pid):
    """A process and all that it has started, as far as they still hang together."""
    found = [pid]
    for parent in found:
        for children in pathlib.Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in children.read_text().split()]
    return found


class Node:
    """A node of a cluster, in the foreground of a process."""

    def __init__(self, directory, *arguments):
        self._log = (directory / "nodes.log").open("a")
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from ray.scripts.scripts import main; main()",
                "start",
                "--block",
                "--min-worker-port=0",
                "--max-worker-port=0",
                "--object-store-memory=80000000",
                "--disable-usage-stats",
                *arguments,
            ],
            stdout=self._log,
            stderr=self._log,
            env=os.environ | ENVIRONMENT,
            process_group=0,
        )

    def kill(self):
        """Ends everything of it at once, as when a machine is switched off."""
        if self._process.returncode is not None:
            return
        everything = descendants(self._process.pid)
        for pid in everything:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        wait_for(lambda: not any(map(is_alive, everything)))
        self._log.close()


class Cluster:
    """A head and further nodes."""

    def __init__(self, cpus):
        # The path of a socket must be short.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="bq", dir="/tmp"))
        with contextlib.closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._cpus = cpus
        self.address = f"127.0.0.1:{self._port}"
        self.nodes = []
        self.start_head()

    def start_head(self):
        """Starts the head, which has the same address each time."""
        self.head = Node(
            self.directory,
            "--head",
            "--node-ip-address=127.0.0.1",
            f"--port={self._port}",
            f"--num-cpus={self._cpus}",
            "--include-dashboard=false",
            f"--temp-dir={self.directory}",
        )
        wait_for(self._answers)

    def add(self, cpus):
        """Starts another node."""
        self.nodes.append(
            Node(
                self.directory,
                f"--address={self.address}",
                "--node-ip-address=127.0.0.1",
                f"--num-cpus={cpus}",
            )
        )
        return self.nodes[-1]

    def close(self):
        """Ends all nodes."""
        for node in [*self.nodes, self.head]:
            node.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _answers(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port)):
            return True
        return False


@contextlib.contextmanager
def cluster(cpus):
    """A cluster that is there for a while."""
    found = Cluster(cpus)
    try:
        yield found
    finally:
        found.close()

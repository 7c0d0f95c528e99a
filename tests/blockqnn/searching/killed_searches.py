"""Searches in processes of their own, which tests kill."""

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import time

from tests.paths import ROOT


def command(run_dir, flags):
    return [sys.executable, "-m", "blockqnn", "search", *flags, f"--run_dir={run_dir}"]


def ended(run_dir, fact):
    """How many epochs a fact of the store has, which may not exist yet."""
    path = f"file:{run_dir / 'store.sqlite'}?mode=ro"
    with (
        contextlib.suppress(sqlite3.OperationalError, TypeError),
        contextlib.closing(sqlite3.connect(path, uri=True)) as connection,
    ):
        query = f"SELECT value FROM facts WHERE name = '{fact}'"
        return len(json.loads(connection.execute(query).fetchone()[0]))
    return 0


def kill_after(run_dir, flags, fact, target):
    """Begins or continues a search, and kills it when a fact of its store has so many epochs."""
    with subprocess.Popen(command(run_dir, flags), cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and ended(run_dir, fact) < target:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)

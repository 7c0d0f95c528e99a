"""What a benchmark runs ends when the benchmark is interrupted."""

import sys

import pytest

from benchmarks import _processes
from benchmarks._processes import running

WAITS = "import signal, time; signal.signal(signal.SIGINT, signal.{how}); print(1, flush=True)"
WAITS += "\ntime.sleep(300)"


@pytest.mark.parametrize(("how", "status"), [("SIG_DFL", -2), ("SIG_IGN", -9)])
def test_a_command_is_interrupted_with_its_benchmark_or_killed(monkeypatch, how, status):
    monkeypatch.setattr(_processes, "_ENDING_SECONDS", 1.0)
    words = [sys.executable, "-c", WAITS.format(how=how)]
    with pytest.raises(KeyboardInterrupt), running(words, stdout=-1) as process:
        process.stdout.readline()
        raise KeyboardInterrupt
    assert process.returncode == status


def test_a_command_that_ends_is_left_alone():
    with running([sys.executable, "-c", "raise SystemExit(7)"]) as process:
        process.wait()
    assert process.returncode == 7

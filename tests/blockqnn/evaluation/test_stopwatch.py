"""What a job takes of a clock, of a compiler and of a processor, by hand."""

import types

import pytest

from blockqnn.children.compilation import CompilationTimes
from blockqnn.evaluation import stopwatch


@pytest.mark.parametrize(("platform", "processor"), [("cpu", 3.0), ("gpu", 0.0)])
def test_compiling_is_taken_off_the_clock_and_off_the_processor(monkeypatch, platform, processor):
    # Ten seconds by the clock, of which the compiler had four; five of the processor.
    clock, used = iter([100.0, 110.0]), iter([20.0, 25.0])
    times = iter([CompilationTimes(1.0, 2.0), CompilationTimes(2.0, 5.0)])
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(stopwatch.time, "process_time", lambda: next(used))
    monkeypatch.setattr(stopwatch, "compilation_times", lambda: next(times))
    watch = stopwatch.Stopwatch(types.SimpleNamespace(platform=platform))
    assert watch.seconds() == {
        "compile_seconds": 4.0,
        "train_seconds": 6.0,
        "processor_seconds": processor,
    }

"""A run with shared weights in pieces: each call goes on, and the last one prints the table."""

import gzip
import subprocess
import sys

import pytest

from benchmarks._processes import UNFINISHED
from blockqnn.networks.spaces.registry import space_named, write
from blockqnn.runs.run_record import read_run
from tests.blockqnn.searching.test_supernet import SPLIT, epochs_of
from tests.paths import ROOT


@pytest.mark.long
def test_pieces_end_with_tau_beside_what_was_published(tmp_path):
    space, table, run = space_named("nasbench201"), tmp_path / "table.csv.gz", tmp_path / "run"
    lines = ["code,truth"]
    for number in range(5**6):
        digits = [number // 5**place % 5 for place in range(6)]
        on = zip(space.edges.items(), digits, strict=True)
        code = space.of_edges({edge: operations[digit] for (edge, operations), digit in on})
        lines.append(f"{write(code)},{50 + number / 1000:.3f}")
    table.write_bytes(gzip.compress("\n".join(lines).encode()))
    words = [sys.executable, "-m", "benchmarks.supernet_run", str(run), str(table)]
    flags = ("--column=truth", *SPLIT)

    def call(minutes):
        done = subprocess.run(
            [*words, f"--minutes={minutes}", *flags], cwd=ROOT, capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr

    seen = []
    for minutes in (0.0, 0.12, 0.2):
        status, out = call(minutes)
        assert (status, "the same command goes on" in out) in ((UNFINISHED, True), (0, False)), out
        seen.append(len(epochs_of(run)) if (run / "store.sqlite").exists() else 0)
        if status == 0:
            break
    assert seen == sorted(seen)
    if status:
        status, out = call(30)
    assert status == 0, out
    assert len(read_run(run).trials) == 5
    for words_of in ("number of parameters", "whole, recalibrated", "parts, batch", "control"):
        assert words_of in out
    assert "0.485  0.551" in out and "0.502  0.606" in out
    again, out_again = call(0.5)
    assert again == 0 and "of 5 scores" not in out_again and "0.606" in out_again

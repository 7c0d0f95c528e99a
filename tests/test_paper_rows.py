"""Rows of the papers in pieces: each call goes on, and the last one has the figure beside that."""

import json
import subprocess
import sys

import pytest

from benchmarks._processes import UNFINISHED
from benchmarks.paper_rows import LEDGER, ROWS, filled
from blockqnn.flags import search, training
from tests.paths import ROOT

TINY = ("--dataset=synthetic:8x8x3:3:96", "--filters=4", "--epochs=2", "--batch_size=16")


def call(tmp_path, *words):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.paper_rows", *words, f"--out={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.long
def test_a_row_goes_on_until_its_figure_stands_beside_the_published_one(tmp_path):
    words = ("block_qnn_s", *TINY, "--repeats=1", "--milestones=1")
    # No time at all: what has begun is interrupted at once.
    status, out = call(tmp_path, *words, "--minutes=0")
    assert (status, "the same command goes on" in out) == (UNFINISHED, True), out
    status, out = call(tmp_path, *words)
    assert status == 0, out
    assert "% test error" in out and "4.38 % (Zhong et al., CVPR 2018, table 3)" in out
    lines = (tmp_path / "block_qnn_s" / LEDGER).read_text().splitlines()
    ledger = [json.loads(line) for line in lines]
    assert [(each["step"], each["ended"]) for each in ledger] == [(0, False), (0, True)]
    status, again = call(tmp_path, *words)
    assert (status, again.splitlines()[-1]) == (0, out.splitlines()[-1])
    assert len((tmp_path / "block_qnn_s" / LEDGER).read_text().splitlines()) == 2


def test_what_goes_wrong_is_no_piece(tmp_path):
    status, out = call(tmp_path, "block_qnn_s", *TINY, "--epochs=0")
    assert status == 2 and "--epochs" in out
    status, out = call(tmp_path, "--rows")
    assert status == 0 and all(name in out for name in ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_every_step_has_flags_that_its_verb_takes(name, tmp_path):
    class Own:
        data_dir, table = "", "t.csv"

    for step in ROWS[name].steps:
        module, *words = filled(step.words, Own, tmp_path, 9.0)
        assert not {"OUT", "DATA", "TABLE", "LEFT"} & set(" ".join(words).split("="))
        if module == "blockqnn":
            verb, *flags = words
            known = {"search": search, "train": training}[verb].define()
            assert len(known.parse(flags)) == (verb == "train")

"""The benchmark of mixtures: what follows from a ledger by hand, and its command made small."""

import gzip
import json
import subprocess
import sys

import pytest

from benchmarks._mixture_table import (
    ALL_SKIPS,
    FEW_SHOT,
    PARAMETERS,
    VARIANTS,
    chosen_of,
    in_words,
    rivals_of,
    rows_of,
)
from benchmarks.mixtures import flags_of
from benchmarks.supernets import FINAL
from blockqnn.evaluation.table import read_table
from blockqnn.networks.spaces.registry import parse, space_named, write
from blockqnn.runs.run_record import read_run
from tests.paths import ROOT

SPACE = space_named("nasbench201")
SMALL = (
    "--dataset=synthetic:8x8x3:10:240",
    "--resize=8x8",
    "--train_examples=160",
    "--validation_examples=40",
    "--filters=2,4",
    "--supernet_batch_size=16",
    "--supernet_epochs=2",
    "--perturbation_epochs=1",
)


def cell(*operations):
    """The text of a cell with these on its edges, in the order of the code."""
    return write(SPACE.of_edges(dict(zip(SPACE.edges, operations, strict=True))))


PLAIN = cell(*["nor_conv_3x3"] * 6)
POOLED = cell("avg_pool_3x3", "none", *["nor_conv_1x1"] * 4)
TWO_SKIPS = cell("skip_connect", "nor_conv_3x3", "skip_connect", *["none"] * 3)
LAST = cell(*["skip_connect"] * 6)


def a_line(codes, values, order="first_order", seed=0, seconds=10):
    return {
        "order": order,
        "seed": seed,
        "codes": codes,
        "eigenvalues": values,
        "seconds": [seconds * (1 + place) for place in range(len(codes))],
    }


def a_table(path, rows):
    lines = [f"code,{FINAL},{PARAMETERS}", *(f"{code},{a},{p}" for code, a, p in rows)]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


ROWS = [(PLAIN, 93.0, 1.5), (POOLED, 80.0, 0.2), (TWO_SKIPS, 70.0, 0.8), (LAST, 54.3, 0.07)]


def test_four_cells_follow_from_one_search_in_first_order():
    # Means of five eigenvalues: 1 by epoch 16, then 1.8, more than 1.3 times that of four before,
    # whose middle is epoch 11.
    values = [1.0] * 16 + [5.0] * 4 + [None] * 2
    codes = [PLAIN] * 12 + [TWO_SKIPS] * 7 + [LAST, POOLED, POOLED]
    found = chosen_of(a_line(codes, values), 20)
    assert found == {
        "first order": (20, 20),
        "first order, stopped by the eigenvalue": (11, 17),
        "first order, stopped at two skips": (13, 13),
        "first order, selected by perturbation": (22, 22),
    }
    # What selection does afterwards stops nothing.
    calm = chosen_of(a_line([PLAIN] * 20 + [LAST] * 2, [1.0] * 20 + [9.0] * 2), 20)
    assert calm[VARIANTS[1]] == calm[VARIANTS[2]] == (20, 20)
    assert chosen_of(a_line([PLAIN] * 3, [1.0] * 3, "second_order"), 3) == {VARIANTS[4]: (3, 3)}
    few_shot = {**a_line([PLAIN] * 24, [None] * 24, FEW_SHOT), "chosen": 15}
    assert chosen_of(few_shot, 24) == {VARIANTS[5]: (15, 24)}


def test_a_few_shot_search_has_as_many_epochs_as_the_others():
    def epochs(count):
        found = dict(flag.split("=", 1) for flag in flags_of(FEW_SHOT, count))
        assert found["--split"] == "1<-0"
        return int(found["--supernet_epochs"]), int(found["--split_epochs"])

    # 9 + 5 x 3 = 24 and 30 + 5 x 10 = 80; with fewer than six, one each.
    assert [epochs(count) for count in (24, 80, 2)] == [(9, 3), (30, 10), (1, 1)]
    assert flags_of("second_order", 24) == ["--bilevel=second_order"]


def test_rows_look_cells_up_and_count_what_is_in_them(tmp_path):
    truth = read_table(str(a_table(tmp_path / "table.csv.gz", ROWS)), (FINAL, PARAMETERS))
    lines = [
        a_line([PLAIN, POOLED], [1.0, 1.0], "second_order", 1),
        a_line([PLAIN, TWO_SKIPS, LAST], [1.0, 1.0, None]),
    ]
    rows = rows_of(lines, 2, truth)
    assert [row["variant"] for row in rows] == list(VARIANTS[:5])
    keys = ("accuracy", "skip", "pool", "convolution", "none", "epoch", "trained", "seconds")
    assert [[row[key] for key in keys] for row in rows] == [
        [70.0, 2, 0, 1, 3, 2, 2, 20],
        [70.0, 2, 0, 1, 3, 2, 2, 20],
        [70.0, 2, 0, 1, 3, 2, 2, 20],
        [54.3, 6, 0, 0, 0, 3, 3, 30],
        [80.0, 0, 1, 4, 1, 2, 2, 20],
    ]
    unknown = rows_of([{**lines[0], "seconds": None}], 2, truth)
    assert unknown[0]["seconds"] is None and "80.00, one seed" in in_words(unknown, [])


def test_rivals_are_those_of_the_table(tmp_path):
    truth = read_table(str(a_table(tmp_path / "table.csv.gz", ROWS)), (FINAL, PARAMETERS))
    rivals = dict(rivals_of(truth))
    assert rivals["the best cell of the table"] == rivals["the cell of most parameters"] == 93.0
    assert rivals["a random cell, mean of all"] == pytest.approx((93 + 80 + 70 + 54.3) / 4)
    assert parse(ALL_SKIPS) == parse(LAST)
    assert rivals["skip connections alone"] == rivals["published, DARTS in both orders"] == 54.3


def test_means_stand_beside_rivals_with_their_spread(tmp_path):
    truth = read_table(str(a_table(tmp_path / "table.csv.gz", ROWS)), (FINAL, PARAMETERS))
    lines = [
        a_line([code], [1.0], "second_order", seed) for seed, code in enumerate((PLAIN, TWO_SKIPS))
    ]
    words = in_words(rows_of(lines, 1, truth), [("a rival", 82.0)])
    # (93 + 70) / 2 with a deviation of 23 / sqrt(2), below the rival.
    assert "81.50 +- 16.26  second order" in words
    assert words.index("a rival") < words.index("81.50")


@pytest.mark.long
def test_the_command_searches_goes_on_and_makes_the_table_alone(tmp_path):
    rows = []
    for number in range(5**6):
        digits = [number // 5**place % 5 for place in range(6)]
        on = zip(SPACE.edges.items(), digits, strict=True)
        code = SPACE.of_edges({edge: operations[digit] for (edge, operations), digit in on})
        rows.append((write(code), 50 + number / 1000, number / 10000))
    table, ledger = a_table(tmp_path / "table.csv.gz", rows), tmp_path / "ledger.jsonl"
    words = ["benchmarks.mixtures", str(table), "--seeds=0", f"--ledger={ledger}"]
    words += [f"--out={tmp_path / 'runs'}", *SMALL]

    def call(*words):
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr

    status, out = call(*words)
    assert status == 0 and "one seed" in out, out
    lines = ledger.read_text(encoding="utf-8").splitlines()
    first, second, few_shot = map(json.loads, lines)
    assert few_shot["order"] == FEW_SHOT and 1 < few_shot["chosen"] <= len(few_shot["codes"]) == 6
    assert (first["order"], len(first["codes"])) == ("first_order", 2 + 6)
    assert (second["order"], len(second["codes"])) == ("second_order", 2)
    for line in (first, second, few_shot):
        assert line["seconds"][0] > 0 and line["seconds"] == sorted(line["seconds"])
        assert None not in line["eigenvalues"][:2]
    # Nothing is left to search, and what is there says the same.
    status, again = call(*words, "--only_table")
    assert status == 0 and again in out
    status, refused = call(*words, "--alpha_rate=0.1")
    assert status == 1 and "has searches of other flags" in refused
    # Selection changes nothing before it: a search without it comes to the same cells.
    setting = [flag for flag in first["flags"] if "perturbation" not in flag]
    plain = [*setting, "--executor=inline", f"--run_dir={tmp_path / 'plain'}"]
    status, out = call("blockqnn", "search", *plain)
    assert status == 0, out
    record = read_run(tmp_path / "plain")
    assert [write(trial.code) for trial in record.trials] == first["codes"][:2]
    assert [epoch["eigenvalue"] for epoch in record.epochs] == first["eigenvalues"][:2]

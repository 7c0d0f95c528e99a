"""Found cells of DARTS against random ones: the real command on digits, made small."""

import json
import pathlib

import pytest

from benchmarks import darts_random
from benchmarks.darts_random import CIFAR10, DIGITS, SETTINGS
from benchmarks.enas_random import layout_flags
from blockqnn.flags.search import parse
from blockqnn.networks.layout import Layout
from blockqnn.runs.run_record import read_run

SMALL = (
    *("--seeds=3", "--random=1", "--supernet_epochs=1", "--eigenvalue_every=0", "--finals=off"),
    # Cells with few kinds of steps.
    *("--space=nasbench201", "--layout=nasbench201", "--cells=0", "--repeats=1"),
    *("--filters=2,4", "--executor=inline", "--epochs=1"),
    "--training=--epochs=1,--milestones=,--batch_size=100",
)


def call(monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["darts_random", *words])
    darts_random.main()
    return capsys.readouterr().out


@pytest.mark.long
def test_it_searches_trains_equally_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ledger = tmp_path / "ledger.jsonl"
    words = (*SMALL, f"--ledger={ledger}", "--out=runs")
    out = call(monkeypatch, capsys, *words)
    found, drawn = map(json.loads, ledger.read_text(encoding="utf-8").splitlines())
    assert [found["kind"], drawn["kind"]] == ["found", "random"]
    run = read_run(pathlib.Path("runs/digits-3"))
    assert found["run"] == "digits-3" and run.flags["seed"] == "3"
    assert found["code"] == str(run.space.write(run.by_reward[0].code)) != drawn["code"]
    trained = [
        json.loads(p.read_text()) for p in sorted(tmp_path.glob("runs/trained/*/result.json"))
    ]
    assert len(trained) == 2
    last = out.splitlines()[-1]
    assert "(standard error over runs)" not in last or "+-" not in last
    assert f"found {found['error']:.2f} %, random {drawn['error']:.2f} %" in last
    # Everything is there: nothing is searched or trained, and the table is the same.
    assert call(monkeypatch, capsys, *words).splitlines()[-1] == last
    assert len(ledger.read_text(encoding="utf-8").splitlines()) == 2
    again = call(monkeypatch, capsys, f"--ledger={ledger}", "--only_table")
    assert again.splitlines()[-1] == last and "Search:" not in again


def test_a_table_of_nothing_is_refused(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="There is no ledger"):
        call(monkeypatch, capsys, f"--ledger={tmp_path / 'none'}", "--only_table")


def test_cifar10_is_searched_in_small_and_stacked_alike():
    # Synthetic images stand in for those of CIFAR-10.
    images = "--dataset=synthetic:16x16x3:10:20000"
    search, run = parse([*SETTINGS[CIFAR10].search, images])
    assert search.layout.cells == 4 and search.supernet.epochs == 12
    assert run.finals == "4:3" and search.data.train_examples == 10_000
    # Alpha's steps, 12 epochs of 78, times the rate are as in the 19,550 steps of 0.0003.
    steps = 12 * (10_000 // 2 // 64)
    assert steps * search.supernet.mixture.alpha_rate == pytest.approx(5.6, abs=0.1)
    assert {"--layout=cells", "--filters=8,16,32", "--cells=4"} <= set(layout_flags(search.layout))
    assert SETTINGS[DIGITS].search == ("--preset=darts_digits",)
    assert "--cells" not in " ".join(layout_flags(Layout("nasbench201", (8, 16), 1, 8, 8)))

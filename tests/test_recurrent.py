"""The comparison of recurrent cells: its table by hand, and the real command made small."""

import json

import pytest

from benchmarks import recurrent
from benchmarks.recurrent import NAMED, rows_of


def a_line(name, seed, test):
    return {
        "name": name,
        "seed": seed,
        "test": test,
        "validation": test + 1,
        "parameters": 1000,
        "width": 8,
        "epochs": 1.5,
        "seconds": 2.0,
    }


def test_the_lowest_mean_perplexity_comes_first():
    lines = [a_line("lstm", 0, 120.0), a_line("gru", 0, 100.0), a_line("gru", 1, 130.0)]
    head, *rows = rows_of(lines).splitlines()
    assert head.split() == [
        *("test", "validation", "seeds", "parameters", "width", "epochs", "seconds", "cell")
    ]
    # The mean of 100 and 130 with the deviation of a sample of two, 30 / sqrt(2).
    assert rows[0].split()[:5] == ["115.00", "+-", "21.21", "116.00", "2"]
    assert [row.split()[-1] for row in rows] == ["gru", "lstm"]


def test_it_trains_for_the_seconds_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recurrent, "NAMED", NAMED[:1])
    text = tmp_path / "text.txt"
    text.write_text(" ".join(f"w{(7 * n * n + n) % 40}" for n in range(6_000)))
    ledger = tmp_path / "ledger.jsonl"
    words = [
        *("recurrent", f"--dataset=text:{text}", f"--ledger={ledger}", "--vocabulary=30"),
        *("--parameters=2000", "--seconds=0.2", "--random=1", "--seeds=3"),
    ]
    monkeypatch.setattr("sys.argv", words)
    recurrent.main()
    found = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert [(each["name"], each["seed"]) for each in found] == [("lstm", 3), ("random 1", 3)]
    for each in found:
        assert each["parameters"] == pytest.approx(2000, rel=0.1)
        assert 1 < each["test"] < 200 and each["epochs"] > 0
    table = capsys.readouterr().out.splitlines()[-2:]
    monkeypatch.setattr("sys.argv", words)
    recurrent.main()
    assert len(ledger.read_text().splitlines()) == 2
    assert capsys.readouterr().out.splitlines()[-2:] == table

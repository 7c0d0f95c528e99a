"""`bench --supernet`: what a path through shared weights costs beside a lone child."""

import json
import re

import pytest

from blockqnn.bench.bank_steps import in_words

TINY = ("bench", "--repeats=1", "--filters=2,4", "--designs=2", "--steps=1", "--batch_size=8")


@pytest.mark.long
def test_a_supernet_is_measured_beside_lone_children(blockqnn):
    status, out, err = blockqnn(*TINY, "--supernet=nasbench201", "--format=json")
    assert status == 0
    assert "Supernet:  2 random designs of nasbench201, 1 step" in err
    facts = json.loads(out)
    assert (facts["designs"], facts["cores"], facts["batch_size"]) == (2, 1, 8)
    assert 5 < facts["programs"] == facts["early_programs"]
    assert [row["optimiser"] for row in facts["rows"]] == ["adam", "momentum"]
    for row in facts["rows"]:
        assert all(row[name] > 0 for name in ("lone_seconds", "bank_seconds", "compile_seconds"))
        # Of two designs the median ratio is their mean, and the medians of seconds likewise.
        assert 0.1 < row["ratio"] < 10 and row["steps_per_second"] > 0


def test_what_it_measures_in_words():
    row = {
        "optimiser": "momentum",
        "gradient_norm": 5.0,
        "lone_seconds": 0.02,
        "bank_seconds": 0.021,
        "ratio": 1.05,
        "steps_per_second": 47.61,
        "compile_seconds": 3.0,
    }
    facts = {"device": "cpu", "cores": 1, "space": "rows", "designs": 9}
    words = in_words(facts | {"programs": 27, "early_programs": 26, "rows": [row]})
    assert re.search(r"20\.00 +21\.00 +1\.05 +47\.6 +3\.0  momentum, gradients cut to 5\n", words)
    assert "27 different steps are compiled for 9 designs of rows, 26 of them for the fi" in words


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--supernet=nsc",), "Blocks of nsc hardly share a layer; --supernet=nsc cannot be meas"),
        (("--supernet=enas_micro",), "enas_search or enas_search_in_code; --supernet=enas_micro"),
        (("--supernet=darts", "--profile"), "so --profile has no effect on it; leave it out"),
        (("--supernet=darts", "--blocks=residual"), "designs of darts and no blocks, so --blocks"),
    ],
)
def test_what_cannot_be_measured_is_said(blockqnn, flags, words):
    status, out, err = blockqnn("bench", *flags)
    assert (status, out) == (2, "") and words in err

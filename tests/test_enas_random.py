"""The comparison of found and random cells: its figures by hand."""

import pytest

from benchmarks.enas_random import layout_flags, summary
from blockqnn.networks.layout import Layout


def line(run, kind, error):
    return {"run": run, "kind": kind, "error": error}


def test_differences_are_paired_by_run():
    lines = [line("a", "found", 2.0), line("a", "random", 3.0), line("a", "random", 1.0)]
    lines += [line("b", "found", 4.0), line("b", "random", 7.0), line("b", "random", 5.0)]
    found = summary(lines)
    assert (found["found"], found["random"]) == (3.0, 4.0)
    # Differences of 0 and -2: their mean is -1, their standard error 1.
    assert (found["difference"], found["error"]) == (-1.0, pytest.approx(1.0))
    assert (found["better"], found["drawn"]) == (1, 4)
    assert summary(lines[:3])["error"] is None


def test_random_cells_stand_in_the_layout_of_the_run():
    layout = Layout("cells", (8, 16), 1, 8, 8, channels=1, rules="enas_search")
    assert layout_flags(layout) == [
        "--layout=cells",
        "--filters=8,16",
        "--repeats=1",
        "--cell_rules=enas_search",
    ]

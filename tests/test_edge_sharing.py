"""What operations of an edge could share: equal values and gradients, and the command."""

import numpy as np
import pytest

from benchmarks import edge_sharing
from benchmarks.edge_sharing import CASES, difference


@pytest.mark.parametrize("name", CASES)
def test_shared_and_apart_have_the_same_values_and_gradients(name):
    apart, shared, given = CASES[name](6, 3, 4)
    one, other = apart(*given), shared(*given)
    # Values, gradients of arrays, and that of the map, none of which is 0.
    assert difference(one, other) < 1e-6
    assert all(np.abs(each).max() > 0 for each in (*one[0], one[2]))
    wrong = (other[0], other[1], other[2] + 0.01 * np.abs(other[2]).max())
    assert difference(one, wrong) == pytest.approx(0.01, rel=1e-2)


@pytest.mark.long
def test_the_command(monkeypatch, capsys):
    words = ["edge_sharing", "--sides=4", "--filters=2", "--batch_size=2", "--turns=1", "--steps=1"]
    monkeypatch.setattr("sys.argv", words)
    edge_sharing.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["relu", "1x1"]
    assert all("4x4x2" in line for line in lines[1:])

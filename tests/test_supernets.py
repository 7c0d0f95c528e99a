"""The benchmark of supernets: its table over seeds, and what stands in the repository."""

import json
import re

import numpy as np
import pytest

from benchmarks import supernets
from tests.paths import ROOT

TRUTH = np.array([10.0, 20.0, 30.0, 40.0])


def seed(parts, control):
    return {
        "parts, batch": np.array(parts),
        "control, batch": np.array(control),
        supernets.PARAMETERS: np.array([1.0, 2.0, 3.0, 4.0]),
    }, TRUTH


def test_means_and_paired_differences_over_seeds():
    # One pair of six exchanged has a tau of 4 / 6.
    seeds = [
        seed([1, 2, 3, 4], [2, 1, 3, 4]),
        seed([1, 2, 4, 3], [4, 3, 2, 1]),
    ]
    rows = supernets.over_seeds(seeds).splitlines()
    assert rows[0] == "2 seeds of 4, 4 connected cells, mean and deviation:"
    # 1 and 2/3; the first choices have 40 and 30 %.
    assert re.search(r"0\.83 \+- 0\.24 .* 35\.00 \+- 7\.07 +parts, batch", rows[2])
    assert re.search(r"-0\.17 \+- 1\.18 .* 25\.00 \+- 21\.21 +control, batch", rows[3])
    # 1/3 and 5/3, and 0 and -1/3.
    assert "parts, batch minus control, batch: 1.000 +- 0.667, standard error" in rows
    assert f"parts, batch minus {supernets.PARAMETERS}: -0.167 +- 0.167, standard error" in rows
    assert len(rows) == 7


def test_what_only_some_seeds_have_is_left_out():
    one, other = seed([1, 2, 3, 4], [2, 1, 3, 4]), seed([1, 2, 4, 3], [4, 3, 2, 1])
    del other[0]["control, batch"]
    assert "control" not in supernets.over_seeds([one, other])


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "measured").glob("supernets_*")))
def test_kept_scores_are_read_again(path):
    kept = json.loads(path.read_text())
    found = supernets.read_scores(kept)
    assert supernets.layout_from(kept["layout"]).kind == "nasbench201"
    assert all(len(these) > 100 for these in found.values())
    assert supernets.as_lists(found) == {key: kept[key] for key in ("cells", "scores")}

"""The curve of simple regret as a picture."""

import re

import pytest

from blockqnn.contests.regret_figure import check_figure, draw_regret
from blockqnn.errors import UserError

CURVES = [
    {"agent": "random", "evaluations": [1, 10, 100], "regret": [6.0, 2.0, 0.7]},
    {"agent": "evolution", "evaluations": [1, 10, 100], "regret": [6.0, 1.0, 0.0]},
]


@pytest.mark.parametrize(
    ("suffix", "begins"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF")]
)
def test_the_suffix_says_what_it_becomes(tmp_path, suffix, begins):
    draw_regret(CURVES, tmp_path / f"regret{suffix}")
    content = (tmp_path / f"regret{suffix}").read_bytes()
    assert content.startswith(begins)
    assert b"dc:date" not in content
    assert b"/CreationDate" not in content


def test_it_has_every_agent_and_plain_numbers(tmp_path):
    draw_regret(CURVES, tmp_path / "regret.svg")
    # Matplotlib draws letters as paths and keeps the text in comments.
    texts = set(re.findall(r"<!-- (.*?) -->", (tmp_path / "regret.svg").read_text()))
    assert {"random", "evolution", "evaluations", "1", "100", "0.5", "5", "0.005"} <= texts
    assert "0.002" not in texts, "nothing is shown of what two decimals do not"
    assert not any("10^" in text or "times" in text for text in texts)


def test_curves_that_are_nothing_but_zero_are_no_trouble(tmp_path):
    curve = {"agent": "random", "evaluations": [1, 2], "regret": [0.0, 0.0]}
    draw_regret([curve], tmp_path / "regret.svg")
    assert (tmp_path / "regret.svg").stat().st_size > 0


def test_names_that_cannot_be_written_are_refused_before(tmp_path):
    check_figure(None)
    check_figure(tmp_path / "regret.svg")
    with pytest.raises(UserError, match=r"allowed: a name that ends in \.svg, \.png, \.pdf"):
        check_figure(tmp_path / "regret.txt")
    with pytest.raises(UserError, match="there is no directory"):
        check_figure(tmp_path / "none" / "regret.svg")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(UserError, match="is a directory"):
        check_figure(tmp_path / "folder.svg")

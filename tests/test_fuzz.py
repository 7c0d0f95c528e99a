"""Whatever reads what others wrote refuses what it cannot read in a sentence, and never else.

`benchmarks.fuzz` throws a million inputs and more; here is a small share of it.
"""

import random
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks import fuzz
from blockqnn.errors import UserError
from blockqnn.flags import search as search_flags
from blockqnn.networks.layout import LayoutError
from blockqnn.networks.spaces.nsc.codes import CodeError, parse, write
from tests.paths import ROOT
from tests.strategies import blocks


def read_or_refused(text):
    try:
        code = parse(text)
    except CodeError as error:
        assert "\n" not in str(error)
        return
    assert parse(write(code)) == code


@given(st.text())
@example("[" * 100_000)
@example("[(" + "1" * 100_000 + ",1,3,0,0)]")
@example("[" + "(1,1,3,0,0)," * 10_000 + "]")
@example("[(1,1,3,0,0)]\0")
@example("[(\u0661,1,3,0,0)]")
def test_any_text(text):
    read_or_refused(text)


@given(blocks(), st.data())
def test_a_block_with_anything_in_it(code, data):
    text = write(code)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    read_or_refused(text[:start] + data.draw(st.text(max_size=8)) + text[end:])


@given(st.lists(st.lists(st.integers(), max_size=6), max_size=5))
def test_any_numbers(rows):
    read_or_refused(str(rows).replace("[", "(").replace("]", ")"))
    read_or_refused("[" + ",".join(str(tuple(row)) for row in rows) + "]")


NAMES = sorted(search_flags.define().values)


@given(
    st.lists(
        st.tuples(st.sampled_from([*NAMES, "", "nope"]), st.text(max_size=12)).map(
            lambda pair: f"--{pair[0]}={pair[1]}"
        )
        | st.text(max_size=12),
        max_size=3,
    )
)
@example(["--flagfile=\0"])
@example(["--flagfile=" + "a" * 5000])
@example(["--flagfile=/"])
def test_any_command_line(words):
    try:
        search_flags.parse(["--preset=smoke", "--evaluator=dry", *words])
    except (UserError, LayoutError) as error:
        assert str(error)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_small_share_of_the_long_run(seed):
    read, refused = fuzz.fuzz_codes(3000, random.Random(seed))
    assert min(read, refused) > 0
    read, refused = fuzz.fuzz_flags(60, random.Random(seed))
    assert refused > 0
    read, refused = fuzz.fuzz_stores(60, random.Random(seed))
    assert min(read, refused) > 0


def test_the_long_run_says_what_it_did():
    command = [sys.executable, "-m", "benchmarks.fuzz", "--inputs=50", "--flags=5", "--stores=5"]
    ended = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    lines = ended.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["50 codes", "5 command lines", "5 stores"]

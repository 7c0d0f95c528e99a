"""Chains of choices, which a table makes: their names, codes and decisions by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.networks.cost import cost
from blockqnn.networks.layout import Layout, LayoutError
from blockqnn.networks.spaces.contract import CodeError
from blockqnn.networks.spaces.registry import SPACES, design_of, design_plan, space_named, space_of

NAME = "chain:width=8|16|32;kernel=3|5"
SPACE = space_named(NAME)
CELLS = st.text(min_size=1, max_size=6)


def test_the_name_of_a_chain_is_all_that_is_kept_of_it():
    assert SPACE.name == NAME
    assert SPACE.columns == {"width": ("8", "16", "32"), "kernel": ("3", "5")}
    assert space_named(NAME) is SPACE
    made = SPACES["chain"].made_of({"width": ["32", "8", "16"], "kernel": ["5", "3"]})
    # Numbers are in their order, 8 before 16.
    assert made.name == NAME


@given(st.dictionaries(CELLS, st.sets(CELLS, min_size=1, max_size=4), min_size=1, max_size=4))
def test_columns_and_cells_may_be_any_text(columns):
    made = SPACES["chain"].made_of(columns)
    assert space_named(made.name).columns == made.columns
    assert {name: set(own) for name, own in made.columns.items()} == columns


def test_codes_by_hand():
    code = SPACE.of_cells(["32", "3"])
    assert code == ((1, 1002, 2, 3), (2, 1002, 0, 2))
    assert SPACE.write(code) == "chain 2/3 0/2"
    assert SPACE.parse("chain 2/3  0/2") == code
    assert [SPACE.action_title(choice) for choice in code] == ["width 32", "kernel 3"]
    # Whoever has the code alone knows the space, though not what the columns are called.
    assert space_of(code) is SPACES["chain"]
    assert SPACE.features(code) == (0, 0, 1, 1, 0)
    assert SPACE.feature_names == ("width=8", "width=16", "width=32", "kernel=3", "kernel=5")
    hashes = {design_of(SPACE.of_cells([w, k])).hash for w in ("8", "16", "32") for k in "35"}
    assert len(hashes) == 6


def test_a_decision_has_the_options_of_its_column_alone():
    actions = SPACE.numbered()
    assert (len(actions), actions.length, actions.highest) == (3, 2, (2, 1002, 2, 3))
    assert [list(actions.mask(place)) for place in (1, 2)] == [[True] * 3, [True, True, False]]
    assert len(SPACE.choices(SPACE.start)) == 3
    assert len(SPACE.choices(SPACE.of_cells(["8", "3"])[0])) == 2


def test_a_mutation_changes_one_decision_that_has_another_option():
    space = space_named("chain:a=1|2|3;b=x;c=4|5")
    random, seen = np.random.default_rng(0), set()
    code = space.of_cells(["1", "x", "4"])
    for _ in range(200):
        other = space.mutated(code, random)
        changed = [n for n, (a, b) in enumerate(zip(code, other, strict=True)) if a != b]
        assert len(changed) == 1 and changed[0] != 1
        seen.add(other)
    assert len(seen) == 3
    single = space_named("chain:a=1;b=2")
    assert single.mutated(single.of_cells(["1", "2"]), random) == single.of_cells(["1", "2"])


def test_nobody_knows_its_networks_nor_what_they_cost():
    design, layout = design_of(SPACE.of_cells(["8", "3"])), Layout(kind="chain")
    with pytest.raises(LayoutError, match="rows of a table, and nobody knows their networks"):
        design_plan(design, layout)
    assert cost(design, layout).parameters == 0
    assert "rows of a table" in SPACE.unshared(layout) and SPACE.unmixed(layout)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("chain:", "says no decisions"),
        ("chain:width", "says no decisions"),
        ("chain:a=1|1", "says no decisions"),
        ("chain:a=1;a=2", "says no decisions"),
        ("chain:" + ";".join(f"a{n}=1" for n in range(1001)), "at most 1,000 decisions"),
        ("nsc:a=1|2", "The space nsc is always the same"),
    ],
)
def test_wrong_names_are_refused(name, words):
    with pytest.raises(CodeError, match=words):
        space_named(name)


@pytest.mark.parametrize("text", ["chain", "chain 3/3", "chain 1/2 x", "chain -1/2", "chain 0/0"])
def test_wrong_codes_are_refused(text):
    with pytest.raises(CodeError):
        SPACE.parse(text)


def test_wrong_cells_and_prefixes_are_refused():
    with pytest.raises(CodeError, match="kernel is '7'; allowed: 3, 5"):
        SPACE.of_cells(["8", "7"])
    with pytest.raises(CodeError, match="Decision 1 has 3 options, given 2"):
        SPACE.parse_prefix("chain 0/2")
    with pytest.raises(CodeError, match="is complete"):
        SPACE.parse_prefix("chain 0/3 0/2")
